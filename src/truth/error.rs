//! [`TruthError`], the error of all files of truth.

use std::path::PathBuf;

use thiserror::Error;

/// The reason why a file of truth cannot be used; the message says what to do.
#[derive(Debug, Error)]
pub enum TruthError {
    /// The file cannot be read.
    #[error("{}: cannot read it: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// The content of the file is not of the form that its name promises.
    #[error("{}: {problem}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What was found, and what was expected.
        problem: String,
    },
    /// An annotation belongs to a group that is neither a lesion nor an exclusion.
    #[error(
        "{}: {annotation} is of group {found:?}, expected a lesion ({lesion}) or an exclusion ({excluded}); give it a class or delete it, or say what all of that group are with --lesion-group or --exclude-group, or study.lesion_groups and study.exclude_groups", path.display()
    )]
    Group {
        /// The file.
        path: PathBuf,
        /// The annotation: its name or its number.
        annotation: String,
        /// The group of the annotation.
        found: String,
        /// The groups that are lesions, comma-separated.
        lesion: String,
        /// The groups that are exclusions, comma-separated.
        excluded: String,
    },
}

impl TruthError {
    /// An error about the content of a file.
    pub(crate) fn invalid(path: &std::path::Path, problem: impl Into<String>) -> Self {
        Self::Invalid { path: path.to_owned(), problem: problem.into() }
    }
}
