//! A picture of a heatmap over its slide.
//!
//! The colour scale runs from 0 to 1, so that pictures of different slides can be compared.
//! The colours are VIRIDIS, whose order is visible in lightness alone and therefore to
//! colour-blind readers, and whose yellow and green stand out from eosin pink and haematoxylin
//! violet. Under the colours the slide is grey, because a violet nucleus would change the
//! colour of a score. Tissue and glass without scores keep the slide's own colours.

use ndarray::{Array3, ArrayView2, ArrayView3};
use std::ops::Range;
use thiserror::Error;

use super::Heatmap;
use super::canvas::{GLYPH_PX, INK, LINE_PX, RgbPicture, WHITE, hatched, mix, wrapped};
use super::resample::resize;
use crate::tissue::hsv::rgb_to_grey;

/// Default of the longest side of a picture, px.
pub(crate) const MAX_SIDE_PX: usize = 2048;
/// Default weight of the colours over the slide, 0..=1.
pub(crate) const OPACITY: f32 = 0.65;

const MARGIN_PX: usize = 14;
const BAR_PX: usize = 26;
/// Width of the column that holds the colour bar and its numbers.
const LEGEND_PX: usize = 3 * MARGIN_PX / 2 + BAR_PX + 10 + 4 * GLYPH_PX + MARGIN_PX;
const TICKS: [(f32, &str); 5] =
    [(0.0, "0"), (0.25, "0.25"), (0.5, "0.5"), (0.75, "0.75"), (1.0, "1")];
/// Grey under the colour bar, about that of stained tissue.
const BAR_GROUND: [u8; 3] = [190; 3];
/// Smallest allowed value of the longest side, px; smaller pictures have no room for a legend.
pub(crate) const MIN_SIDE_PX: usize = 320;

/// Why a picture cannot be drawn.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RenderError {
    /// The thumbnail is empty or not RGB, or the slide has no area.
    #[error(
        "the thumbnail is {rows} x {cols} x {channels} for a slide of {width_px} x {height_px} px; expected an RGB image and a slide with an area"
    )]
    Thumbnail {
        /// Thumbnail rows.
        rows: usize,
        /// Thumbnail columns.
        cols: usize,
        /// Thumbnail channels.
        channels: usize,
        /// Width of the working plane.
        width_px: u32,
        /// Height of the working plane.
        height_px: u32,
    },
    /// Map and slide are not of the same size.
    #[error("the {what} has {} x {} cells, but a slide of {width_px} x {height_px} px has {} x {} of {cell_px} px", found[0], found[1], expected[0], expected[1])]
    Grid {
        /// `heatmap`, `tissue mask` or `mask of missing tiles`.
        what: &'static str,
        /// Rows and columns of the map.
        found: [usize; 2],
        /// Rows and columns that a map of this slide has.
        expected: [usize; 2],
        /// Stride, or side of a tile, working px.
        cell_px: u32,
        /// Width of the working plane.
        width_px: u32,
        /// Height of the working plane.
        height_px: u32,
    },
    /// The picture would be too small for a legend.
    #[error(
        "a picture with sides of at most {found} px has no room for a legend; allow at least {MIN_SIDE_PX}"
    )]
    TooSmall {
        /// The configured longest side, px.
        found: usize,
    },
}

/// A thumbnail of the whole slide, and the size of its working plane.
#[derive(Debug, Clone, Copy)]
pub struct PlaneThumbnail<'a> {
    /// `[row, col, rgb]`, any size. Its edges are the edges of the working plane.
    pub rgb: ArrayView3<'a, u8>,
    /// Width of the working plane, px.
    pub width_px: u32,
    /// Height of the working plane, px.
    pub height_px: u32,
}

/// Options of a heatmap's picture.
#[derive(Debug, Clone)]
pub struct HeatmapPicture<'a> {
    /// Lines above the map: slide, class, stride.
    pub title: Vec<String>,
    /// Longest side of the whole picture, px.
    pub max_side_px: usize,
    /// Weight of the colours over the slide, 0..=1.
    pub opacity: f32,
    /// The tissue tiles without scores, which are hatched.
    pub missing: Option<MissingTiles<'a>>,
}

