//! Reads heatmap files, whole, one class, or the attributes alone.

use std::path::Path;

use ndarray::{Array2, Ix2, s};

use super::schema::{CHUNK, CLASSES, HeatmapMeta, SCORE};
use crate::hdf5_file::{self, Attributes, FormatError, check_chunks, check_dataset, read_all};

/// Reads the attributes of a heatmap file, without its scores.
///
/// # Errors
/// [`FormatError`] when the file is missing or damaged, is not a heatmap, or has a newer
/// format version.
pub fn read_heatmap_meta(path: &Path) -> Result<HeatmapMeta, FormatError> {
    let file = hdf5_file::open(path)?;
    HeatmapMeta::read_attributes(&Attributes::new(path, &file))
}

/// Whether the file holds all classes, or the positive one alone.
///
/// # Errors
/// [`FormatError`] when the file is missing or damaged.
pub fn has_classes(path: &Path) -> Result<bool, FormatError> {
    hdf5_file::link_exists(path, &*hdf5_file::open(path)?, CLASSES)
}

/// Reads the attributes and the heatmap of the positive class, `[row, col]`, NaN where not
/// scored.
///
/// # Errors
/// [`FormatError`] when the file is missing or damaged, is not a heatmap, has a newer
/// format version, or has a dataset whose shape disagrees with the attributes.
pub fn read_heatmap(path: &Path) -> Result<(HeatmapMeta, Array2<f32>), FormatError> {
    let file = hdf5_file::open(path)?;
    let meta = HeatmapMeta::read_attributes(&Attributes::new(path, &file))?;
    let (rows, cols) = meta.shape();
    let score = check_dataset::<f32>(path, &file, SCORE, &[Some(rows), Some(cols)])?;
    check_chunks(path, &file, SCORE, None)?;
    let score = read_all::<f32, Ix2>(path, &score)?;
    meta.check_scores(path, 0, score.view())?;
    Ok((meta, score))
}

/// Reads the heatmap of one class, `[row, col]`, NaN where not scored.
///
/// # Errors
/// The same as those of [`read_heatmap`]; also when the file holds the positive class
/// alone or has no class of this number.
pub fn read_heatmap_class(path: &Path, class: usize) -> Result<Array2<f32>, FormatError> {
    let file = hdf5_file::open(path)?;
    let meta = HeatmapMeta::read_attributes(&Attributes::new(path, &file))?;
    let (rows, cols) = meta.shape();
    let shape = [Some(rows), Some(cols), Some(meta.classes.len())];
    let classes = check_dataset::<f32>(path, &file, CLASSES, &shape)?;
    if class >= meta.classes.len() {
        let problem = format!("class {class}, expected less than {}", meta.classes.len());
        return Err(FormatError::invalid(path, problem));
    }
    check_chunks(path, &file, CLASSES, Some(class))?;
    let score = classes
        .read_slice_2d::<f32, _>(s![.., .., class])
        .map_err(|e| FormatError::hdf5(path, "read /classes", &e))?;
    meta.check_scores(path, 0, score.view())?;
    Ok(score)
}

/// Reads all scores of a file, [`CHUNK`] rows at a time, and checks that they can be scores. Returns
/// the attributes and the number of points that have a score of the positive class.
///
/// # Errors
/// Those of [`read_heatmap`].
pub(crate) fn check_values(path: &Path) -> Result<(HeatmapMeta, u64), FormatError> {
    let file = hdf5_file::open(path)?;
    let meta = HeatmapMeta::read_attributes(&Attributes::new(path, &file))?;
    let (rows, cols) = meta.shape();
    let failed = |e: hdf5::Error| FormatError::hdf5(path, "read its scores", &e);
    let score = check_dataset::<f32>(path, &file, SCORE, &[Some(rows), Some(cols)])?;
    let classes = match hdf5_file::link_exists(path, &file, CLASSES)? {
        true => {
            let shape = [Some(rows), Some(cols), Some(meta.classes.len())];
            Some(check_dataset::<f32>(path, &file, CLASSES, &shape)?)
        }
        false => None,
    };
    let mut scored = 0;
    for first in (0..rows).step_by(CHUNK) {
        let band = first..rows.min(first + CHUNK);
        let of_band = score.read_slice_2d::<f32, _>(s![band.clone(), ..]).map_err(failed)?;
        meta.check_scores(path, first, of_band.view())?;
        scored += of_band.iter().filter(|score| !score.is_nan()).count() as u64;
        for class in 0..classes.as_ref().map_or(0, |_| meta.classes.len()) {
            let classes = classes.as_ref().expect("there are classes");
            let of_class =
                classes.read_slice_2d::<f32, _>(s![band.clone(), .., class]).map_err(failed)?;
            meta.check_scores(path, first, of_class.view())?;
        }
    }
    Ok((meta, scored))
}
