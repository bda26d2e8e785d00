//! Reads mask images, and samples them where a heatmap or an evaluation needs values.

use std::path::Path;

use image::ImageReader;
use ndarray::Array2;

use super::TruthError;
use crate::metrics::mask::{ColumnSpan, Mask};
use crate::metrics::raster::SampleGrid;

/// Reads a picture as labels `[row, col]`, one u8 per pixel. Colours are converted to
/// grey, so a label image must be greyscale or have a grey palette.
///
/// # Errors
/// [`TruthError`] when the file cannot be read or is not a PNG, TIFF or JPEG picture.
pub fn read_labels(path: &Path) -> Result<Array2<u8>, TruthError> {
    let read = |source| TruthError::Read { path: path.to_owned(), source };
    let reader = ImageReader::open(path).map_err(read)?.with_guessed_format().map_err(read)?;
    let picture = reader.decode().map_err(|e| {
        let problem =
            format!("not a picture that slidegrid reads: {e}; expected PNG, TIFF or JPEG");
        TruthError::invalid(path, problem)
    })?;
    let grey = picture.into_luma8();
    let (width, height) = grey.dimensions();
    let shape = (height as usize, width as usize);
    Ok(Array2::from_shape_vec(shape, grey.into_raw()).expect("a value for each pixel"))
}

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
