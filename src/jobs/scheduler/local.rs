//! The scheduler `local`: a pool of processes on this machine that runs the same array tasks.

use std::num::NonZero;
use std::path::Path;

use super::command::{Call, Commands};
use super::contract::{Limits, Scheduler, StartCondition};
use super::error::SchedulerError;
use super::task::{JobQuery, Tasks};
use crate::config::{ClusterKeys, SchedulerKind};
use crate::jobs::script::{Job, common_values, render};

/// A pool of processes. A job runs when it is submitted, and submitting returns when it has ended.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Local {
    /// Number of cores that the tasks share.
    pub cores: u32,
}

impl Default for Local {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
        Self { cores: u32::try_from(cores).expect("no machine has 2^32 cores") }
    }
}

const TEMPLATE: &str = include_str!("../../../local/job.sh");

/// Runs one process per task, at most `$3` at once. The pool does not fail if tasks fail, because
/// files say what they left undone.
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
        match job.tasks {
            Some(_) => format!("{}.{{index}}.log", job.log),
            None => format!("{}.1.log", job.log),
        }
    }

    fn submit_call(&self, script: &Path, job: &Job, _: &StartCondition) -> Call {
        let pool = (self.cores / job.resources.cpus.max(1)).max(1);
        Call::new("sh", &["-c", POOL, "sh"])
            .without_limit()
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

    /// All jobs have ended.
    fn jobs_in_use(&self, _: &dyn Commands) -> Result<usize, SchedulerError> {
        Ok(0)
    }

    /// All jobs have ended, and there are no records of them.
    fn query(&self, _: &dyn Commands, _: &JobQuery) -> Tasks {
        Tasks::default()
    }
}
