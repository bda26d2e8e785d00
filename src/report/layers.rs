//! Maps as the page takes them: a byte a cell, compressed, as text. Pure.

use libdeflater::{CompressionLvl, Compressor};
use ndarray::{Array2, ArrayView2, s};
use serde::{Deserialize, Serialize};

use super::names::base64;

/// Longest side of a map in a page; larger ones are reduced.
pub(super) const LONGEST_SIDE: usize = 2048;

/// A grid of cells over the slide.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Layer {
    /// Rows of cells.
    rows: usize,
    /// Columns of cells.
    cols: usize,
    /// Side of a cell, level-0 px.
    cell: f64,
    /// x and y of the first cell's top left corner, level-0 px.
    origin: f64,
    /// Points of the original, along a side, that became one cell.
    pub(super) reduced: usize,
    /// Row-major bytes, zlib, base64.
    data: String,
}

/// A heatmap; `pitch_px`: level-0 px between its points.
///
/// A point's cell is centred on the point, so the first begins half a pitch
/// before the slide. 0 = not scored, else 1 + 254 times the score, rounded; of
/// points that share a cell the highest counts.
pub(super) fn heat_layer(score: ArrayView2<'_, f32>, pitch_px: f64) -> Layer {
    let (bytes, reduced) = heat_bytes(score);
    layer(&bytes, pitch_px, -pitch_px / 2.0, reduced)
}

fn heat_bytes(score: ArrayView2<'_, f32>) -> (Array2<u8>, usize) {
    reduced(score, |cell| {
        // `f32::max` passes over NaN.
        let score = cell.iter().copied().fold(f32::NAN, f32::max);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "1 to 255")]
        let byte = (1.0 + 254.0 * score.clamp(0.0, 1.0)).round() as u8;
        if score.is_nan() { 0 } else { byte }
    })
}

/// A mask of tiles; `tile_px`: level-0 px. Of tiles that share a cell the largest
/// value counts.
pub(super) fn tile_layer(tiles: ArrayView2<'_, u8>, tile_px: f64) -> Layer {
    let (bytes, reduced) = reduced(tiles, |cell| cell.iter().copied().max().unwrap_or(0));
    layer(&bytes, tile_px, 0.0, reduced)
}

/// Shrinks by the least whole number that makes it fit.
fn reduced<T>(
    map: ArrayView2<'_, T>,
    byte_of: impl Fn(ArrayView2<'_, T>) -> u8,
) -> (Array2<u8>, usize) {
    let (rows, cols) = map.dim();
    let times = rows.max(cols).div_ceil(LONGEST_SIDE).max(1);
    let shape = (rows.div_ceil(times), cols.div_ceil(times));
    let bytes = Array2::from_shape_fn(shape, |(row, col)| {
        let (top, left) = (row * times, col * times);
        byte_of(map.slice(s![top..(top + times).min(rows), left..(left + times).min(cols)]))
    });
    (bytes, times)
}

fn layer(bytes: &Array2<u8>, cell_px: f64, origin_px: f64, reduced: usize) -> Layer {
    let (rows, cols) = bytes.dim();
    let plain = bytes.as_standard_layout();
    let plain = plain.as_slice().unwrap_or_default();
    let mut compressor = Compressor::new(CompressionLvl::default());
    let mut packed = vec![0; compressor.zlib_compress_bound(plain.len())];
    let length = compressor.zlib_compress(plain, &mut packed).expect("the buffer is large enough");
    let cell = cell_px * reduced as f64;
    Layer { rows, cols, cell, origin: origin_px, reduced, data: base64(&packed[..length]) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::arr2;

    fn bytes(map: ArrayView2<'_, f32>) -> (Array2<u8>, Layer) {
        (heat_bytes(map).0, heat_layer(map, 16.0))
    }

    #[test]
    fn cells_are_centred_on_their_points() {
        let (bytes, layer) = bytes(arr2(&[[-0.5, 1.5, f32::NAN], [0.5, 0.25, 0.75]]).view());
        assert_eq!(bytes, arr2(&[[1, 255, 0], [128, 65, 192]]));
        assert_eq!((layer.rows, layer.cols, layer.reduced), (2, 3, 1));
        assert_eq!((layer.cell, layer.origin), (16.0, -8.0));
        // "eJ" and "eN": zlib with a window of 32 kB.
        assert!(layer.data.starts_with('e'), "{}", layer.data);
    }

    #[test]
    fn large_maps_keep_their_highest_points_and_their_place() {
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
    fn tiles_begin_with_the_slide() {
        let layer = tile_layer(arr2(&[[0_u8, 1, 2]]).view(), 224.0);
        assert_eq!((layer.rows, layer.cols, layer.cell, layer.origin), (1, 3, 224.0, 0.0));
    }
}
