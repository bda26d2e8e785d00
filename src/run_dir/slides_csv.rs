//! The table of slides, `slides.csv`: one row per input slide, including slides that failed.
//!
//! Tasks never write this file, because hundreds of them may run at once. Each task writes its
//! row to `logs/split/<slide>.json`, and every reader of the table merges these rows into it.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::RunDir;
use super::slide_record::SlideRecord;
use crate::staged::{self, StageError};

/// A reason why the table of slides cannot be read or written.
#[derive(Debug, Error)]
pub enum SlidesError {
    /// Two slide files have the same name.
    #[error("two slides are called {name}: {} and {}; slide names are file stems and name every result, so rename one, or give each an id in a table (--manifest)", first.display(), second.display())]
    SameName {
        /// The name.
        name: String,
        /// The first file.
        first: PathBuf,
        /// The second file.
        second: PathBuf,
    },
    /// The name of an input file cannot be used for the names of results.
    #[error("{}: {problem}", path.display())]
    Input {
        /// The input file.
        path: PathBuf,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// The table, or a row that a task left, cannot be read.
    #[error("{}: {problem}", path.display())]
    Table {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// The table cannot be written.
    #[error(transparent)]
    Write(#[from] StageError),
}

/// A slide file and the name of its slide.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NamedSlide {
    /// The name, which names every result.
    pub name: String,
    /// The file.
    pub path: PathBuf,
}

impl NamedSlide {
    /// A slide that is named after the stem of its file.
    ///
    /// # Errors
    /// [`SlidesError::Input`] if the stem cannot be used in the names of results.
    pub(crate) fn by_stem(path: &Path) -> Result<Self, SlidesError> {
        let stem = path.file_stem().and_then(|stem| stem.to_str());
        let name = stem.ok_or_else(|| SlidesError::Input {
            path: path.to_owned(),
            problem: "its name is not UTF-8 text; rename it".to_owned(),
        })?;
        Self::with_name(path, name)
    }

    /// A slide with a name of its own.
    ///
    /// # Errors
    /// [`SlidesError::Input`] if the name cannot be used in the names of results.
    pub(crate) fn with_name(path: &Path, name: &str) -> Result<Self, SlidesError> {
        let Some(problem) = problem_of_name(name) else {
            return Ok(Self { name: name.to_owned(), path: path.to_owned() });
        };
        let problem = format!(
            "its name {name:?} {problem}; rename it, or give it an id in a table (--manifest)"
        );
        Err(SlidesError::Input { path: path.to_owned(), problem })
    }
}

/// Longest name of a slide, bytes. A file has at most 255, and the longest name that is made from
/// a slide's, a temporary one of a heatmap's exports, has 51 more.
const NAME_BYTES: usize = 200;

/// Why a name cannot be used for the files, jobs and cells of a slide; `None` if it can.
fn problem_of_name(name: &str) -> Option<String> {
    // Direction marks show a name as another one; separators end a line in some programs.
    let is_unseen =
        |c: char| c.is_control() || matches!(c, '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}');
    let problem = if name.is_empty() || name.contains('/') {
        "is empty or holds a slash".to_owned()
    } else if name.starts_with('.') {
        "starts with a dot, as hidden files do".to_owned()
    } else if name.contains(is_unseen) {
        "holds a character that is not seen".to_owned()
    } else if name.starts_with(['=', '+', '@']) {
        "starts as a formula, for which spreadsheets would take it".to_owned()
    } else if name.len() > NAME_BYTES {
        format!("has {} bytes, expected at most {NAME_BYTES}", name.len())
    } else {
        return None;
    };
    Some(problem)
}

/// Refuses names that differ only by case where the file system takes them for one.
fn check_case(run: &RunDir, records: &[SlideRecord]) -> Result<(), SlidesError> {
    let mut seen: BTreeMap<String, &SlideRecord> = BTreeMap::new();
    for record in records {
        match seen.insert(record.name.to_lowercase(), record) {
            Some(other) if folds_case(run) => {
                return Err(SlidesError::SameName {
                    name: record.name.clone(),
                    first: other.path.clone(),
                    second: record.path.clone(),
                });
            }
            _ => {}
        }
    }
    Ok(())
}

/// Whether the file system of the run finds `run.toml` under another case too.
fn folds_case(run: &RunDir) -> bool {
    let identity = |name: &str| {
        let found = std::fs::metadata(run.root().join(name)).ok()?;
        Some((found.dev(), found.ino()))
    };
    identity("run.toml").is_some_and(|found| identity("RUN.TOML") == Some(found))
}

/// Adds slides to the table and returns all rows. The table is made if there is none.
///
/// Row numbers are array indices, so existing rows keep their places. A slide file that was
/// moved keeps its row, with the new path.
///
/// # Errors
/// [`SlidesError::SameName`] if two slides have the same name, and [`SlidesError::Input`] if a
/// name cannot be used; in both cases nothing is written. Otherwise errors of reading or
/// writing the table.
pub(crate) fn register(
    run: &RunDir,
    slides: &[NamedSlide],
) -> Result<Vec<SlideRecord>, SlidesError> {
    if slides.is_empty() {
        return registered(run);
    }
    let _lock = TableLock::wait(run)?;
    let mut records = registered(run)?;
    if add_slides(run, &mut records, slides)? {
        write_slides(run, &records)?;
    }
    Ok(records)
}

/// Adds slides to the rows of the table, and returns whether a row is new or has a new path.
///
/// # Errors
/// [`SlidesError`], as for [`register`].
pub(super) fn add_slides(
    run: &RunDir,
    records: &mut Vec<SlideRecord>,
    slides: &[NamedSlide],
) -> Result<bool, SlidesError> {
    let mut in_table: BTreeSet<String> = records.iter().map(|r| r.name.clone()).collect();
    let mut changed = false;
    let mut by_name: BTreeMap<String, PathBuf> =
        records.iter().map(|r| (r.name.clone(), r.path.clone())).collect();
    for NamedSlide { name, path } in slides {
        // A symbolic link keeps its own name: the file it points to may be named by a hash.
        let path = std::path::absolute(path).unwrap_or_else(|_| path.clone());
        let name = name.clone();
        match by_name.get(&name) {
            Some(known) if staged::is_same(known, &path) => continue,
            // The file was moved, or its path was mistyped before.
            Some(known) if in_table.remove(&name) && !staged::is_there(known)? => {
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
        check_case(run, records)?;
    }
    Ok(changed)
}

/// Registers files under their stems, for tests.
#[cfg(test)]
pub(crate) fn register_files(
    run: &RunDir,
    files: &[PathBuf],
) -> Result<Vec<SlideRecord>, SlidesError> {
    let slides = files.iter().map(|file| NamedSlide::by_stem(file));
    register(run, &slides.collect::<Result<Vec<_>, _>>()?)
}

/// Merges the outcomes that tasks have left into the table, and writes it.
///
/// # Errors
/// [`SlidesError`] if there is no table, or if it cannot be read or written.
pub(crate) fn refresh_slides(run: &RunDir) -> Result<Vec<SlideRecord>, SlidesError> {
    let _lock = TableLock::wait(run)?;
    let records = read_slides(run)?;
    write_slides(run, &records)?;
    Ok(records)
}

/// Makes slides wait for their split, whatever became of an earlier one.
///
/// # Errors
/// [`SlidesError`] if the table cannot be read or written.
pub(crate) fn reset_slides(run: &RunDir, names: &[&str]) -> Result<(), SlidesError> {
    let _lock = TableLock::wait(run)?;
    let mut records = registered(run)?;
    for record in records.iter_mut().filter(|record| names.contains(&record.name.as_str())) {
        let SlideRecord { name, path, .. } = std::mem::take(record);
        *record = SlideRecord { name, path, ..SlideRecord::default() };
    }
    if records.is_empty() { Ok(()) } else { write_slides(run, &records) }
}

/// Removes the rows of slides. The rows below them move up.
///
/// # Errors
/// [`SlidesError`] if the table cannot be read or written.
pub(crate) fn remove_slides(run: &RunDir, names: &[&str]) -> Result<(), SlidesError> {
    let _lock = TableLock::wait(run)?;
    let mut records = registered(run)?;
    let before = records.len();
    records.retain(|record| !names.contains(&record.name.as_str()));
    if records.len() == before { Ok(()) } else { write_slides(run, &records) }
}

/// While this value is held, no other command changes the table. The lock is on the run directory
/// itself. On a file system that cannot lock a directory, there is none.
struct TableLock {
    _folder: Option<std::fs::File>,
}

impl TableLock {
    /// Waits until no other command holds the lock.
    ///
    /// # Errors
    /// [`SlidesError::Write`] if the run directory cannot be opened: a command that has too many open
    /// files must not take this for a file system without locks.
    fn wait(run: &RunDir) -> Result<Self, SlidesError> {
        let folder = match std::fs::File::open(run.root()) {
            Ok(folder) => Some(folder),
            Err(source) if source.kind() == std::io::ErrorKind::NotFound => None,
            Err(source) => {
                let path = run.root().to_owned();
                return Err(StageError { path, action: "lock it", source }.into());
            }
        };
        Ok(Self { _folder: folder.filter(|folder| folder.lock().is_ok()) })
    }
}

/// Reads the table; a run without a table has no slides yet.
///
/// # Errors
/// [`SlidesError::Table`] if the table cannot be read.
pub(crate) fn registered(run: &RunDir) -> Result<Vec<SlideRecord>, SlidesError> {
    if staged::is_there(&run.slides_csv())? { read_slides(run) } else { Ok(Vec::new()) }
}

/// Reads the table and merges the outcomes that tasks have left into its rows.
///
/// # Errors
/// `SlidesError::Table` if there is no table, or if the table or an outcome cannot be read.
pub fn read_slides(run: &RunDir) -> Result<Vec<SlideRecord>, SlidesError> {
    read_rows(run, &|_| true)
}

/// Like [`read_slides`], for the slides whose names are `wanted`, and only their outcomes.
pub(crate) fn read_rows(
    run: &RunDir,
    wanted: &dyn Fn(&str) -> bool,
) -> Result<Vec<SlideRecord>, SlidesError> {
    let path = run.slides_csv();
    let error = |problem: String| SlidesError::Table { path: path.clone(), problem };
    // The file is read whole, because the CSV reader takes an unreadable file for an empty one.
    let text = std::fs::read(&path).map_err(|e| {
        error(format!("cannot read the table of slides: {e}; `slidegrid split` writes it"))
    })?;
    let mut reader = csv::Reader::from_reader(text.as_slice());
    let mut records = Vec::new();
    for row in reader.deserialize() {
        let record: SlideRecord = row.map_err(|e| error(format!("not a table of slides: {e}")))?;
        if record.name.is_empty() {
            return Err(error("not a table of slides: a row has no name".into()));
        }
        if wanted(&record.name) {
            records.push(merge_outcome(run, record)?);
        }
    }
    Ok(records)
}

/// The outcome that a task left for the slide, or else the row itself.
fn merge_outcome(run: &RunDir, record: SlideRecord) -> Result<SlideRecord, SlidesError> {
    let path = run.split_outcome(&record.name);
    match std::fs::read(&path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(record),
        Err(e) => Err(SlidesError::Table { path, problem: format!("cannot read the file: {e}") }),
        Ok(bytes) => match serde_json::from_slice::<SlideRecord>(&bytes) {
            // The path comes from the table, since the file may have been moved after the split.
            Ok(outcome) => Ok(SlideRecord { path: record.path, ..outcome }),
            Err(e) => Err(SlidesError::Table {
                path,
                problem: format!(
                    "not the outcome of a split: {e}; delete the file and split the slide again"
                ),
            }),
        },
    }
}

/// Writes the table.
///
/// # Errors
/// `SlidesError::Write` if the table cannot be written.
pub fn write_slides(run: &RunDir, records: &[SlideRecord]) -> Result<(), SlidesError> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for record in records {
        writer.serialize(record).expect("a record is a flat row");
    }
    let bytes = writer.into_inner().expect("writing to memory does not fail");
    Ok(staged::write(&run.slides_csv(), &bytes)?)
}

#[cfg(test)]
#[path = "slides_csv_tests.rs"]
mod tests;
