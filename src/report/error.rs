//! Errors of making a report.

use std::path::PathBuf;

use thiserror::Error;

use crate::staged::StageError;
use crate::truth::TruthError;

/// A reason why no report can be made. Problems of a single slide are no errors; the
/// report shows them.
#[derive(Debug, Error)]
pub(crate) enum ReportError {
    /// A file of the run does not have the expected content, or a picture cannot be encoded.
    #[error("{}: {problem}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What was found, and what to do.
        problem: String,
    },
    /// The list of slides beside the truth cannot be read.
    #[error(transparent)]
    Truth(#[from] TruthError),
    /// The files of a slide that the run no longer has cannot be removed.
    #[error("{}: of a slide that the run no longer has, and cannot be removed: {source}; remove it, then make the report again", path.display())]
    Old {
        /// The folder.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// A file of the report cannot be written.
    #[error(transparent)]
    Write(#[from] StageError),
}
