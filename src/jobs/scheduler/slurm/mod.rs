//! The scheduler SLURM.

mod limits;
mod tasks;

use std::path::Path;

use super::command::{Call, Commands};
use super::contract::{FoundJob, Limits, Scheduler, StartCondition};
use super::error::SchedulerError;
use super::task::{JobQuery, Tasks};
use crate::config::{ClusterKeys, SchedulerKind};
use crate::jobs::script::{Job, common_values, render};
use crate::jobs::work::Request;

/// SLURM, 20.11 or newer.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Slurm;

#[cfg(test)]
pub(super) use tasks::STATES;

const TEMPLATE: &str = include_str!("../../../../slurm/job.sh");
const RESUMABLE: &str = include_str!("../../../../slurm/resumable.sh");

impl Scheduler for Slurm {
    fn kind(&self) -> SchedulerKind {
        SchedulerKind::Slurm
    }

    fn render(&self, job: &Job) -> String {
        let mut values = common_values(job, "\"$SLURM_ARRAY_TASK_ID\"", Some(RESUMABLE));
        let warning = job.resources.warning_s().map(|seconds| seconds.to_string());
        let throttle = job.resources.throttle.map_or(String::new(), |most| format!("%{most}"));
        let array = job.tasks.map(|tasks| format!("1-{tasks}{throttle}"));
        let numbers = if job.tasks.is_some() { "%A_%a" } else { "%j" };
        values.push(("array", array.into_iter().collect()));
        values.push(("log", vec![format!("{}.{numbers}.log", job.log)]));
        let time = job.resources.time_min.map(|minutes| minutes.to_string());
        values.push(("time_min", time.into_iter().collect()));
        values.push(("warn_s", warning.into_iter().collect()));
        render(TEMPLATE, &values)
    }

    fn log_pattern(&self, job: &Job) -> String {
        let numbers = if job.tasks.is_some() { "{id}_{index}" } else { "{id}" };
        format!("{}.{numbers}.log", job.log)
    }

    fn submit_call(&self, script: &Path, _: &Job, condition: &StartCondition) -> Call {
        let mut call = Call::new("sbatch", &["--parsable"]);
        if !condition.after.is_empty() {
            // With afterok, the job would wait forever after a task failed or was requeued by its
            // exit code. What is missing is read from the files instead.
            call = call.arg(format!("--dependency=afterany:{}", condition.after.join(":")));
        }
        if let Some(minutes) = condition.delay_min {
            call = call.arg(format!("--begin=now+{minutes}minutes"));
        }
        call.arg(script.to_string_lossy())
    }

    fn job_id(&self, stdout: &str) -> Option<String> {
        // sbatch prints `id`, or `id;cluster` where there are several clusters.
        let id = stdout.trim().lines().last()?.split(';').next()?.trim();
        id.parse::<u64>().ok().map(|_| id.to_owned())
    }

    fn find_submitted(
        &self,
        commands: &dyn Commands,
        script: &Path,
    ) -> Result<FoundJob, SchedulerError> {
        tasks::find(self, commands, script)
    }

    fn check_call(&self, script: &Path) -> Option<Call> {
        Some(Call::new("sbatch", &["--test-only"]).arg(script.to_string_lossy()))
    }

    fn is_full(&self, printed: &str) -> bool {
        // SLURM also prints "job submit limit, user's size and/or time limits" when other policies
        // are violated, so that text does not count.
        printed.contains("MaxSubmitJob")
            || printed.contains("GrpSubmitJob")
            || printed.contains("MaxJobCount")
            // sbatch prints this after it has tried for two minutes to submit above MaxJobCount.
            || printed.contains("unable to accept job")
    }

    fn site_limits(
        &self,
        commands: &dyn Commands,
        keys: &ClusterKeys,
    ) -> Result<Limits, SchedulerError> {
        limits::site_limits(self, commands, keys)
    }

    fn largest_request(&self, commands: &dyn Commands, queue: Option<&str>) -> Request {
        limits::largest_request(commands, queue)
    }

    fn jobs_in_use(&self, commands: &dyn Commands) -> Result<usize, SchedulerError> {
        // SAFETY: getuid has no preconditions and cannot fail.
        let user = unsafe { libc::getuid() }.to_string();
        let call = Call::new("squeue", &["--noheader", "--array", "--user", &user, "--format=%i"]);
        Ok(self.run(commands, &call)?.stdout.lines().count())
    }

    fn query(&self, commands: &dyn Commands, query: &JobQuery) -> Tasks {
        let accounting = match query.with_ended {
            true => tasks::accounting(self, commands, query),
            false => Ok(Vec::new()),
        };
        Tasks::join(accounting, tasks::queue(self, commands, query), query)
    }
}
