//! What stops the submission of jobs.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::jobs::chain::ChainError;
use crate::jobs::kept_keys::KeptKeysError;
use crate::jobs::raised::RaisedError;
use crate::jobs::state_error::StateError;
use crate::run_dir::SlidesError;
use crate::staged::StageError;
use crate::stages::error::StagesError;

/// Why the missing work of a run cannot be submitted.
#[derive(Debug, Error)]
pub(crate) enum SubmitError {
    /// The table of tasks cannot be made.
    #[error(transparent)]
    Stages(#[from] StagesError),
    /// The table of slides cannot be used.
    #[error(transparent)]
    Slides(#[from] SlidesError),
    /// The state of the run cannot be read.
    #[error(transparent)]
    State(#[from] StateError),
    /// The requests of items that ran out of memory or time cannot be used.
    #[error(transparent)]
    Raised(#[from] RaisedError),
    /// The section `[cluster]` cannot be kept.
    #[error(transparent)]
    Keys(#[from] KeptKeysError),
    /// Jobs cannot be submitted.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// A file of the run cannot be looked at.
    #[error(transparent)]
    Look(#[from] StageError),
    /// The run directory has no absolute path.
    #[error("{}: {source}", run.display())]
    Folder {
        /// The run directory.
        run: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The path of this program is not known.
    #[error("cannot find the path of this program: {0}")]
    Program(io::Error),
}
