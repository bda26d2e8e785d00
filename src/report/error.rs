//! Why a report cannot be made.

use std::path::PathBuf;

use thiserror::Error;

use crate::staged::StageError;
use crate::truth::TruthError;

/// A report cannot be made at all. What is wrong with a single slide is told in
/// the report.
#[derive(Debug, Error)]
pub enum ReportError {
    /// A file of the run is not what its name says.
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
    /// A file of the report cannot be written.
    #[error(transparent)]
    Write(#[from] StageError),
}
