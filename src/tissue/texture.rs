//! The texture check: tissue by texture alone, with which the chosen method's mask is
//! compared.

use ndarray::Array2;

use super::glass::{BLACK, Glass, WHITE, mean_grey};
use super::picture::{TissuePicture, shares};
use super::regions::remove_specks;
use super::tile_grid::TileGrid;
use super::window::{largest, smallest};

/// Smallest optical density by which a textured pixel exceeds its brightest neighbour. Glass
/// at 8 um varies by 0.004, flat stroma by 0.02 and more.
const MIN_RANGE: f32 = 0.02;
/// Smallest textured share of a tile with the texture of tissue.
const MIN_SHARE: f64 = 0.05;
/// Width of the picture's border that is left out, px: a scan often ends in a dark line.
const BORDER_PIXELS: usize = 2;
/// Pictures with a side shorter than this are fields of tissue and have no border to leave
/// out.
const SMALL_PIXELS: usize = 64;
/// Smallest area of tissue, um^2; smaller specks are dust.
const SPECK_UM2: f64 = 1000.0;

/// Tiles with the texture of tissue: `[tile row, tile col]`, 1 = textured.
///
/// Colour does not count. A pixel is textured if its grey density relative to `glass` is at
/// least 0.02 above the smallest density in its 3 x 3 neighbourhood; glass beside tissue is
/// therefore not textured. A tile is textured if a twentieth of its area is. Pixels beside
/// black or white areas are left out, because the scanner makes the step there.
pub(super) fn textured_tiles(
    picture: &TissuePicture,
    glass: &Glass,
    pixels_per_tile: f64,
    grid: TileGrid,
) -> Array2<u8> {
    let grey = mean_grey(picture.rgb.view());
    let (low, high) = (smallest(&grey), largest(&grey));
    let densities = glass.grey_densities();
    // White is an edge of the scan only where the glass is not white itself.
    let white_is_glass = glass.rgb.iter().all(|&full| full >= 250.0);
    let (rows, cols) = grey.dim();
    let mut textured = Array2::from_shape_fn((rows, cols), |at @ (row, col)| {
        let border = row.min(col).min(rows - 1 - row).min(cols - 1 - col) < BORDER_PIXELS;
        if border && rows.min(cols) >= SMALL_PIXELS {
            return 0;
        }
        let density = |grey: u8| densities[usize::from(grey)];
        let scanned = low[at] > BLACK && (high[at] < WHITE || white_is_glass);
        u8::from(scanned && density(grey[at]) - density(high[at]) >= MIN_RANGE)
    });
    remove_specks(&mut textured, picture.pixels_in(SPECK_UM2));
    shares(textured.view(), [pixels_per_tile; 2], grid).mapv(|share| u8::from(share >= MIN_SHARE))
}
