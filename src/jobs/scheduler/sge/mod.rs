//! The scheduler Grid Engine.

mod tasks;

use std::collections::BTreeSet;
use std::path::Path;

use super::clock::local_time_in;
use super::command::{Call, Commands};
use super::contract::{Limits, Scheduler, StartCondition};
use super::error::SchedulerError;
use super::printed::setting;
use super::task::{JobQuery, Tasks};
use crate::config::{ClusterKeys, SchedulerKind};
use crate::jobs::script::{Job, common_values, render};

/// Grid Engine 6.2u5 or newer, and its successors.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Sge;

#[cfg(test)]
pub(super) use tasks::STATES;

const TEMPLATE: &str = include_str!("../../../../sge/job.sh");
const RESUMABLE: &str = include_str!("../../../../sge/resumable.sh");

/// Largest number of tasks of an array if the cluster does not set `max_aj_tasks`: the default of
/// Grid Engine.
const DEFAULT_ARRAY_TASKS: u32 = 75_000;

/// The parallel environment that a request for several cores names if the configuration names
/// none.
const DEFAULT_ENVIRONMENT: &str = "thread";

impl Scheduler for Sge {
    fn kind(&self) -> SchedulerKind {
        SchedulerKind::Sge
    }

    fn render(&self, job: &Job) -> String {
        let resources = &job.resources;
        let time_s = resources.time_min.map(|minutes| u64::from(minutes) * 60);
        // The limit s_rt would send a warning too. But when a task runs a second time, Grid Engine
        // 8.1 takes the first warning of s_rt for the end of the task's time.
        let warned_at_s = time_s.zip(resources.warning_s().filter(|_| resources.requeues > 0));
        let command = match warned_at_s {
            None => job.command.clone(),
            Some((time_s, warn_s)) => {
                format!("timeout --signal=USR1 {} {}", time_s - u64::from(warn_s), job.command)
            }
        };
        let job = &Job { command, ..job.clone() };
        let mut values = common_values(job, "\"$SGE_TASK_ID\"", Some(RESUMABLE));
        let pe = resources.parallel_environment.as_deref().unwrap_or(DEFAULT_ENVIRONMENT);
        let pe = (resources.cpus > 1).then(|| format!("{pe} {}", resources.cpus));
        let maybe = |value: Option<String>| value.into_iter().collect::<Vec<_>>();
        let throttle = resources.throttle.filter(|_| job.tasks.is_some());
        let numbers = if job.tasks.is_some() { "$JOB_ID.$TASK_ID" } else { "$JOB_ID" };
        // Grid Engine counts memory per slot, and a task has a slot per core.
        let slot = resources.memory_mb.map(|mb| mb.div_ceil(resources.cpus.max(1)).to_string());
        values.push(("array", maybe(job.tasks.map(|tasks| format!("1-{tasks}")))));
        values.push(("throttle", maybe(throttle.map(|most| most.to_string()))));
        values.push(("log", vec![format!("{}.{numbers}.log", job.log)]));
        values.push(("pe", maybe(pe)));
        values.push(("slot_memory_mb", maybe(slot)));
        let notify = (resources.requeues > 0).then(|| "-notify".to_owned());
        values.push(("time_s", maybe(time_s.map(|seconds| seconds.to_string()))));
        values.push(("notify", maybe(notify)));
        render(TEMPLATE, &values)
    }

    fn log_pattern(&self, job: &Job) -> String {
        let numbers = if job.tasks.is_some() { "{id}.{index}" } else { "{id}" };
        format!("{}.{numbers}.log", job.log)
    }

    fn submit_call(&self, script: &Path, _: &Job, condition: &StartCondition) -> Call {
        let mut call = Call::new("qsub", &["-terse"]);
        if !condition.after.is_empty() {
            call = call.arg("-hold_jid").arg(condition.after.join(","));
        }
        if let Some(minutes) = condition.delay_min {
            call = call.arg("-a").arg(local_time_in(minutes));
        }
        call.arg(script.to_string_lossy())
    }

    fn job_id(&self, stdout: &str) -> Option<String> {
        // qsub prints `4` for a job and `2.1-10:1` for an array.
        let id = stdout.trim().lines().last()?.split('.').next()?.trim();
        id.parse::<u64>().ok().map(|_| id.to_owned())
    }

    fn check_call(&self, script: &Path) -> Option<Call> {
        Some(Call::new("qsub", &["-w", "v"]).arg(script.to_string_lossy()))
    }

    fn is_full(&self, printed: &str) -> bool {
        printed.contains("jobs are allowed per user")
            || printed.contains("jobs are allowed in this cluster")
    }

    fn counts_arrays_once(&self) -> bool {
        true
    }

    fn site_limits(
        &self,
        commands: &dyn Commands,
        _: &ClusterKeys,
    ) -> Result<Limits, SchedulerError> {
        let text = self.run(commands, &Call::new("qconf", &["-sconf"]))?.stdout;
        // A limit of 0 means that there is no limit.
        let array_tasks = setting(&text, "max_aj_tasks").filter(|&limit: &u32| limit > 0);
        Ok(Limits {
            array_tasks: array_tasks.unwrap_or(DEFAULT_ARRAY_TASKS),
            jobs: setting(&text, "max_u_jobs").filter(|&limit: &usize| limit > 0),
            jobs_in_use: 0,
        })
    }

    fn jobs_in_use(&self, commands: &dyn Commands) -> Result<usize, SchedulerError> {
        let jobs = tasks::queue(self, commands, &tasks::own_user(self, commands)?)?;
        Ok(jobs.iter().map(|record| &record.job).collect::<BTreeSet<_>>().len())
    }

    fn query(&self, commands: &dyn Commands, query: &JobQuery) -> Tasks {
        let accounting = match query.with_ended {
            true => tasks::accounting(self, commands, query),
            false => Ok(Vec::new()),
        };
        // The jobs of all users are listed, because another user may have continued the run.
        Tasks::join(accounting, tasks::queue(self, commands, "*"), query)
    }
}
