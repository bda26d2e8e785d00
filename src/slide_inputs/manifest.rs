//! `--manifest FILE`: a table of slides and their settings.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::error::InputsError;
use super::folder::slides_in;
use super::series::{one_per_series, series_key};
use crate::config::{SlideTissue, Slides};
use crate::progress::Progress;
use crate::run_dir::{NamedSlide, SlidesError};
use crate::text_file::{delimiter, read_text};
use crate::tissue::TissueMethod;

/// A row of the table. Paths are relative to the table's folder.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ManifestRow {
    slide: PathBuf,
    /// The slide's name; that of the file without one.
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    mpp: Option<f64>,
    #[serde(default)]
    mask: Option<PathBuf>,
    /// The slide's file of truth.
    #[serde(default)]
    truth: Option<PathBuf>,
    /// Whether the slide has tumor, as in a list of slides.
    #[serde(default)]
    label: Option<String>,
    #[serde(default)]
    tissue_method: Option<TissueMethod>,
    #[serde(default)]
    tissue_threshold: Option<f64>,
}

/// The slides, in the order of the table, and their settings.
#[derive(Debug, Default)]
pub(crate) struct Manifest {
    pub(crate) slides: Vec<NamedSlide>,
    pub(crate) keys: Slides,
}

impl Manifest {
    /// Reads a CSV table with the column `slide` and any of `id` (the slide's name), `mpp` (um per
    /// level-0 px), `mask`, `truth` (a file), `label` (tumor or normal), `tissue_method` and
    /// `tissue_threshold`. An empty cell sets nothing.
    ///
    /// # Errors
    /// [`InputsError`] if the file is no such table, names a slide twice, or names a file of truth
    /// that is not there.
    pub(crate) fn read(path: &Path) -> Result<Self, InputsError> {
        Self::read_for(path, &[])
    }

    /// Like [`Self::read`], for a run that has the slides `known`.
    pub(super) fn read_for(path: &Path, known: &[NamedSlide]) -> Result<Self, InputsError> {
        let error = |problem: String| InputsError::Manifest { path: path.to_owned(), problem };
        let text = read_text(path).map_err(|e| error(format!("cannot be read: {e}")))?;
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(delimiter(&text))
            .trim(csv::Trim::All)
            .from_reader(text.as_bytes());
        let base = path.parent().unwrap_or(Path::new("."));
        let mut rows: Vec<ManifestRow> = Vec::new();
        for row in reader.deserialize() {
            let row: ManifestRow = row.map_err(|e| error(format!("not a table of slides: {e}")))?;
            if row.slide.as_os_str().is_empty() {
                return Err(error("a row names no slide".into()));
            }
            let slide = file_of(&base.join(&row.slide)).map_err(error)?;
            rows.push(ManifestRow { slide, ..row });
        }
        if rows.is_empty() {
            return Err(error("the table names no slides".into()));
        }
        let mut manifest = Self::default();
        for (slide, row) in named(&rows, known)?.into_iter().zip(rows) {
            manifest.add(base, slide, row)?;
        }
        Ok(manifest)
    }

    fn add(&mut self, base: &Path, slide: NamedSlide, row: ManifestRow) -> Result<(), InputsError> {
        let name = slide.name.clone();
        if let Some(mpp) = row.mpp {
            self.keys.mpp_of.insert(name.clone(), mpp);
        }
        let absolute = |path: PathBuf| {
            let joined = base.join(path);
            // The run remembers the path, so the path must not depend on the way to the table.
            std::fs::canonicalize(&joined)
                .or_else(|_| std::path::absolute(&joined))
                .unwrap_or(joined)
        };
        if let Some(truth) = row.truth.filter(|path| !path.as_os_str().is_empty()).map(absolute) {
            if !truth.is_file() {
                return Err(InputsError::NoTruth { slide: name, path: truth });
            }
            self.keys.truth_of.insert(name.clone(), truth);
        }
        if let Some(label) = row.label.filter(|label| !label.is_empty()) {
            self.keys.label_of.insert(name.clone(), label);
        }
        let own = SlideTissue {
            method: row.tissue_method,
            mask: row.mask.map(absolute),
            threshold: row.tissue_threshold,
        };
        if self.slides.iter().any(|known| known.path == slide.path) {
            return Err(InputsError::Twice { slide: slide.path });
        }
        // Settings are by name, so the later slide's would be those of both.
        if let Some(known) = self.slides.iter().find(|known| known.name == slide.name) {
            let (name, first) = (slide.name, known.path.clone());
            return Err(SlidesError::SameName { name, first, second: slide.path }.into());
        }
        if own != SlideTissue::default() {
            self.keys.tissue_of.insert(name, own);
        }
        self.slides.push(slide);
        Ok(())
    }
}

/// The slide file of a row: the path itself, or the one slide of a folder.
fn file_of(path: &Path) -> Result<PathBuf, String> {
    if !path.is_dir() {
        return Ok(path.to_owned());
    }
    let found = slides_in(path, &Progress::Quiet)
        .and_then(|files| one_per_series(&files, &[], &Progress::Quiet))
        .map_err(|error| error.to_string())?;
    match found.as_slice() {
        [slide] => Ok(slide.path.clone()),
        slides => Err(format!(
            "{} is a folder with {} slides, expected one in a row of its own; name the file",
            path.display(),
            slides.len()
        )),
    }
}

/// The slides of the rows, by their ids or else by their files.
fn named(rows: &[ManifestRow], known: &[NamedSlide]) -> Result<Vec<NamedSlide>, InputsError> {
    let mut seen = HashSet::new();
    for row in rows {
        if series_key(&row.slide).is_some_and(|key| !seen.insert(key)) {
            return Err(InputsError::Twice { slide: row.slide.clone() });
        }
    }
    let id_of = |row: &ManifestRow| row.id.clone().filter(|id| !id.is_empty());
    let files = rows.iter().filter(|row| id_of(row).is_none()).map(|row| row.slide.clone());
    let mut by_file =
        one_per_series(&files.collect::<Vec<_>>(), known, &Progress::Quiet)?.into_iter();
    let name = |row: &ManifestRow| match id_of(row) {
        Some(id) => Ok(NamedSlide::with_name(&row.slide, &id)?),
        None => Ok(by_file.next().expect("no series is there twice")),
    };
    rows.iter().map(name).collect()
}
