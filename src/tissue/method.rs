//! The methods of tissue detection, from pictures of a slide to its tissue mask.

use ndarray::{Array2, ArrayView3};

use super::glass::Glass;
use super::morphology::{close, fill_holes, median, remove_small};
use super::otsu::{histogram, threshold_otsu};
use super::picture::{TissuePicture, shares};
use super::stain::stained;
use super::texture_check::TextureCheck;
use super::tile_grid::TileGrid;
use super::{SlideMask, TissueError, TissueMethod, TissueOptions, hsv};

/// A pixel is dark if all its channels are below this value. Stained tissue is brighter in
/// at least one.
const DARK: u8 = 80;
/// A slide without glass and with a larger share of dark pixels is not a bright-field slide.
const DARK_LIMIT: f64 = 0.5;
/// Fractions of a tile that differ by no more than this, the size of rounding, are equal.
const COVERAGE_ROUNDING: f64 = 1e-9;

/// The tiles that hold tissue, and the values that decided.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TissueMask {
    /// `[tile row, tile col]`, 1 = tissue, 0 = not.
    pub mask: Array2<u8>,
    /// Name and value of each threshold that was applied, before clean-up.
    ///
    /// Tissue has a `hue`, a `saturation` and a `coverage` at or above the threshold and a
    /// `grey` at or below it; no tile reaches 256. For `stain`, the list holds the colour of
    /// the glass (`glass_red`, `glass_green`, `glass_blue`, 0..=255), the smallest `colour`
    /// of stain against the glass (optical density) and the smallest `share` of a tile.
    pub thresholds: Vec<(&'static str, f64)>,
    /// Number of ones in `mask`.
    pub tissue_tiles: usize,
    /// `[tile row, tile col]`, 1 = not tissue, but would be if `stain` had not taken some of
    /// the tile for a pen's ink. `None` with the other methods.
    pub ink: Option<Array2<u8>>,
    /// Share of the picture that is dark, 0..=1. It is near 1 in fluorescence, where `stain`
    /// finds no glass to compare with.
    pub dark: f64,
    /// The mask made from texture alone; `None` with the method `all`.
    pub texture: Option<TextureCheck>,
}

/// The pictures of a slide that tissue detection works on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TissueViews<'a> {
    /// `[tile row, tile col, rgb]`, one pixel per tile, alpha composited over white. Only
    /// the methods with [`TissueMethod::needs_thumbnail`] use it.
    pub thumbnail: Option<ArrayView3<'a, u8>>,
    /// The whole slide at a fixed resolution.
    pub picture: &'a TissuePicture,
    /// Side of a tile, working px.
    pub tile_px: u32,
    /// The tiles of the slide.
    pub grid: TileGrid,
    /// The user's mask image, for [`TissueMethod::Mask`].
    pub mask: Option<&'a SlideMask>,
}

impl TissueViews<'_> {
    fn pixels_per_tile(&self) -> f64 {
        f64::from(self.tile_px) / self.picture.step_px
    }
}

