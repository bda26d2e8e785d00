//! The error of submitting jobs.

use std::path::PathBuf;

use thiserror::Error;

use crate::jobs::scheduler::SchedulerError;
use crate::jobs::submitted::SubmittedError;
use crate::staged::StageError;

/// Why jobs cannot be submitted.
#[derive(Debug, Error)]
pub(crate) enum ChainError {
    /// The scheduler refuses a job, or is not installed.
    #[error(transparent)]
    Scheduler(#[from] SchedulerError),
    /// A job of this stage could never run.
    #[error(
        "no node can fulfil what [cluster] requests for a {stage} job, so nothing was submitted: {source}"
    )]
    Check {
        /// Stage of the job.
        stage: &'static str,
        /// The answer of the scheduler.
        source: SchedulerError,
    },
    /// The journal of submitted jobs cannot be read or written.
    #[error(transparent)]
    Submitted(#[from] SubmittedError),
    /// A script cannot be written.
    #[error(transparent)]
    Write(#[from] StageError),
    /// The queue stayed full for an hour.
    #[error("{}: the queue had no room for the master job for an hour; run `slidegrid master retry` later", run.display())]
    Full {
        /// The run directory.
        run: PathBuf,
    },
    /// A folder cannot be made, or has a name that schedulers do not take.
    #[error("{}: {problem}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What is wrong, and what to do.
        problem: String,
    },
}
