//! The schedulers PBS Professional and OpenPBS, by their reference guide. They were not tried on a
//! real installation.

mod tasks;

use std::path::Path;

use super::clock::local_time_in;
use super::command::{Call, Commands};
use super::contract::{Limits, Scheduler, StartCondition};
use super::error::SchedulerError;
use super::printed::setting;
use super::task::{JobQuery, Tasks};
use crate::config::{ClusterKeys, SchedulerKind};
use crate::jobs::script::{Job, common_values, render};

/// PBS Professional and OpenPBS.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Pbs;

#[cfg(test)]
pub(super) use tasks::STATES;

const TEMPLATE: &str = include_str!("../../../../pbs/job.sh");

/// Largest number of tasks of an array if the server does not set `max_array_size`: the default of
/// PBS.
const DEFAULT_ARRAY_TASKS: u32 = 10_000;

impl Scheduler for Pbs {
    fn kind(&self) -> SchedulerKind {
        SchedulerKind::Pbs
    }

    fn render(&self, job: &Job) -> String {
        // PBS refuses an array of one task, so a single task becomes a job without an array.
        let mut values = common_values(job, "\"${PBS_ARRAY_INDEX:-1}\"", None);
        let resources = &job.resources;
        let throttle = resources.throttle.map_or(String::new(), |most| format!("%{most}"));
        let array = array_of(job).map(|tasks| format!("1-{tasks}{throttle}"));
        let mut select = format!("ncpus={}", resources.cpus);
        if let Some(mb) = resources.memory_mb {
            select.push_str(&format!(":mem={mb}mb"));
        }
        let walltime = resources.time_min.map(|m| format!("{:02}:{:02}:00", m / 60, m % 60));
        let index = if array_of(job).is_some() { ".^array_index^" } else { "" };
        values.push(("array", array.into_iter().collect()));
        values.push(("log", vec![format!("{}{index}.log", job.log)]));
        values.push(("select", vec![select]));
        values.push(("walltime", walltime.into_iter().collect()));
        render(TEMPLATE, &values)
    }

    fn log_pattern(&self, job: &Job) -> String {
        let index = if array_of(job).is_some() { ".{index}" } else { "" };
        format!("{}{index}.log", job.log)
    }

    fn submit_call(&self, script: &Path, _: &Job, condition: &StartCondition) -> Call {
        let mut call = Call::new("qsub", &[]);
        if !condition.after.is_empty() {
            call = call.arg("-W").arg(format!("depend=afterany:{}", condition.after.join(":")));
        }
        if let Some(minutes) = condition.delay_min {
            call = call.arg("-a").arg(local_time_in(minutes));
        }
        call.arg(script.to_string_lossy())
    }

    fn job_id(&self, stdout: &str) -> Option<String> {
        // qsub prints `1234.server` for a job and `1234[].server` for an array.
        let id = stdout.trim().lines().last()?.trim();
        id.starts_with(|c: char| c.is_ascii_digit()).then(|| id.to_owned())
    }

    /// PBS has no command that checks a job without submitting it.
    fn check_call(&self, _: &Path) -> Option<Call> {
        None
    }

    fn is_full(&self, printed: &str) -> bool {
        printed.contains("would exceed") && printed.contains("limit")
    }

    fn site_limits(
        &self,
        commands: &dyn Commands,
        _: &ClusterKeys,
    ) -> Result<Limits, SchedulerError> {
        let call = Call::new("qmgr", &["-c", "print server max_array_size"]);
        let text = self.run(commands, &call)?.stdout;
        let size = text.lines().find_map(|line| setting(line.trim(), "set server max_array_size"));
        // PBS can limit queued jobs in many ways, which are not read here. The key
        // cluster.max_submitted_jobs states the limit.
        let array_tasks = size.unwrap_or(DEFAULT_ARRAY_TASKS);
        Ok(Limits { array_tasks, jobs: None, jobs_in_use: 0 })
    }

    fn jobs_in_use(&self, commands: &dyn Commands) -> Result<usize, SchedulerError> {
        let user = self.run(commands, &Call::new("id", &["-un"]))?.stdout;
        let call = Call::new("qselect", &["-T", "-u", user.trim()]);
        let text = self.run(commands, &call)?.stdout;
        // `1234[].server` is an array as a whole. It is left out, because its tasks are listed too.
        Ok(text.lines().filter(|line| !line.trim().is_empty() && !line.contains("[]")).count())
    }

    fn query(&self, commands: &dyn Commands, query: &JobQuery) -> Tasks {
        let accounting = match query.with_ended {
            true => tasks::accounting(self, commands, query),
            false => Ok(Vec::new()),
        };
        Tasks::join(accounting, tasks::queue(self, commands, query), query)
    }
}

/// Number of tasks of the array; `None` for a job without an array.
fn array_of(job: &Job) -> Option<u32> {
    job.tasks.filter(|&tasks| tasks > 1)
}