/// Tissue tiles without scores.
#[derive(Debug, Clone, Copy)]
pub struct MissingTiles<'a> {
    /// `[tile row, tile col]`, non-zero = missing. See [`Heatmap::missing_tiles`].
    pub tiles: ArrayView2<'a, u8>,
    /// Side of a tile, working px.
    pub tile_px: u32,
}

impl Default for HeatmapPicture<'_> {
    fn default() -> Self {
        Self { title: Vec::new(), max_side_px: MAX_SIDE_PX, opacity: OPACITY, missing: None }
    }
}

/// Draws a heatmap over its slide, with a title, a colour bar and, if tiles are missing, a
/// legend for the hatching.
///
/// Lattice point (r, c) is drawn as the cell centred on its pixel. Where several points fall
/// into one picture pixel, the highest score is shown, so that no small focus is lost by
/// shrinking. Scores outside 0..=1 have the colour of the nearer end. Points that are NaN show
/// the slide.
///
/// # Errors
/// [`RenderError`] if slide, map and mask are not of the same size, or the picture would be
/// too small.
pub fn render_heatmap(
    slide: &PlaneThumbnail<'_>,
    heatmap: &Heatmap,
    options: &HeatmapPicture<'_>,
) -> Result<RgbPicture, RenderError> {
    slide.check()?;
    slide.check_grid("heatmap", heatmap.score.shape(), heatmap.stride_px)?;
    if let Some(MissingTiles { tiles, tile_px }) = options.missing {
        slide.check_grid("mask of missing tiles", tiles.shape(), tile_px)?;
    }
    let missing = options.missing.filter(|missing| missing.tiles.iter().any(|&tile| tile != 0));
    let wanted = heatmap.score.nrows().max(heatmap.score.ncols());
    let footer = if missing.is_some() { vec!["not scored".to_owned()] } else { Vec::new() };
    let layout =
        SheetLayout::plan(slide, &options.title, &footer, LEGEND_PX, wanted, options.max_side_px)?;

    let mut picture = layout.sheet(slide);
    draw_scores(&mut picture, &layout, slide, heatmap, options.opacity);
    draw_bar(&mut picture, &layout, options.opacity);
    if let Some(MissingTiles { tiles, tile_px }) = missing {
        hatch_tiles(&mut picture, &layout, slide, tiles, tile_px);
        let (x, y) = (layout.left_px, layout.footer_y_px());
        for (dx, dy) in (0..BAR_PX).flat_map(|dx| (0..GLYPH_PX).map(move |dy| (dx, dy))) {
            picture.put(x + dx, y + dy, hatched(dx, dy, BAR_GROUND));
        }
        picture.frame(x, y, BAR_PX, GLYPH_PX, INK);
    }
    Ok(picture)
}

impl PlaneThumbnail<'_> {
    pub(crate) fn check(&self) -> Result<(), RenderError> {
        let (rows, cols, channels) = self.rgb.dim();
        if rows > 0 && cols > 0 && channels == 3 && self.width_px > 0 && self.height_px > 0 {
            return Ok(());
        }
        let (width_px, height_px) = (self.width_px, self.height_px);
        Err(RenderError::Thumbnail { rows, cols, channels, width_px, height_px })
    }

    /// Checks that a map of `found` rows and columns covers the slide.
    pub(crate) fn check_grid(
        &self,
        what: &'static str,
        found: &[usize],
        cell_px: u32,
    ) -> Result<(), RenderError> {
        let (width_px, height_px) = (self.width_px, self.height_px);
        let cells = |extent: u32| extent.div_ceil(cell_px.max(1)) as usize;
        let expected = [cells(height_px), cells(width_px)];
        if found == expected {
            return Ok(());
        }
        let found = [found[0], found[1]];
        Err(RenderError::Grid { what, found, expected, cell_px, width_px, height_px })
    }
}

/// The places of the parts of a picture: text above, the map with a column for the colour bar
/// at its right, text below.
pub(crate) struct SheetLayout {
    pub(crate) left_px: usize,
    pub(crate) top_px: usize,
    /// Width and height of the map.
    pub(crate) width_px: usize,
    pub(crate) height_px: usize,
    pub(super) header: Vec<String>,
    pub(super) footer: Vec<String>,
    pub(super) sheet_px: (usize, usize),
}

