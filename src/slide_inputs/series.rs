//! DICOM series: one slide in several files.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use super::error::InputsError;
use crate::progress::Progress;
use crate::run_dir::NamedSlide;
use crate::slide::{DicomFile, DicomSeries, dicom_file};

/// A series in a folder. The same series in two folders is two slides.
pub(super) type SeriesKey = (PathBuf, String);

/// The series of a file and its key; `None` for other files.
fn series_of(file: &Path) -> Option<(SeriesKey, DicomSeries)> {
    let Some(DicomFile::Slide(series)) = dicom_file(file) else { return None };
    let folder = match file.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    let folder = std::fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned());
    Some(((folder, series.uid.clone()), series))
}

/// The key of the series that a file belongs to; `None` for other files.
pub(super) fn series_key(file: &Path) -> Option<SeriesKey> {
    series_of(file).map(|(key, _)| key)
}

/// Names the slides of `files`. Of a DICOM series the first file stands for all; the slide is named
/// after its container, or after its series where two series share a container. Other slides are
/// named after the stems of their files. A series of which a file is in `known` has that name and
/// file.
///
/// # Errors
/// [`InputsError`] if a name cannot be used for results.
pub(super) fn one_per_series(
    files: &[PathBuf],
    known: &[NamedSlide],
    progress: &Progress,
) -> Result<Vec<NamedSlide>, InputsError> {
    let mut seen: HashSet<SeriesKey> = HashSet::new();
    let mut slides: Vec<(&PathBuf, Option<(SeriesKey, DicomSeries)>)> = Vec::new();
    for file in files {
        let found = series_of(file);
        if found.as_ref().is_none_or(|(key, _)| seen.insert(key.clone())) {
            slides.push((file, found));
        }
    }
    let instances = files.len() - slides.len();
    if instances > 0 {
        progress.note(&format!(
            "{} of {} DICOM files are further instances of a series and belong to its slide",
            instances,
            instances + seen.len()
        ));
    }
    let known_series: HashMap<SeriesKey, &NamedSlide> = match seen.is_empty() {
        true => HashMap::new(),
        false => known.iter().filter_map(|k| Some((series_key(&k.path)?, k))).collect(),
    };
    let is_new = |key: &SeriesKey| !known_series.contains_key(key);
    let new = slides.iter().filter_map(|(_, found)| found.as_ref()).filter(|(key, _)| is_new(key));
    let containers = new.filter_map(|(_, series)| series.container.as_deref());
    let mut taken: HashSet<&str> = known.iter().map(|slide| slide.name.as_str()).collect();
    let shared: HashSet<&str> = containers.filter(|name| !taken.insert(name)).collect();
    let named = |(file, found): &(&PathBuf, Option<(SeriesKey, DicomSeries)>)| {
        let Some((key, series)) = found else { return NamedSlide::by_stem(file) };
        if let Some(&known) = known_series.get(key) {
            return Ok(known.clone());
        }
        let container = series.container.as_deref().filter(|name| !shared.contains(name));
        // A container may have any text; some cannot name files.
        let by_container =
            container.map(|name| NamedSlide::with_name(file, &name.replace('/', "_")));
        match by_container {
            Some(Ok(slide)) => Ok(slide),
            _ => NamedSlide::with_name(file, &series.uid),
        }
    };
    Ok(slides.iter().map(named).collect::<Result<_, _>>()?)
}
