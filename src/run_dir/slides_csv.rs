//! `slides.csv`: one row per input slide, also the failed.
//!
//! Tasks never write this file, so hundreds may run at once: each leaves its
//! row as `logs/split/<slide>.json`, and whoever reads the table merges them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::RunDir;
use crate::staged::{self, StageError};

/// What became of a slide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SlideStatus {
    /// Not split yet.
    #[default]
    Waiting,
    /// Split, every patch decoded.
    Done,
    /// Split, some patches could not be decoded.
    Partial,
    /// Split, nothing to score.
    NoTissue,
    /// Not split.
    Failed,
}

impl SlideStatus {
    /// Whether the slide has a patch file with something to score.
    pub fn has_patches(self) -> bool {
        matches!(self, Self::Done | Self::Partial)
    }

    /// As written in the table.
    pub fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Done => "done",
            Self::Partial => "partial",
            Self::NoTissue => "no-tissue",
            Self::Failed => "failed",
        }
    }
}

/// A row of `slides.csv`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct SlideRecord {
    /// File stem.
    pub name: String,
    /// Absolute path.
    pub path: PathBuf,
    /// What became of it.
    pub status: SlideStatus,
    /// Why, and what to do; empty when all is well.
    pub reason: String,
    /// Who read it.
    pub reader: String,
    /// Working plane, px.
    pub width: Option<u32>,
    /// Working plane, px.
    pub height: Option<u32>,
    /// Level 0, px.
    pub level0_width: Option<u32>,
    /// Level 0, px.
    pub level0_height: Option<u32>,
    /// Level-0 px per working px.
    pub downsample: Option<f64>,
    /// Slide resolution, um per level-0 px.
    pub mpp: Option<f64>,
    /// Where that was found.
    pub mpp_source: String,
    /// Tissue tiles.
    pub tissue_tiles: Option<usize>,
    /// Stored patches.
    pub patches: Option<usize>,
    /// Groups, one array task each.
    pub groups: Option<u32>,
    /// Patches that could not be decoded.
    pub failed_patches: Option<usize>,
    /// Wall time of the split.
    pub split_s: Option<f64>,
    /// Processor time of the split.
    pub split_cpu_s: Option<f64>,
    /// Threads of the split.
    pub split_threads: Option<usize>,
    /// When the split began, Unix time.
    pub started_unix_s: Option<f64>,
    /// What became of its colour profile, when `[normalize] icc` asked for it.
    pub icc: String,
    /// Its own tissue settings, as given; empty where it has the run's.
    pub tissue_settings: String,
    /// Tiles that the tissue method or texture alone marks, by those that either does.
    pub tissue_differs: Option<f64>,
    /// Tiles that texture marks and the method left out.
    pub tissue_left_out: Option<usize>,
    /// Tiles that the method marks and texture does not.
    pub tissue_added: Option<usize>,
    /// What somebody should look at though nothing failed; empty when nothing.
    pub note: String,
}

