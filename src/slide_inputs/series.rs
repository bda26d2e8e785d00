//! DICOM series: one slide in several files.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use super::error::InputsError;
use crate::progress::Progress;
use crate::run_dir::NamedSlide;
use crate::slide::{DicomSeries, dicom_series};

/// Names the slides of `files`. Of a DICOM series the first file stands for all; the slide is named
/// after its container, or after its series where two series share a container. Other slides are
/// named after the stems of their files.
///
/// # Errors
/// [`InputsError`] if a name cannot be used for results.
pub(super) fn one_per_series(
    files: &[PathBuf],
    progress: &Progress,
) -> Result<Vec<NamedSlide>, InputsError> {
    let mut known: HashMap<(PathBuf, String), DicomSeries> = HashMap::new();
    let mut slides: Vec<(&PathBuf, Option<DicomSeries>)> = Vec::new();
    for file in files {
        let Some(series) = dicom_series(file) else {
            slides.push((file, None));
            continue;
        };
        let folder = file.parent().unwrap_or(Path::new("")).to_owned();
        if known.insert((folder, series.uid.clone()), series.clone()).is_none() {
            slides.push((file, Some(series)));
        }
    }
    let instances = files.len() - slides.len();
    if instances > 0 {
        progress.note(&format!(
            "{} of {} DICOM files are further instances of a series and belong to its slide",
            instances,
            instances + known.len()
        ));
    }
    let containers: Vec<&str> =
        slides.iter().filter_map(|(_, series)| series.as_ref()?.container.as_deref()).collect();
    let mut seen = HashSet::new();
    let shared: HashSet<&str> = containers.into_iter().filter(|name| !seen.insert(*name)).collect();
    let named = |(file, series): &(&PathBuf, Option<DicomSeries>)| {
        let Some(series) = series else { return NamedSlide::by_stem(file) };
        let container = series.container.as_deref().filter(|name| !shared.contains(name));
        NamedSlide::with_name(file, &container.unwrap_or(&series.uid).replace('/', "_"))
    };
    Ok(slides.iter().map(named).collect::<Result<_, _>>()?)
}