/// Finds the tissue tiles of a slide.
///
/// `all` marks every tile and skips the clean-up. The other methods apply, in this order,
/// median, thresholds, closing, minimum area and hole filling.
///
/// `otsu-hs` differs from the published code in one case. The published rule,
/// `H >= tH and S >= tS`, marks a uniform slide as all tissue, because Otsu's threshold of a
/// constant channel is its value. For the same reason the published rule marks all of a flat
/// white ground with one flat stain: each threshold is then the value of the ground. Here,
/// where every threshold is the minimum of its channel, so that every tile would pass, tissue
/// must lie above the thresholds of the channels that vary; where no channel varies, no tile
/// is tissue. In all other cases the masks are equal.
///
/// # Errors
/// [`TissueError`] for options that cannot work, a missing or mismatched mask,
/// or a thumbnail that is missing or not RGB.
pub(crate) fn find_tissue(
    views: &TissueViews<'_>,
    options: &TissueOptions,
) -> Result<TissueMask, TissueError> {
    options.check()?;
    if options.method == TissueMethod::All {
        let mask = Array2::ones(views.grid.shape());
        let tissue_tiles = mask.len();
        let thresholds = Vec::new();
        let (ink, texture) = (None, None);
        return Ok(TissueMask { mask, thresholds, tissue_tiles, ink, dark: 0.0, texture });
    }
    let glass = Glass::estimate(views.picture.rgb.view());
    let dark = dark_share(views.picture);
    let mut ink = None;
    let (raw, thresholds) = match options.method {
        TissueMethod::Mask => {
            from_mask(views.mask.ok_or(TissueError::NoMask)?, views.grid, options)?
        }
        TissueMethod::Threshold => from_fixed(rgb_of(views)?, options),
        TissueMethod::OtsuS => from_otsu(rgb_of(views)?, options, false),
        TissueMethod::OtsuHs => from_otsu(rgb_of(views)?, options, true),
        TissueMethod::Stain if dark > DARK_LIMIT && !glass.seen => {
            (Array2::zeros(views.grid.shape()), Vec::new())
        }
        TissueMethod::Stain | TissueMethod::All => from_stain(views, &glass, options, &mut ink),
    };
    let mask = clean_up(raw, options);
    let tissue_tiles = mask.iter().filter(|&&tile| tile != 0).count();
    if let Some(ink) = &mut ink {
        ink.zip_mut_with(&mask, |ink, &tissue| *ink &= 1 - tissue);
    }
    let texture = TextureCheck::new(&mask, views.picture, &glass, views.pixels_per_tile());
    Ok(TissueMask { mask, thresholds, tissue_tiles, ink, dark, texture: Some(texture) })
}

/// Share of pixels that are dark in all channels.
fn dark_share(picture: &TissuePicture) -> f64 {
    let pixels = picture.rgb.rows();
    let dark = pixels.into_iter().filter(|pixel| pixel.iter().all(|&value| value < DARK)).count();
    dark as f64 / (picture.rgb.len() / 3).max(1) as f64
}

/// The thumbnail, for the methods that need one.
fn rgb_of<'a>(views: &TissueViews<'a>) -> Result<ArrayView3<'a, u8>, TissueError> {
    let thumbnail = views.thumbnail.ok_or(TissueError::NoThumbnail)?;
    match thumbnail.dim().2 {
        3 => Ok(thumbnail),
        found => Err(TissueError::Channels { found }),
    }
}

/// Tissue by stain; sets `ink` to the tiles that have enough ink to be tissue by it alone.
fn from_stain(
    views: &TissueViews<'_>,
    glass: &Glass,
    options: &TissueOptions,
    ink: &mut Option<Array2<u8>>,
) -> MaskAndThresholds {
    let found = stained(views.picture, glass, options.stain_threshold);
    let least = options.min_share();
    let tiles_of = |pixels: &Array2<u8>| {
        shares(pixels.view(), [views.pixels_per_tile(); 2], views.grid)
            .mapv(|share| u8::from(share > 0.0 && share >= least - COVERAGE_ROUNDING))
    };
    let tiles = tiles_of(&found.pixels);
    *ink = Some(tiles_of(&found.ink));
    let [red, green, blue] = glass.rgb;
    let thresholds = vec![
        ("glass_red", red),
        ("glass_green", green),
        ("glass_blue", blue),
        // Rounded, so that files hold 0.015 and not the nearest f32.
        ("colour", (f64::from(found.colour) * 1e4).round() / 1e4),
        ("share", least),
    ];
    (smoothed(tiles, options), thresholds)
}

