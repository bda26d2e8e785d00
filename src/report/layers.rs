//! Encodes maps for the page: one byte per cell, compressed, as base64 text. No I/O.

use libdeflater::{CompressionLvl, Compressor};
use ndarray::{Array2, ArrayView2, s};
use serde::{Deserialize, Serialize};

use super::names::base64;

/// Longest side of a map in a page, in cells; larger maps are reduced.
pub(super) const LONGEST_SIDE: usize = 2048;

/// A grid of square cells over the slide, one byte per cell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct GridLayer {
    /// Rows of cells.
    rows: usize,
    /// Columns of cells.
    cols: usize,
    /// Side of a cell, level-0 px.
    cell: f64,
    /// x and y of the first cell's top left corner, level-0 px.
    origin: f64,
    /// Side, in points of the original map, of the square that became one cell.
    pub(super) reduced: usize,
    /// The cells' bytes, row-major, compressed with zlib and encoded as base64.
    data: String,
}

/// Encodes a heatmap, `[row, col]`, whose points lie `pitch_px` level-0 px apart.
///
/// Each cell is centred on its point, so the first cell begins half a pitch before the
/// slide. A byte is 0 where nothing was scored, and otherwise 1 + 254 times the score,
/// rounded. A cell that stands for several points shows the highest of their scores.
pub(super) fn heat_layer(score: ArrayView2<'_, f32>, pitch_px: f64) -> GridLayer {
    let (bytes, reduced) = heat_bytes(score);
    layer(&bytes, pitch_px, -pitch_px / 2.0, reduced)
}

fn heat_bytes(score: ArrayView2<'_, f32>) -> (Array2<u8>, usize) {
    reduced(score, |cell| {
        // `f32::max` ignores NaN.
        let score = cell.iter().copied().fold(f32::NAN, f32::max);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "1 to 255")]
        let byte = (1.0 + 254.0 * score.clamp(0.0, 1.0)).round() as u8;
        if score.is_nan() { 0 } else { byte }
    })
}

/// Encodes one value per tile, `[row, col]`, for tiles with a side of `tile_px` level-0 px.
/// A cell that stands for several tiles shows the largest of their values.
pub(super) fn tile_layer(tiles: ArrayView2<'_, u8>, tile_px: f64) -> GridLayer {
    let (bytes, reduced) = reduced(tiles, |cell| cell.iter().copied().max().unwrap_or(0));
    layer(&bytes, tile_px, 0.0, reduced)
}

/// Reduces a map by the smallest whole factor that makes it fit into [`LONGEST_SIDE`].
/// Returns the reduced map and the factor.
fn reduced<T>(
    map: ArrayView2<'_, T>,
    byte_of: impl Fn(ArrayView2<'_, T>) -> u8,
) -> (Array2<u8>, usize) {
    let (rows, cols) = map.dim();
    let factor = rows.max(cols).div_ceil(LONGEST_SIDE).max(1);
    let shape = (rows.div_ceil(factor), cols.div_ceil(factor));
    let bytes = Array2::from_shape_fn(shape, |(row, col)| {
        let (top, left) = (row * factor, col * factor);
        byte_of(map.slice(s![top..(top + factor).min(rows), left..(left + factor).min(cols)]))
    });
    (bytes, factor)
}

fn layer(bytes: &Array2<u8>, cell_px: f64, origin_px: f64, reduced: usize) -> GridLayer {
    let (rows, cols) = bytes.dim();
    let plain = bytes.as_standard_layout();
    let plain = plain.as_slice().unwrap_or_default();
    let mut compressor = Compressor::new(CompressionLvl::default());
    let mut packed = vec![0; compressor.zlib_compress_bound(plain.len())];
    let length = compressor.zlib_compress(plain, &mut packed).expect("the buffer is large enough");
    let cell = cell_px * reduced as f64;
    GridLayer { rows, cols, cell, origin: origin_px, reduced, data: base64(&packed[..length]) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::arr2;

    fn bytes(map: ArrayView2<'_, f32>) -> (Array2<u8>, GridLayer) {
        (heat_bytes(map).0, heat_layer(map, 16.0))
    }

    #[test]
    fn heatmap_cells_are_centred_on_their_points() {
        let (bytes, layer) = bytes(arr2(&[[-0.5, 1.5, f32::NAN], [0.5, 0.25, 0.75]]).view());
        assert_eq!(bytes, arr2(&[[1, 255, 0], [128, 65, 192]]));
        assert_eq!((layer.rows, layer.cols, layer.reduced), (2, 3, 1));
        assert_eq!((layer.cell, layer.origin), (16.0, -8.0));
        // In base64, zlib data with a window of 32 kB begin with "eJ" or "eN".
        assert!(layer.data.starts_with('e'), "{}", layer.data);
    }

    #[test]
    fn reduced_maps_keep_the_highest_score_of_each_cell_and_their_origin() {
        let mut map = Array2::from_elem((3, 2 * LONGEST_SIDE + 1), f32::NAN);
        map[[2, 4]] = 0.75;
        map[[1, 5]] = 0.5;
        let (bytes, layer) = bytes(map.view());
        assert_eq!((layer.reduced, bytes.dim()), (3, (1, 1366)));
        assert_eq!(bytes[[0, 1]], 192);
        assert_eq!(bytes.iter().filter(|&&byte| byte != 0).count(), 1);
        assert_eq!((layer.cell, layer.origin), (48.0, -8.0));
    }

    #[test]
    fn tile_cells_begin_at_the_slides_corner() {
        let layer = tile_layer(arr2(&[[0_u8, 1, 2]]).view(), 224.0);
        assert_eq!((layer.rows, layer.cols, layer.cell, layer.origin), (1, 3, 224.0, 0.0));
    }
}
