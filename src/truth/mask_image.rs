//! Samples mask images where a heatmap or an evaluation needs values.

use ndarray::Array2;

use crate::metrics::mask::{ColumnSpan, Mask};
use crate::metrics::raster::SampleGrid;

/// Samples the label image at the points of `grid`: a point is set if the pixel that
/// holds it is not 0. Points beyond the image are not set. `pixel` is the size of one
/// label pixel along x and y, level-0 px.
pub(super) fn sample_mask(labels: &Array2<u8>, pixel: [f64; 2], grid: &SampleGrid) -> Mask {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "floored, at least 0"
    )]
    let label_index = |index: u32, axis: usize| {
        let position = (grid.origin[axis] + f64::from(index) * grid.pitch[axis]) / pixel[axis];
        position.max(0.0).floor() as usize
    };
    let cols: Vec<usize> = (0..grid.cols).map(|col| label_index(col, 0)).collect();
    let mut mask = Mask::empty(grid.rows, grid.cols);
    let mut spans = Vec::new();
    for row in 0..grid.rows {
        let source = label_index(row, 1);
        if source >= labels.nrows() {
            break;
        }
        let is_set = |col: &usize| labels.get((source, *col)).is_some_and(|&label| label != 0);
        spans.clear();
        let set = (0_u32..).zip(&cols).filter(|(_, col)| is_set(col));
        spans.extend(set.map(|(col, _)| ColumnSpan { start: col, end: col + 1 }));
        mask.push_row(row, &mut spans);
    }
    mask
}
