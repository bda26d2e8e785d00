//! The picture of a slide in which `stain` looks for tissue. Its resolution does not depend
//! on the size of a tile.

use ndarray::{Array2, Array3, ArrayView2};

use super::tile_grid::TileGrid;

/// Side of a pixel of the picture, um, where the slide's resolution is known.
///
/// A 224 px tile at 0.25 um per px has 7 x 7 such pixels: enough to show a rim of tissue in
/// a tile, and few enough to read from a slide's coarse levels.
pub(crate) const PICTURE_UM: f64 = 8.0;

/// Largest number of pixels of the picture: 2,048 mm^2 at 8 um, more than the area of a glass
/// slide. The limit bounds memory where tiles are small and the resolution is unknown or
/// mistaken.
const MAX_PIXELS: f64 = 32e6;

/// A small picture of a slide.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TissuePicture {
    /// `[row, col, rgb]`, alpha composited over white; white where the slide could not be
    /// read.
    pub rgb: Array3<u8>,
    /// Side of a pixel of the picture, working px.
    pub step_px: f64,
    /// Side of a pixel of the picture, um; [`PICTURE_UM`] is assumed where that is unknown.
    pub step_um: f64,
}

impl TissuePicture {
    /// Side of the picture's pixels for a plane of `area_px`, working px: [`PICTURE_UM`], but
    /// at least one working px, and large enough that the picture has at most 32 million
    /// pixels.
    ///
    /// `working_um` is um per working px. Where that is unknown, a tile is seven pixels wide.
    pub(crate) fn step_px(working_um: Option<f64>, tile_px: u32, area_px: f64) -> f64 {
        let wanted = working_um.map_or(f64::from(tile_px) / 7.0, |um| PICTURE_UM / um);
        wanted.max(1.0).max((area_px / MAX_PIXELS).sqrt())
    }

    /// Rows and columns.
    pub(crate) fn size(&self) -> (usize, usize) {
        (self.rgb.dim().0, self.rgb.dim().1)
    }

    /// Number of pixels in an area of `um2` square micrometres, at least 1.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "rounded, positive"
    )]
    pub(super) fn pixels_in(&self, um2: f64) -> usize {
        (um2 / (self.step_um * self.step_um)).round().max(1.0) as usize
    }
}

/// Share of each tile that `marked` covers, by area: `[tile row, tile col]`, 0..=1.
///
/// `marked` is `[row, col]`, non-zero = marked. A tile has `pixels_per_tile` pixels along a
/// column and along a row. A pixel on a tile's
/// border counts for each of the tiles with its area inside that tile. A tile that reaches
/// beyond the pixels is measured over its part that has some.
pub(super) fn shares(
    marked: ArrayView2<'_, u8>,
    pixels_per_tile: [f64; 2],
    grid: TileGrid,
) -> Array2<f64> {
    if marked.is_empty() {
        return Array2::zeros(grid.shape());
    }
    let down = axis_shares(marked.nrows(), pixels_per_tile[0], grid.rows);
    let across = axis_shares(marked.ncols(), pixels_per_tile[1], grid.cols);
    Array2::from_shape_fn(grid.shape(), |(row, col)| {
        weighted_mean(marked, &down[row], &across[col])
    })
}

/// The pixels along one axis that lie in one tile at least partly.
struct AxisShare {
    first: usize,
    /// Length of each pixel inside the tile, in pixels.
    lengths: Vec<f64>,
}

fn axis_shares(pixels: usize, per_tile: f64, tiles: usize) -> Vec<AxisShare> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "positive, finite")]
    let index = |position: f64| position as usize;
    (0..tiles)
        .map(|tile| {
            let start = tile as f64 * per_tile;
            let end = ((tile + 1) as f64 * per_tile).min(pixels as f64);
            let first = index(start).min(pixels - 1);
            let last = index(end.ceil()).clamp(first + 1, pixels);
            let inside = |pixel: usize| ((pixel + 1) as f64).min(end) - (pixel as f64).max(start);
            AxisShare { first, lengths: (first..last).map(|p| inside(p).max(0.0)).collect() }
        })
        .collect()
}

fn weighted_mean(marked: ArrayView2<'_, u8>, down: &AxisShare, across: &AxisShare) -> f64 {
    let (mut set, mut all) = (0.0, 0.0);
    for (dy, height) in down.lengths.iter().enumerate() {
        for (dx, width) in across.lengths.iter().enumerate() {
            let area = height * width;
            all += area;
            if marked[[down.first + dy, across.first + dx]] != 0 {
                set += area;
            }
        }
    }
    if all > 0.0 { set / all } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pixel_is_eight_micrometres_but_no_smaller_than_a_working_pixel() {
        let step_px = |um, tile_px| TissuePicture::step_px(um, tile_px, 1e10);
        assert_eq!(step_px(Some(0.25), 224), 32.0);
        assert_eq!(TissuePicture::step_px(Some(0.5), 224, 1e9), 16.0);
        assert_eq!(TissuePicture::step_px(Some(29.0), 224, 1e6), 1.0);
        assert_eq!(step_px(None, 224), 32.0);
        assert_eq!(TissuePicture::step_px(None, 4, 1e6), 1.0);
        // A plane with a side of 100,000 px in tiles of 16 px would have 1.9 billion pixels.
        assert!((1e10 / step_px(None, 16).powi(2) - MAX_PIXELS).abs() < 1.0);
    }

    #[test]
    fn pixels_on_a_tile_border_count_for_both_tiles() {
        let marked = ndarray::arr2(&[[1_u8, 1, 0, 0, 1]]);
        let found = shares(marked.view(), [1.0, 2.5], TileGrid { rows: 1, cols: 2 });
        assert!((found[[0, 0]] - 2.0 / 2.5).abs() < 1e-12);
        assert!((found[[0, 1]] - 1.0 / 2.5).abs() < 1e-12);
    }

    #[test]
    fn a_last_pixel_beyond_the_last_tile_is_left_out() {
        // Two tiles of 1.2 px end inside the third pixel, which the slide fills only partly.
        let marked = ndarray::arr2(&[[0_u8, 0, 1]]);
        let found = shares(marked.view(), [1.0, 1.2], TileGrid { rows: 1, cols: 2 });
        assert!((found[[0, 1]] - 0.4 / 1.2).abs() < 1e-12, "{found}");
    }
}
