//! A picture of the tissue mask over its slide.

use ndarray::ArrayView2;

use super::canvas::{RgbPicture, WHITE, mix};
use super::render::{MAX_SIDE_PX, PlaneThumbnail, RenderError, SheetLayout, tile_at};

/// Colour of the tissue's outline: a bluish green that neither eosin nor haematoxylin has,
/// dark enough to be visible without its hue.
const OUTLINE: [u8; 3] = [0, 135, 90];
/// Colour of tiles that are left out although they have the texture of tissue: an orange that
/// no stain, pen or outline has.
const LEFT_OUT: [u8; 3] = [255, 140, 0];
/// Weight of [`LEFT_OUT`] in the colour of such a tile.
const LEFT_OUT_SHARE: f32 = 0.45;
/// Colour of the borders of stored blocks.
const BLOCK: [u8; 3] = [40, 90, 200];
/// Weight of white where the slide outside the tissue is faded.
const FADE: f32 = 0.6;
const MARGIN_PX: usize = 14;

/// Options of a mask's picture.
#[derive(Debug, Clone)]
pub(crate) struct MaskPicture<'a> {
    /// The tiles that texture alone marks, `[tile row, tile col]`, non-zero = marked. Those
    /// that the mask leaves out are drawn in orange.
    pub textured: Option<ArrayView2<'a, u8>>,
    /// Lines above the slide: name, method, thresholds, number of tiles.
    pub title: Vec<String>,
    /// Side of a tile, working px.
    pub tile_px: u32,
    /// Tiles along the side of a block. If set, the borders of blocks with tissue are drawn.
    pub block_tiles: Option<u32>,
    /// Longest side of the whole picture, px.
    pub max_side_px: usize,
}

impl Default for MaskPicture<'_> {
    fn default() -> Self {
        Self {
            textured: None,
            title: Vec::new(),
            tile_px: 224,
            block_tiles: None,
            max_side_px: MAX_SIDE_PX,
        }
    }
}

/// Draws the tissue mask over its slide. Tissue tiles have the slide's own colours and an
/// outline, tiles that texture alone marks are orange, and the rest is faded.
///
/// `mask` is `[tile row, tile col]`, non-zero = tissue.
///
/// # Errors
/// [`RenderError`] if slide and mask are not of the same size, or the picture would be too
/// small.
pub(crate) fn render_mask(
    slide: &PlaneThumbnail<'_>,
    mask: ArrayView2<'_, u8>,
    options: &MaskPicture<'_>,
) -> Result<RgbPicture, RenderError> {
    slide.check()?;
    slide.check_grid("tissue mask", mask.shape(), options.tile_px)?;
    if let Some(textured) = options.textured {
        slide.check_grid("texture mask", textured.shape(), options.tile_px)?;
    }
    let wanted = 4 * mask.nrows().max(mask.ncols());
    let layout =
        SheetLayout::plan(slide, &options.title, &[], MARGIN_PX, wanted, options.max_side_px)?;
    let mut picture = layout.sheet(slide);
    let block = options.block_tiles.map(|tiles| tiles.max(1) as usize);
    let stored = block.map(|block| blocks_with_tissue(mask, block));

    let across: Vec<usize> = (0..layout.width_px)
        .map(|x| tile_at(x, layout.width_px, slide.width_px, options.tile_px))
        .collect();
    let down: Vec<usize> = (0..layout.height_px)
        .map(|y| tile_at(y, layout.height_px, slide.height_px, options.tile_px))
        .collect();
    let tissue = |y: usize, x: usize| mask[[down[y], across[x]]] != 0;
    let left_out = |y: usize, x: usize| {
        !tissue(y, x)
            && options.textured.is_some_and(|textured| textured[[down[y], across[x]]] != 0)
    };
    let line_px = if layout.width_px >= 6 * mask.ncols() { 2 } else { 1 };
    for y in 0..layout.height_px {
        for x in 0..layout.width_px {
            let (px, py) = (layout.left_px + x, layout.top_px + y);
            let Some(own) = picture.get(px, py) else { continue };
            let colour = match (tissue(y, x), left_out(y, x)) {
                (true, _) => own,
                (false, true) => mix(own, LEFT_OUT, LEFT_OUT_SHARE),
                (false, false) => mix(own, WHITE, FADE),
            };
            let on_block = block.zip(stored.as_ref()).is_some_and(|(block, stored)| {
                let at = |y: usize, x: usize| (down[y] / block, across[x] / block);
                let starts =
                    (x > 0 && at(y, x) != at(y, x - 1)) || (y > 0 && at(y, x) != at(y - 1, x));
                let before = at(y.saturating_sub(1), x.saturating_sub(1));
                starts && (stored[at(y, x)] || stored[before])
            });
            let near = |y: Option<usize>, x: Option<usize>| match (y, x) {
                (Some(y), Some(x)) if y < down.len() && x < across.len() => tissue(y, x),
                _ => false,
            };
            let on_edge = tissue(y, x)
                && (1..=line_px).any(|d| {
                    !near(Some(y), x.checked_sub(d))
                        || !near(Some(y), Some(x + d))
                        || !near(y.checked_sub(d), Some(x))
                        || !near(Some(y + d), Some(x))
                });
            let colour = match (on_edge, on_block) {
                (true, _) => OUTLINE,
                (false, true) => mix(colour, BLOCK, 0.6),
                (false, false) => colour,
            };
            picture.put(px, py, colour);
        }
    }
    Ok(picture)
}