/// A mask before clean-up, and the thresholds that decided it.
type MaskAndThresholds = (Array2<u8>, Vec<(&'static str, f64)>);

fn smoothed(channel: Array2<u8>, options: &TissueOptions) -> Array2<u8> {
    if options.median > 1 { median(channel.view(), options.median) } else { channel }
}

fn from_otsu(
    thumbnail: ArrayView3<'_, u8>,
    options: &TissueOptions,
    with_hue: bool,
) -> MaskAndThresholds {
    let (hue, saturation) = hsv::hue_saturation(thumbnail);
    let mut channels = vec![("saturation", smoothed(saturation, options))];
    if with_hue {
        channels.insert(0, ("hue", smoothed(hue, options)));
    }
    let thresholds: Vec<u16> =
        separating(channels.iter().map(|(_, channel)| ChannelThreshold::otsu(channel)).collect());
    let mut mask = Array2::ones(grid(&thumbnail));
    for ((_, channel), &threshold) in channels.iter().zip(&thresholds) {
        mask.zip_mut_with(channel, |tile, &value| *tile &= u8::from(u16::from(value) >= threshold));
    }
    let names = channels.iter().map(|(name, _)| *name);
    (mask, names.zip(thresholds.into_iter().map(f64::from)).collect())
}

/// Otsu's threshold of a channel and the channel's range.
struct ChannelThreshold {
    threshold: u16,
    min: u16,
    max: u16,
}

impl ChannelThreshold {
    fn otsu(channel: &Array2<u8>) -> Self {
        let range = |value: Option<&u8>| value.map_or(0, |&v| u16::from(v));
        Self {
            threshold: threshold_otsu(&histogram(channel)).map_or(0, u16::from),
            min: range(channel.iter().min()),
            max: range(channel.iter().max()),
        }
    }
}

/// Thresholds for `>=`, raised by one where every tile would pass all of them.
fn separating(channels: Vec<ChannelThreshold>) -> Vec<u16> {
    let all_pass = channels.iter().all(|channel| channel.threshold == channel.min);
    let any_varies = channels.iter().any(|channel| channel.min < channel.max);
    channels
        .iter()
        .map(|channel| {
            channel.threshold + u16::from(all_pass && (channel.min < channel.max || !any_varies))
        })
        .collect()
}

fn from_fixed(thumbnail: ArrayView3<'_, u8>, options: &TissueOptions) -> MaskAndThresholds {
    let mut mask = Array2::ones(grid(&thumbnail));
    let mut thresholds = Vec::new();
    if let Some(least) = options.saturation_threshold {
        let saturation = smoothed(hsv::hue_saturation(thumbnail).1, options);
        mask.zip_mut_with(&saturation, |tile, &s| *tile &= u8::from(s >= least));
        thresholds.push(("saturation", f64::from(least)));
    }
    if let Some(most) = options.grey_threshold {
        let grey = smoothed(hsv::grey(thumbnail), options);
        mask.zip_mut_with(&grey, |tile, &g| *tile &= u8::from(g <= most));
        thresholds.push(("grey", f64::from(most)));
    }
    (mask, thresholds)
}

fn from_mask(
    mask: &SlideMask,
    expected: TileGrid,
    options: &TissueOptions,
) -> Result<MaskAndThresholds, TissueError> {
    let coverage = mask.coverage()?;
    let found = TileGrid::from_mask(&coverage);
    if found != expected {
        return Err(TissueError::MaskGrid { found, expected });
    }
    let least = options.mask_coverage - COVERAGE_ROUNDING;
    let tiles = coverage.mapv(|fraction| u8::from(fraction > 0.0 && fraction >= least));
    Ok((smoothed(tiles, options), vec![("coverage", options.mask_coverage)]))
}

fn clean_up(mut mask: Array2<u8>, options: &TissueOptions) -> Array2<u8> {
    if options.closing > 1 {
        mask = close(mask.view(), options.closing_element, options.closing);
    }
    if options.min_area_tiles > 1 {
        mask = remove_small(mask.view(), options.min_area_tiles);
    }
    if options.fill_holes_tiles > 0 {
        mask = fill_holes(mask.view(), options.fill_holes_tiles);
    }
    mask
}

/// Rows and columns of a thumbnail.
fn grid(thumbnail: &ArrayView3<'_, u8>) -> (usize, usize) {
    (thumbnail.dim().0, thumbnail.dim().1)
}

#[cfg(test)]
#[path = "method_tests.rs"]
mod tests;
