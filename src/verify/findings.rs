//! What a check of a run has found.

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::damage::Watched;
use crate::hdf5_file::FormatError;

/// What is wrong with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ProblemKind {
    /// The content is not what was written, or has impossible values.
    Damaged,
    /// The file should be there, and is not.
    Missing,
    /// The file is whole, and does not belong in its place: it is one of another slide, of other
    /// patches, or of another configuration.
    Misplaced,
    /// A slide's file or the network is another one than when the run was made.
    Changed,
    /// The file cannot be read now, and may be whole.
    Unreadable,
}

/// A file that is not as the run recorded it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct FileProblem {
    /// What is wrong.
    pub kind: ProblemKind,
    /// The file.
    pub file: PathBuf,
    /// The slide whose file it is; `None` for files of the whole run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slide: Option<String>,
    /// What was found, what was expected and what to do, in a line that names the file.
    pub problem: String,
    /// Where the file was put because it is damaged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub set_aside: Option<PathBuf>,
}

impl FileProblem {
    /// A problem with `file`, in words that do not name it yet.
    pub(super) fn new(kind: ProblemKind, file: &Path, problem: &str) -> Self {
        Self::with_line(kind, file, format!("{}: {problem}", file.display()))
    }

    /// A problem with `file`, in a line that names it.
    pub(super) fn with_line(kind: ProblemKind, file: &Path, problem: String) -> Self {
        Self { kind, file: file.to_owned(), slide: None, problem, set_aside: None }
    }

    /// The problem that this error of reading a file tells of.
    pub(super) fn of_error(error: &FormatError) -> Self {
        let kind = match error {
            FormatError::OtherSlide { .. } => ProblemKind::Misplaced,
            FormatError::Stage(error) if error.source.kind() == std::io::ErrorKind::NotFound => {
                ProblemKind::Missing
            }
            error if error.is_damage() => ProblemKind::Damaged,
            _ => ProblemKind::Unreadable,
        };
        Self::with_line(kind, error.path(), error.to_string())
    }

    /// Sets the file aside if it is damaged.
    #[must_use]
    pub(super) fn setting_aside(mut self, watched: &Watched<'_>, wanted: bool) -> Self {
        if wanted
            && self.kind == ProblemKind::Damaged
            && let Some(done) = watched.set_aside(&self.problem, "verify")
        {
            self.set_aside = Some(done.aside.clone());
            self.problem = done.to_string();
        }
        self
    }
}

/// What a check of one or more files has found.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub(crate) struct Findings {
    /// Number of files that were read in full.
    pub files: usize,
    /// Their length, bytes.
    pub bytes: u64,
    /// Number of these that are files of version 1, or of other programs, which have no checksums
    /// of their data.
    pub without_checksums: usize,
    /// What is wrong.
    pub problems: Vec<FileProblem>,
    /// Files that the program does not make.
    pub unknown: Vec<PathBuf>,
    /// Things to know that are no problem.
    pub notes: Vec<String>,
    /// The signal that ended the check early.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interrupted: Option<&'static str>,
}

impl Findings {
    /// Adds what another check has found.
    pub(super) fn add(&mut self, other: Self) {
        self.files += other.files;
        self.bytes += other.bytes;
        self.without_checksums += other.without_checksums;
        self.problems.extend(other.problems);
        self.unknown.extend(other.unknown);
        self.notes.extend(other.notes);
        self.interrupted = self.interrupted.or(other.interrupted);
    }

    /// Counts a file that was read in full.
    pub(super) fn count(&mut self, file: &Path) {
        self.files += 1;
        self.bytes += length(file);
    }

    pub(super) fn push(&mut self, problem: FileProblem) {
        self.problems.push(problem);
    }
}

/// Length of a file, bytes; 0 if there is none.
pub(super) fn length(file: &Path) -> u64 {
    std::fs::metadata(file).map_or(0, |metadata| metadata.len())
}
