//! Why a step of a study is impossible.

use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::export::npy::NpyError;
use crate::hdf5_file::FormatError;
use crate::study::detections_csv::CsvError;
use crate::truth::TruthError;

/// A step of a study is impossible.
#[derive(Debug, Error)]
pub(crate) enum StepError {
    /// A heatmap file cannot be used.
    #[error(transparent)]
    Heatmap(#[from] FormatError),
    /// An array cannot be used.
    #[error(transparent)]
    Array(#[from] NpyError),
    /// Truth cannot be used.
    #[error(transparent)]
    Truth(#[from] TruthError),
    /// A CSV file cannot be read or written.
    #[error(transparent)]
    Csv(#[from] CsvError),
    /// A file or folder does not have what the step needs.
    #[error("{}: {problem}", path.display())]
    Content {
        /// The file or folder.
        path: PathBuf,
        /// What was found, what was expected, and what to do.
        problem: String,
    },
}

impl StepError {
    pub(in crate::study) fn content(path: &Path, problem: impl Into<String>) -> Self {
        Self::Content { path: path.to_owned(), problem: problem.into() }
    }
}
