//! The slides of a folder with truth, and the truth about them.

use std::path::{Path, PathBuf};

use super::error::StepError;
use crate::progress;
use crate::study::truth_file::read_truth;
use crate::truth::{self, AnnotationGroups, SlideKind, Truth, read_slide_list};

/// The slides of a folder with truth: those of `list`, or those of its `reference.csv`. Without
/// a list, they are the slides that have a file in the folder, and all of them have tumor. Files
/// that a list leaves unused are named on stderr.
///
/// # Errors
/// [`StepError`] if the list or the folder cannot be read.
pub(crate) fn slides_of(folder: &Path, list: Option<&Path>) -> Result<Vec<SlideKind>, StepError> {
    let reference = folder.join("reference.csv");
    let reference = Some(reference.as_path());
    let reference = reference.filter(|_| list.is_none());
    let is_listed = reference.map_or(Ok(false), truth::is_file)?;
    match list.or(reference.filter(|_| is_listed)) {
        Some(list) => {
            let slides = read_slide_list(list)?;
            for note in unused(folder, list, &slides)? {
                progress::tell(&note);
            }
            Ok(slides)
        }
        None => {
            let names = truth_files(folder)?;
            Ok(names.into_iter().map(|(name, _)| SlideKind { name, is_tumor: true }).collect())
        }
    }
}

/// Sentences about the files of truth that no slide with tumor of the list takes.
fn unused(folder: &Path, list: &Path, slides: &[SlideKind]) -> Result<Vec<String>, StepError> {
    let (mut unlisted, mut normal) = (Vec::new(), Vec::new());
    for (name, path) in truth_files(folder)? {
        let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        match slides.iter().find(|slide| slide.name == name) {
            None => unlisted.push(file),
            Some(slide) if !slide.is_tumor => normal.push(file),
            Some(_) => {}
        }
    }
    let sentence = |files: &[String], what: &str| {
        let (found, list) = (files_in_words(files), list.display());
        (!files.is_empty()).then(|| format!("note: {}: {found} {what} in {list}", folder.display()))
    };
    let notes = [
        sentence(&unlisted, "not used, for slides that are not"),
        sentence(&normal, "not used, for slides that are normal"),
    ];
    Ok(notes.into_iter().flatten().collect())
}

/// The number of files, and the names of the first ones.
fn files_in_words(files: &[String]) -> String {
    const NAMED: usize = 5;
    let named = files.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    match files.len() {
        1 => format!("1 file of truth ({named}) is"),
        count if count <= NAMED => format!("{count} files of truth ({named}) are"),
        count => format!("{count} files of truth ({named} and {} more) are", count - NAMED),
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
