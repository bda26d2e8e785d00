//! Why the state of a run cannot be read.

use std::path::PathBuf;

use thiserror::Error;

use super::lookup::LookupError;
use super::submitted::SubmittedError;
use crate::run_dir::SlidesError;

/// Why the state of a run cannot be read.
#[derive(Debug, Error)]
pub enum StateError {
    /// There is no table of slides, or a damaged one.
    #[error(transparent)]
    Slides(#[from] SlidesError),
    /// The look-up table is damaged.
    #[error(transparent)]
    Lookup(#[from] LookupError),
    /// The record of submissions is damaged.
    #[error(transparent)]
    Submitted(#[from] SubmittedError),
    /// A folder of the run cannot be listed.
    #[error("{}: cannot list the folder: {source}; nothing is known of what is done in it", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}