impl SheetLayout {
    /// Fits all parts into `max_side_px`. The map's longer side is `wanted_px` or that of the
    /// thumbnail, whichever is larger, as far as there is room.
    pub(crate) fn plan(
        slide: &PlaneThumbnail<'_>,
        title: &[String],
        footer: &[String],
        bar_px: usize,
        wanted_px: usize,
        max_side_px: usize,
    ) -> Result<Self, RenderError> {
        if max_side_px < MIN_SIDE_PX {
            return Err(RenderError::TooSmall { found: max_side_px });
        }
        let (rows, cols, _) = slide.rgb.dim();
        let plane = (f64::from(slide.width_px), f64::from(slide.height_px));
        let worth = wanted_px.max(rows).max(cols).max(480) as f64 / plane.0.max(plane.1);
        let text_px = |lines: usize| lines * LINE_PX + MARGIN_PX * (1 + usize::from(lines > 0));
        let map_px = |lines: usize| {
            let text = text_px(lines) + text_px(footer.len());
            let room = (max_side_px - MARGIN_PX - bar_px, max_side_px.saturating_sub(text).max(32));
            let scale = worth.min(room.0 as f64 / plane.0).min(room.1 as f64 / plane.1);
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "at most room"
            )]
            let fit = |extent: f64, room: usize| ((extent * scale).round() as usize).clamp(1, room);
            (fit(plane.0, room.0), fit(plane.1, room.1))
        };
        // The width of the sheet comes from the map at its wanted size. The text is then
        // wrapped to that width, which may leave the map less height.
        let longest = title.iter().chain(footer).map(|line| line.chars().count()).max();
        let text_width = (longest.unwrap_or(0) * GLYPH_PX + 2 * MARGIN_PX + 2 * BAR_PX).min(560);
        let sheet_width = (MARGIN_PX + map_px(title.len()).0 + bar_px)
            .max(text_width)
            .max(MIN_SIDE_PX)
            .min(max_side_px);
        let header = wrapped(title, sheet_width - 2 * MARGIN_PX);
        let (width_px, height_px) = map_px(header.len());
        let text = text_px(header.len()) + text_px(footer.len());
        let least = if bar_px > MARGIN_PX { 160 } else { 1 };
        Ok(Self {
            left_px: MARGIN_PX,
            top_px: text_px(header.len()),
            width_px,
            height_px,
            header,
            footer: footer.to_vec(),
            sheet_px: (sheet_width, (text + height_px.max(least)).min(max_side_px)),
        })
    }

    /// The sheet with its text and the bare slide.
    pub(crate) fn sheet(&self, slide: &PlaneThumbnail<'_>) -> RgbPicture {
        let mut picture = RgbPicture::filled(self.sheet_px.0, self.sheet_px.1, WHITE);
        for (i, line) in self.header.iter().enumerate() {
            picture.text(MARGIN_PX, MARGIN_PX + i * LINE_PX, line, INK);
        }
        for (i, line) in self.footer.iter().enumerate() {
            let y = self.footer_y_px() + i * LINE_PX;
            picture.text(MARGIN_PX + 3 * BAR_PX / 2, y, line, INK);
        }
        let map: Array3<u8> = resize(slide.rgb, self.width_px, self.height_px);
        for ((row, col), _) in map.index_axis(ndarray::Axis(2), 0).indexed_iter() {
            let colour = [0, 1, 2].map(|channel| map[[row, col, channel]]);
            picture.put(self.left_px + col, self.top_px + row, colour);
        }
        picture.frame(self.left_px, self.top_px, self.width_px, self.height_px, [170; 3]);
        picture
    }

    pub(crate) fn footer_y_px(&self) -> usize {
        self.sheet_px.1.saturating_sub(self.footer.len() * LINE_PX + MARGIN_PX / 2)
    }
}

/// The lattice indices that each of `pixels` picture pixels shows along one axis of
/// `extent_px`: the points inside the pixel or, if there are none, the point whose cell holds
/// the pixel's middle. The range is empty beyond the last cell.
fn points_per_pixel(
    pixels: usize,
    extent_px: u32,
    stride_px: u32,
    points: usize,
) -> Vec<Range<usize>> {
    let (n, extent, stride) = (pixels as u64, u64::from(extent_px), u64::from(stride_px));
    let index = |point: u64| usize::try_from(point).expect("a usize has 64 bits").min(points);
    (0..n)
        .map(|pixel| {
            let first = (pixel * extent).div_ceil(n * stride);
            let end = ((pixel + 1) * extent).div_ceil(n * stride);
            let nearest = ((2 * pixel + 1) * extent + n * stride) / (2 * n * stride);
            let (first, end) = if first < end { (first, end) } else { (nearest, nearest + 1) };
            index(first)..index(end)
        })
        .collect()
}

