//! The same array tasks by a pool of processes on this machine.

use std::num::NonZero;
use std::path::Path;

use super::command::{Call, Commands};
use super::contract::{Hold, Limits, Scheduler};
use super::error::SchedulerError;
use super::task::{JobQuery, Tasks};
use crate::config::{ClusterKeys, SchedulerKind};
use crate::jobs::script::{Job, common_values, render};

/// Runs a job when it is submitted, and returns when it has ended.
#[derive(Debug, Clone, Copy)]
pub struct Local {
    /// Cores to share between the tasks.
    pub cores: u32,
}

impl Default for Local {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
        Self { cores: u32::try_from(cores).unwrap_or(u32::MAX) }
    }
}

const TEMPLATE: &str = include_str!("../../../local/job.sh");

/// One process a task, at most `$3` at once. Tasks that fail are no failure of
/// the pool: what they left undone is seen from the files.
const POOL: &str =
    r#"seq "$2" | xargs -P "$3" -I{} env SLIDEGRID_TASK={} bash "$1" || true; echo "local-$$""#;

impl Scheduler for Local {
    fn kind(&self) -> SchedulerKind {
        SchedulerKind::Local
    }

    fn render(&self, job: &Job) -> String {
        let mut values = common_values(job, "\"$SLIDEGRID_TASK\"", None);
        values.push(("log", vec![format!("{}.\"${{SLIDEGRID_TASK:-1}}\".log", job.log)]));
        render(TEMPLATE, &values)
    }

    fn log_pattern(&self, job: &Job) -> String {
        format!("{}.{{index}}.log", job.log)
    }

    fn submit_call(&self, script: &Path, job: &Job, _: &Hold) -> Call {
        let pool = (self.cores / job.resources.cpus.max(1)).max(1);
        Call::new("sh", &["-c", POOL, "sh"])
            .arg(script.to_string_lossy())
            .arg(job.tasks.unwrap_or(1).to_string())
            .arg(pool.min(job.resources.throttle.unwrap_or(pool)).to_string())
    }

    fn job_id(&self, stdout: &str) -> Option<String> {
        stdout.lines().last().map(|line| line.trim().to_owned())
    }

    fn check_call(&self, _: &Path) -> Option<Call> {
        None
    }

    fn is_full(&self, _: &str) -> bool {
        false
    }

    fn site_limits(&self, _: &dyn Commands, _: &ClusterKeys) -> Result<Limits, SchedulerError> {
        Ok(Limits { array_tasks: u32::MAX, jobs: None, jobs_in_use: 0 })
    }

    /// What was submitted has ended.
    fn jobs_in_use(&self, _: &dyn Commands) -> Result<usize, SchedulerError> {
        Ok(0)
    }

    /// What was submitted has ended, and nobody keeps accounts of it.
    fn query(&self, _: &dyn Commands, _: &JobQuery) -> Tasks {
        Tasks::default()
    }
}
