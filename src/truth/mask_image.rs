//! Masks as pictures.

use std::path::Path;

use image::ImageReader;
use ndarray::Array2;

use super::TruthError;
use crate::metrics::mask::Mask;
use crate::metrics::raster::SampleGrid;

/// Reads a picture of one channel as labels `[row, col]`. Colours become grey:
/// label images have to be greyscale or indexed by grey.
///
/// # Errors
/// [`TruthError`] when it is not a picture of a kind this program reads.
pub fn read_labels(path: &Path) -> Result<Array2<u8>, TruthError> {
    let read = |source| TruthError::Read { path: path.to_owned(), source };
    let reader = ImageReader::open(path).map_err(read)?.with_guessed_format().map_err(read)?;
    let picture = reader.decode().map_err(|e| {
        let problem = format!("not a picture that can be read: {e}; expected PNG, TIFF or JPEG");
        TruthError::invalid(path, problem)
    })?;
    let grey = picture.into_luma8();
    let (width, height) = grey.dimensions();
    let shape = (height as usize, width as usize);
    Ok(Array2::from_shape_vec(shape, grey.into_raw()).expect("a value for each pixel"))
}

/// The picture's non-zero pixels, of `pixel` level-0 px each, as `grid` meets
/// them; nothing beyond its edges.
pub(super) fn sample_mask(labels: &Array2<u8>, pixel: [f64; 2], grid: &SampleGrid) -> Mask {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "floored, at least 0"
    )]
    let place = |index: u32, axis: usize| {
        let at = (grid.origin[axis] + f64::from(index) * grid.pitch[axis]) / pixel[axis];
        at.max(0.0).floor() as usize
    };
    let cols: Vec<usize> = (0..grid.cols).map(|col| place(col, 0)).collect();
    let mut mask = Mask::empty(grid.rows, grid.cols);
    let mut spans = Vec::new();
    for row in 0..grid.rows {
        let source = place(row, 1);
        if source >= labels.nrows() {
            break;
        }
        let set = |col: &usize| labels.get((source, *col)).is_some_and(|&label| label != 0);
        spans.clear();
        spans.extend((0_u32..).zip(&cols).filter(|(_, col)| set(col)).map(|(i, _)| (i, i + 1)));
        mask.push_row(row, &mut spans);
    }
    mask
}
