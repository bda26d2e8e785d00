//! The run, the scheduler and the options of a chain.

use std::path::Path;

use crate::config::ClusterKeys;
use crate::jobs::scheduler::{Commands, Scheduler};
use crate::jobs::submitted::Submission;
use crate::jobs::work::{Request, WorkItem};
use crate::run_dir::RunDir;

/// What becomes of the jobs that a command plans.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    /// They are submitted, and recorded.
    Submit,
    /// Their scripts are written, to be submitted by hand.
    WriteScripts,
    /// Their scripts are printed, and nothing is written.
    PrintScripts,
}

impl Effect {
    /// Whether nothing is submitted.
    pub(crate) fn is_dry(self) -> bool {
        self != Self::Submit
    }

    /// Whether scripts are written.
    pub(crate) fn writes_scripts(self) -> bool {
        self != Self::PrintScripts
    }
}

/// A chain of jobs: what is needed to submit them.
pub(crate) struct Chain<'a> {
    /// The run directory.
    pub run: &'a RunDir,
    /// The section `[cluster]` of the configuration.
    pub cluster: &'a ClusterKeys,
    /// The scheduler that runs the tasks.
    pub scheduler: &'a dyn Scheduler,
    /// Runs the commands of the scheduler.
    pub commands: &'a dyn Commands,
    /// Absolute path of this program.
    pub program: &'a Path,
    /// Lines for scripts that name the libraries of this shell to jobs.
    pub libraries: &'a [String],
    /// Returns the raised request of an item that ran out of memory or time.
    pub request: &'a dyn Fn(&WorkItem) -> Request,
    /// Number of groups that a task scores.
    pub groups_per_task: u32,
    /// Whether to make heatmaps.
    pub stitch: bool,
    /// Whether to make a study at the end.
    pub study: bool,
    /// What becomes of the jobs.
    pub effect: Effect,
    /// The round to continue; `None` starts a new one.
    pub round: Option<usize>,
    /// Called once if the queue is full and this program waits for room.
    pub on_wait: &'a dyn Fn(),
    /// Called with each job that is submitted, and with the text of its script.
    pub on_submit: &'a dyn Fn(&Submission, &str),
}
