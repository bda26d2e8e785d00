//! Tissue by texture alone: what the chosen method is checked against.

use ndarray::Array2;

use super::glass::{BLACK, Glass, WHITE, mean_grey};
use super::picture::{TissuePicture, shares};
use super::regions::remove_specks;
use super::window::{largest, smallest};

/// Optical density by which a pixel of tissue exceeds its brightest neighbour's. Glass at
/// 8 um varies by 0.004, flat stroma by 0.02 and more.
const MIN_RANGE: f32 = 0.02;
/// Share of a tile that must be textured.
const MIN_SHARE: f64 = 0.05;
/// Pixels at the picture's border that are left out: a scan often ends in a dark line.
const BORDER_PIXELS: usize = 2;
/// Pictures with a shorter side are fields of tissue, not scans with borders.
const SMALL_PIXELS: usize = 64;
/// Specks of dust are smaller, um^2.
const SPECK_UM2: f64 = 1000.0;

/// Tiles with the texture of tissue: `[tile row, tile col]`, 1 = textured.
///
/// Colour plays no part: a pixel is textured where its grey density (against `glass`) is 0.02
/// or more above the least of its 3 x 3 neighbourhood, a tile where a twentieth of it is; so
/// glass beside tissue is not. Pixels beside black or white areas are left out: their step
/// is the scanner's.
pub(super) fn textured_tiles(
    picture: &TissuePicture,
    glass: &Glass,
    pixels_per_tile: f64,
    grid: (usize, usize),
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
