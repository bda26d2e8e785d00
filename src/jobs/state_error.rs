//! The error of reading the state of a run.

use std::path::PathBuf;

use thiserror::Error;

use super::lookup::LookupError;
use super::submitted::SubmittedError;
use crate::config::ConfigError;
use crate::run_dir::SlidesError;
use crate::staged::StageError;

/// Why the state of a run cannot be read.
#[derive(Debug, Error)]
pub(crate) enum StateError {
    /// The table of slides is missing or damaged.
    #[error(transparent)]
    Slides(#[from] SlidesError),
    /// The configuration of the run cannot be read.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The look-up table is damaged.
    #[error(transparent)]
    Lookup(#[from] LookupError),
    /// The record of submissions is damaged.
    #[error(transparent)]
    Submitted(#[from] SubmittedError),
    /// A file of the run cannot be looked at.
    #[error(transparent)]
    Look(#[from] StageError),
    /// A folder of the run cannot be listed.
    #[error("{}: cannot list the folder: {source}; without it, what is done is not known", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
}