/// The colour of a score.
pub(crate) fn colour_of(score: f32) -> [u8; 3] {
    colorous::VIRIDIS.eval_continuous(f64::from(score.clamp(0.0, 1.0))).as_array()
}

pub(super) fn draw_scores(
    picture: &mut RgbPicture,
    layout: &SheetLayout,
    slide: &PlaneThumbnail<'_>,
    heatmap: &Heatmap,
    opacity: f32,
) {
    let (rows, cols) = heatmap.score.dim();
    let down = points_per_pixel(layout.height_px, slide.height_px, heatmap.stride_px, rows);
    let across = points_per_pixel(layout.width_px, slide.width_px, heatmap.stride_px, cols);
    for (dy, rows) in down.iter().enumerate() {
        for (dx, cols) in across.iter().enumerate() {
            let cells = rows.clone().flat_map(|r| cols.clone().map(move |c| [r, c]));
            // `f32::max` ignores NaN, so the score is NaN only if all cells are.
            let score = cells.map(|cell| heatmap.score[cell]).fold(f32::NAN, f32::max);
            let (x, y) = (layout.left_px + dx, layout.top_px + dy);
            if let Some(under) = picture.get(x, y).filter(|_| !score.is_nan()) {
                let grey = [rgb_to_grey(under); 3];
                picture.put(x, y, mix(grey, colour_of(score), opacity.clamp(0.0, 1.0)));
            }
        }
    }
}

fn draw_bar(picture: &mut RgbPicture, layout: &SheetLayout, opacity: f32) {
    let x = layout.left_px + layout.width_px + 3 * MARGIN_PX / 2;
    let top = layout.top_px + GLYPH_PX / 2;
    let sheet_room = picture.height_px.saturating_sub(top + GLYPH_PX);
    let height = layout.height_px.saturating_sub(GLYPH_PX).max(120).min(sheet_room).max(2);
    for dy in 0..height {
        #[expect(clippy::cast_precision_loss, reason = "a picture's height")]
        let score = 1.0 - dy as f32 / (height - 1) as f32;
        picture.fill(x, top + dy, BAR_PX, 1, mix(BAR_GROUND, colour_of(score), opacity));
    }
    picture.frame(x, top, BAR_PX, height, INK);
    for (score, label) in TICKS {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "within the bar"
        )]
        let y = top + ((1.0 - score) * (height - 1) as f32).round() as usize;
        picture.fill(x + BAR_PX, y, 6, 2, INK);
        picture.text(x + BAR_PX + 10, y + 1 - GLYPH_PX / 2, label, INK);
    }
}

fn hatch_tiles(
    picture: &mut RgbPicture,
    layout: &SheetLayout,
    slide: &PlaneThumbnail<'_>,
    tiles: ArrayView2<'_, u8>,
    tile_px: u32,
) {
    for y in 0..layout.height_px {
        let row = tile_at(y, layout.height_px, slide.height_px, tile_px);
        for x in 0..layout.width_px {
            let col = tile_at(x, layout.width_px, slide.width_px, tile_px);
            if tiles.get((row, col)).is_some_and(|&tile| tile != 0) {
                let (px, py) = (layout.left_px + x, layout.top_px + y);
                let under = picture.get(px, py).unwrap_or(WHITE);
                picture.put(px, py, hatched(x, y, under));
            }
        }
    }
}

/// The tile that holds the middle of a picture pixel.
pub(crate) fn tile_at(pixel: usize, pixels: usize, extent_px: u32, tile_px: u32) -> usize {
    let middle = (2 * pixel as u64 + 1) * u64::from(extent_px);
    let tile = middle / (2 * pixels as u64 * u64::from(tile_px.max(1)));
    usize::try_from(tile).expect("a usize has 64 bits")
}

#[cfg(test)]
#[path = "render_tests.rs"]
mod tests;
