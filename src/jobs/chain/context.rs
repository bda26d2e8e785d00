//! What the chain works with.

use std::path::Path;

use crate::config::ClusterKeys;
use crate::jobs::scheduler::{Commands, Scheduler};
use crate::jobs::submitted::Submission;
use crate::jobs::work::{Request, WorkItem};
use crate::run_dir::RunDir;

/// Everything that is needed to submit.
pub struct Chain<'a> {
    /// The run.
    pub run: &'a RunDir,
    /// What is asked for.
    pub cluster: &'a ClusterKeys,
    /// Who runs the tasks.
    pub scheduler: &'a dyn Scheduler,
    /// Who runs its commands.
    pub commands: &'a dyn Commands,
    /// This program, absolute.
    pub program: &'a Path,
    /// More memory or time for what ran out of it.
    pub request: &'a dyn Fn(&WorkItem) -> Request,
    /// Groups a task scores.
    pub groups_per_task: u32,
    /// Whether heatmaps are wanted.
    pub stitch: bool,
    /// Whether a study is wanted, last of all.
    pub study: bool,
    /// Write the scripts and submit nothing.
    pub dry_run: bool,
    /// The round to go on with; a new one when absent.
    pub round: Option<usize>,
    /// Called with each job.
    pub on_submit: &'a dyn Fn(&Submission),
}
