//! The slides of a folder with truth, and the truth about them.

use std::path::{Path, PathBuf};

use super::error::StepError;
use crate::study::truth_file::read_truth;
use crate::truth::{self, AnnotationGroups, SlideKind, Truth, read_slide_list};

/// The slides of a folder with truth: those of `list`, or those of its `reference.csv`. Without
/// a list, they are the slides that have a file in the folder, and all of them have tumor.
///
/// # Errors
/// [`StepError`] if the list or the folder cannot be read.
pub(crate) fn slides_of(folder: &Path, list: Option<&Path>) -> Result<Vec<SlideKind>, StepError> {
    let reference = folder.join("reference.csv");
    let reference = Some(reference.as_path());
    let reference = reference.filter(|_| list.is_none());
    let is_listed = reference.map_or(Ok(false), truth::is_file)?;
    match list.or(reference.filter(|_| is_listed)) {
        Some(list) => Ok(read_slide_list(list)?),
        None => {
            let names = truth_files(folder)?;
            Ok(names.into_iter().map(|(name, _)| SlideKind { name, is_tumor: true }).collect())
        }
    }
}

/// The files with truth in a folder, as (slide, path), sorted by slide.
fn truth_files(folder: &Path) -> Result<Vec<(String, PathBuf)>, StepError> {
    let error = |e: std::io::Error| {
        StepError::content(folder, format!("cannot list the folder of truth: {e}"))
    };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(error)? {
        let path = entry.map_err(error)?.path();
        files.extend(truth::slide_name(&path).map(|slide| (slide, path)));
    }
    files.sort();
    Ok(files)
}

/// Reads the truth about a slide with tumor. `image_px` is the number of level-0 px per pixel of
/// mask images. Outlines count from the corner of the plane, since the slide and its bounds are
/// not known here.
pub(super) fn truth_of(
    folder: &Path,
    slide: &str,
    groups: &AnnotationGroups,
    image_px: Option<f64>,
) -> Result<Truth, StepError> {
    let path = truth::find(folder, slide)?.ok_or_else(|| {
        let problem = format!(
            "no truth about {slide}, which is listed as having tumor; expected {slide}.xml, .geojson, .json, .png or .tif"
        );
        StepError::content(folder, problem)
    })?;
    let truth = read_truth(&path, groups, [0.0; 2])?;
    Ok(match image_px {
        Some(px) => truth.with_pixel([px; 2]),
        None => truth,
    })
}
