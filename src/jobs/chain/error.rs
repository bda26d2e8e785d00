//! Why the chain cannot go on.

use std::path::PathBuf;

use thiserror::Error;

use crate::jobs::scheduler::SchedulerError;
use crate::jobs::submitted::SubmittedError;
use crate::staged::StageError;

/// The chain cannot go on.
#[derive(Debug, Error)]
pub enum ChainError {
    /// The scheduler refused or is not there.
    #[error(transparent)]
    Scheduler(#[from] SchedulerError),
    /// No job like this could ever run.
    #[error(
        "what [cluster] asks for a {stage} job cannot be had, so nothing was submitted: {source}"
    )]
    Check {
        /// Which level.
        stage: &'static str,
        /// What the scheduler said.
        source: SchedulerError,
    },
    /// What was submitted cannot be read or written.
    #[error(transparent)]
    Submitted(#[from] SubmittedError),
    /// A script cannot be written.
    #[error(transparent)]
    Write(#[from] StageError),
    /// The queue stayed full.
    #[error("{}: for an hour the queue had no place for the job that goes on; run `slidegrid master retry` later", run.display())]
    Full {
        /// The run directory.
        run: PathBuf,
    },
    /// A folder or script cannot be made, or has a name that schedulers do not
    /// take.
    #[error("{}: {problem}", path.display())]
    Folder {
        /// The folder or script.
        path: PathBuf,
        /// What is wrong, and what to do.
        problem: String,
    },
}