/// The table of slides cannot be made or read.
#[derive(Debug, Error)]
pub enum SlidesError {
    /// Two slides of one name.
    #[error("two slides are called {name}: {} and {}; slide names are file stems and name every result, so rename one", first.display(), second.display())]
    SameName {
        /// The stem.
        name: String,
        /// One file.
        first: PathBuf,
        /// The other.
        second: PathBuf,
    },
    /// An input that cannot name results.
    #[error("{}: {problem}", path.display())]
    Input {
        /// What was given.
        path: PathBuf,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// The run has other slides.
    #[error("{}: {problem}", path.display())]
    Table {
        /// The table.
        path: PathBuf,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// The table cannot be written.
    #[error(transparent)]
    Write(#[from] StageError),
}

/// Writes the table for `slides`, or adds those that are new to it.
///
/// Row numbers are array indices, so rows never move.
///
/// # Errors
/// [`SlidesError::SameName`] before any work.
pub fn register(run: &RunDir, slides: &[PathBuf]) -> Result<Vec<SlideRecord>, SlidesError> {
    let mut records = registered(run)?;
    let mut in_table: BTreeSet<String> = records.iter().map(|r| r.name.clone()).collect();
    let mut changed = false;
    let mut by_name: BTreeMap<String, PathBuf> =
        records.iter().map(|r| (r.name.clone(), r.path.clone())).collect();
    for slide in slides {
        // Links keep their own names: what they point to may be a bare hash.
        let path = std::path::absolute(slide).unwrap_or_else(|_| slide.clone());
        let name = slide_name(&path)?;
        match by_name.get(&name) {
            Some(known) if same_file(known, &path) => continue,
            // The slides were moved, or the path was mistyped before.
            Some(known) if in_table.remove(&name) && !known.exists() => {
                by_name.insert(name.clone(), path.clone());
                for record in records.iter_mut().filter(|record| record.name == name) {
                    record.path.clone_from(&path);
                }
                changed = true;
            }
            Some(known) => {
                return Err(SlidesError::SameName { name, first: known.clone(), second: path });
            }
            None => {
                by_name.insert(name.clone(), path.clone());
                records.push(SlideRecord { name, path, ..SlideRecord::default() });
                changed = true;
            }
        }
    }
    if changed {
        write_slides(run, &records)?;
    }
    Ok(records)
}

/// Whether two paths lead to one file, `..` and links followed.
fn same_file(a: &Path, b: &Path) -> bool {
    let real = |path: &Path| std::fs::canonicalize(path).ok();
    a == b || real(a).is_some_and(|a| real(b) == Some(a))
}

/// The file stem, when it can name files.
pub(crate) fn slide_name(path: &Path) -> Result<String, SlidesError> {
    let problem =
        |problem: &str| SlidesError::Input { path: path.to_owned(), problem: problem.to_owned() };
    let stem = path
        .file_stem()
        .and_then(|stem| stem.to_str())
        .ok_or_else(|| problem("its name is not UTF-8 text; rename it"))?;
    if stem.starts_with('.') || stem.contains(['\n', '\r', '\t']) {
        return Err(problem("its name starts with a dot or holds a control character; rename it"));
    }
    Ok(stem.to_owned())
}

/// The slides of the table; none where there is no table yet.
///
/// # Errors
/// [`SlidesError::Table`] when it is not one of ours.
pub(crate) fn registered(run: &RunDir) -> Result<Vec<SlideRecord>, SlidesError> {
    if run.slides_csv().exists() { read_slides(run) } else { Ok(Vec::new()) }
}

/// Reads the table, newest outcomes merged in.
///
/// # Errors
/// [`SlidesError::Table`] when there is none or it is not one of ours.
pub fn read_slides(run: &RunDir) -> Result<Vec<SlideRecord>, SlidesError> {
    let path = run.slides_csv();
    let wrong = |problem: String| SlidesError::Table { path: path.clone(), problem };
    // At once: the reader of CSV takes a file that cannot be read for an empty one.
    let text = std::fs::read(&path).map_err(|e| {
        wrong(format!("cannot read the table of slides: {e}; `slidegrid split` writes it"))
    })?;
    let mut reader = csv::Reader::from_reader(text.as_slice());
    let mut records = Vec::new();
    for row in reader.deserialize() {
        let record: SlideRecord = row.map_err(|e| wrong(format!("not a table of slides: {e}")))?;
        if record.name.is_empty() {
            return Err(wrong("not a table of slides: a row has no name".into()));
        }
        records.push(merged(run, record)?);
    }
    Ok(records)
}

/// The outcome a task left, when it left one.
fn merged(run: &RunDir, record: SlideRecord) -> Result<SlideRecord, SlidesError> {
    let path = run.split_outcome(&record.name);
    match std::fs::read(&path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(record),
        Err(e) => Err(SlidesError::Table { path, problem: format!("cannot read it: {e}") }),
        Ok(bytes) => match serde_json::from_slice::<SlideRecord>(&bytes) {
            // The table knows where the slide is now.
            Ok(outcome) => Ok(SlideRecord { path: record.path, ..outcome }),
            Err(e) => Err(SlidesError::Table {
                path,
                problem: format!("not the outcome of a split: {e}; delete it and split again"),
            }),
        },
    }
}

/// Writes the table.
///
/// # Errors
/// [`SlidesError::Write`].
pub fn write_slides(run: &RunDir, records: &[SlideRecord]) -> Result<(), SlidesError> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for record in records {
        writer.serialize(record).expect("a record is a flat row");
    }
    let bytes = writer.into_inner().expect("writing to memory does not fail");
    Ok(staged::write(&run.slides_csv(), &bytes)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn rows_keep_their_numbers_and_outcomes_are_merged() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunDir::new(&folder.path().join("run"));
        let slide = |name: &str| folder.path().join(name);
        register(&run, &[slide("b.svs"), slide("a.svs")]).unwrap();
        let done = SlideRecord {
            name: "b".into(),
            path: slide("b.svs"),
            status: SlideStatus::Failed,
            reason: "broken, \"quite\"".into(),
            ..SlideRecord::default()
        };
        staged::write(&run.split_outcome("b"), &serde_json::to_vec(&done).unwrap()).unwrap();
        let records = register(&run, &[slide("a.svs"), slide("c.svs")]).unwrap();
        let names: Vec<_> = records.iter().map(|r| r.name.as_str()).collect();
        assert_eq!(names, ["b", "a", "c"]);
        let records = read_slides(&run).unwrap();
        assert_eq!(records[0], done);
        assert_eq!(records[2].status, SlideStatus::Waiting);
        assert!(
            fs::read_to_string(run.slides_csv()).unwrap().starts_with("name,path,status,reason,")
        );
    }

    #[test]
    fn a_link_is_called_by_its_own_name() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunDir::new(&folder.path().join("run"));
        fs::write(folder.path().join("0a1b2c"), "x").unwrap();
        let link = folder.path().join("patient7.svs");
        std::os::unix::fs::symlink(folder.path().join("0a1b2c"), &link).unwrap();
        let records = register(&run, std::slice::from_ref(&link)).unwrap();
        assert_eq!((records[0].name.as_str(), &records[0].path), ("patient7", &link));
        let other = folder.path().join("run/../patient7.svs");
        assert_eq!(register(&run, &[other]).unwrap().len(), 1);
    }

    #[test]
    fn two_slides_of_one_name_are_refused_before_any_work() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunDir::new(&folder.path().join("run"));
        let slides = [folder.path().join("x/s.svs"), folder.path().join("y/s.tif")];
        let message = register(&run, &slides).unwrap_err().to_string();
        assert!(message.contains("x/s.svs") && message.contains("y/s.tif"), "{message}");
        assert!(!run.slides_csv().exists());
    }

    #[test]
    fn a_slide_that_was_moved_is_found_at_its_new_place() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunDir::new(&folder.path().join("run"));
        let slide = |name: &str| folder.path().join(name);
        register(&run, &[slide("old/a.svs"), slide("b.svs")]).unwrap();
        let failed = SlideRecord { name: "a".into(), ..SlideRecord::default() };
        staged::write(&run.split_outcome("a"), &serde_json::to_vec(&failed).unwrap()).unwrap();
        fs::write(slide("a.svs"), "").unwrap();
        register(&run, &[slide("a.svs")]).unwrap();
        let records = read_slides(&run).unwrap();
        assert_eq!((records[0].path.clone(), records.len()), (slide("a.svs"), 2));
        // Now that it exists, another of the name is refused.
        assert!(register(&run, &[slide("c/a.svs")]).is_err());
    }

    #[test]
    fn a_foreign_table_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunDir::new(folder.path());
        assert!(read_slides(&run).unwrap_err().to_string().contains("slidegrid split"));
        fs::write(run.slides_csv(), "name,path,status\nx,y,unheard-of\n").unwrap();
        assert!(read_slides(&run).unwrap_err().to_string().contains("not a table of slides"));
    }
}
