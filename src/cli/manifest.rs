//! `--manifest FILE`: a table of slides and their settings.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::{Exit, Failure};
use crate::config::{SlideTissue, Slides};
use crate::run_dir::slide_name;
use crate::tissue::TissueMethod;

/// A row of the table. Paths are relative to the table's folder.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    slide: PathBuf,
    #[serde(default)]
    mpp: Option<f64>,
    #[serde(default)]
    mask: Option<PathBuf>,
    #[serde(default)]
    tissue_method: Option<TissueMethod>,
    #[serde(default)]
    tissue_threshold: Option<f64>,
}

/// The slides, in the order of the table, and their settings.
#[derive(Debug, Default)]
pub(super) struct Manifest {
    pub(super) slides: Vec<PathBuf>,
    pub(super) keys: Slides,
}

impl Manifest {
    /// Reads a CSV table with the column `slide` and any of `mpp` (um per level-0 px), `mask`,
    /// `tissue_method` and `tissue_threshold`. An empty cell sets nothing.
    pub(super) fn read(path: &Path) -> Result<Self, Failure> {
        let error = |problem: String| {
            let message = format!(
                "{}: {problem}; expected a CSV table with the column slide and any of mpp, mask, tissue_method, tissue_threshold",
                path.display()
            );
            Failure::new(Exit::Input, message)
        };
        let bytes = std::fs::read(path).map_err(|e| error(format!("cannot be read: {e}")))?;
        let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
        let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text);
        let base = path.parent().unwrap_or(Path::new("."));
        let mut manifest = Self::default();
        for row in reader.deserialize() {
            let row: Row = row.map_err(|e| error(format!("not a table of slides: {e}")))?;
            if row.slide.as_os_str().is_empty() {
                return Err(error("a row names no slide".into()));
            }
            manifest.add(base, row)?;
        }
        if manifest.slides.is_empty() {
            return Err(error("the table names no slides".into()));
        }
        Ok(manifest)
    }

    fn add(&mut self, base: &Path, row: Row) -> Result<(), Failure> {
        let slide = base.join(&row.slide);
        let name = slide_name(&slide)?;
        if let Some(mpp) = row.mpp {
            self.keys.mpp_of.insert(name.clone(), mpp);
        }
        let absolute = |mask: PathBuf| {
            let joined = base.join(mask);
            // The run remembers the path, so the path must not depend on the way to the table.
            std::fs::canonicalize(&joined)
                .or_else(|_| std::path::absolute(&joined))
                .unwrap_or(joined)
        };
        let own = SlideTissue {
            method: row.tissue_method,
            mask: row.mask.map(absolute),
            threshold: row.tissue_threshold,
        };
        if self.slides.contains(&slide) {
            let problem = format!("{}: the table has this slide twice", slide.display());
            return Err(Failure::new(Exit::Input, problem));
        }
        if own != SlideTissue::default() {
            self.keys.tissue_of.insert(name, own);
        }
        self.slides.push(slide);
        Ok(())
    }
}