/// The blocks with tissue, `[block row, block col]`.
fn blocks_with_tissue(mask: ArrayView2<'_, u8>, block: usize) -> ndarray::Array2<bool> {
    let (rows, cols) = mask.dim();
    let mut stored =
        ndarray::Array2::from_elem((rows.div_ceil(block), cols.div_ceil(block)), false);
    for ((row, col), &tile) in mask.indexed_iter() {
        stored[[row / block, col / block]] |= tile != 0;
    }
    stored
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array2, Array3};

    #[test]
    fn tissue_keeps_its_colour_and_the_rest_fades() {
        let rgb = Array3::from_shape_fn((500, 700, 3), |(_, _, k)| [180, 100, 150][k]);
        let slide = PlaneThumbnail { rgb: rgb.view(), width_px: 7000, height_px: 5000 };
        let mut mask = Array2::zeros((23, 32));
        mask[[22, 31]] = 1_u8;
        mask[[3, 4]] = 1;
        let options = MaskPicture { block_tiles: Some(4), ..MaskPicture::default() };
        let picture = render_mask(&slide, mask.view(), &options).unwrap();
        // Without a title, the slide begins after the margin, drawn at a tenth of its size.
        let at = |x_px: usize, y_px: usize| {
            picture.get(MARGIN_PX + x_px / 10, MARGIN_PX + y_px / 10).unwrap()
        };
        assert_eq!(at(4 * 224 + 112, 3 * 224 + 112), [180, 100, 150]);
        assert_eq!(at(5 * 224 + 60, 3 * 224 + 112), mix([180, 100, 150], WHITE, FADE));
        assert_eq!(at(4 * 224 + 15, 3 * 224 + 112), OUTLINE);
        assert_eq!(at(6999, 4999), OUTLINE);
        let blue = mix(mix([180, 100, 150], WHITE, FADE), BLOCK, 0.6);
        assert!(picture.pixels.chunks(3).any(|pixel| *pixel == blue));
    }

    #[test]
    fn textured_tiles_outside_the_mask_are_orange() {
        let rgb = Array3::from_shape_fn((500, 700, 3), |(_, _, k)| [180, 100, 150][k]);
        let slide = PlaneThumbnail { rgb: rgb.view(), width_px: 7000, height_px: 5000 };
        let (mut mask, mut textured) = (Array2::zeros((23, 32)), Array2::zeros((23, 32)));
        mask[[3, 4]] = 1_u8;
        textured[[3, 4]] = 1_u8;
        textured[[9, 8]] = 1;
        let options = MaskPicture { textured: Some(textured.view()), ..MaskPicture::default() };
        let picture = render_mask(&slide, mask.view(), &options).unwrap();
        let middle = |row: usize, col: usize| {
            let at = |tile: usize| MARGIN_PX + (tile * 224 + 112) / 10;
            picture.get(at(col), at(row)).unwrap()
        };
        assert_eq!(middle(3, 4), [180, 100, 150]);
        assert_eq!(middle(9, 8), mix([180, 100, 150], LEFT_OUT, LEFT_OUT_SHARE));
        assert_eq!(middle(12, 12), mix([180, 100, 150], WHITE, FADE));
        let small = Array2::zeros((3, 3));
        let options = MaskPicture { textured: Some(small.view()), ..MaskPicture::default() };
        let error = render_mask(&slide, mask.view(), &options).unwrap_err();
        assert!(error.to_string().contains("texture mask has 3 x 3"), "{error}");
    }

    #[test]
    fn a_mask_of_another_slide_is_refused() {
        let rgb = Array3::zeros((5, 7, 3));
        let slide = PlaneThumbnail { rgb: rgb.view(), width_px: 700, height_px: 500 };
        let mask = Array2::zeros((3, 3));
        let error = render_mask(&slide, mask.view(), &MaskPicture::default()).unwrap_err();
        assert!(error.to_string().contains("tissue mask has 3 x 3"), "{error}");
    }
}
