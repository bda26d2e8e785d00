//! The scheduler IBM Spectrum LSF, by its reference. It was not tried on a real installation.

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

/// LSF, 10.1 or newer.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Lsf;

#[cfg(test)]
pub(super) use tasks::STATES;

const TEMPLATE: &str = include_str!("../../../../lsf/job.sh");

/// Largest number of tasks of an array if `bparams` does not print `MAX_JOB_ARRAY_SIZE`: the default
/// of LSF.
const DEFAULT_ARRAY_TASKS: u32 = 1000;

impl Scheduler for Lsf {
    fn kind(&self) -> SchedulerKind {
        SchedulerKind::Lsf
    }

    fn render(&self, job: &Job) -> String {
        let mut values = common_values(job, "\"$LSB_JOBINDEX\"", None);
        let throttle = job.resources.throttle.map_or(String::new(), |most| format!("%{most}"));
        let name = match job.tasks {
            Some(tasks) => format!("\"{}[1-{tasks}]{throttle}\"", job.name),
            None => job.name.clone(),
        };
        let numbers = if job.tasks.is_some() { "%J_%I" } else { "%J" };
        let time = job.resources.time_min.map(|minutes| minutes.to_string());
        values.push(("array_name", vec![name]));
        values.push(("log", vec![format!("{}.{numbers}.log", job.log)]));
        values.push(("time_min", time.into_iter().collect()));
        render(TEMPLATE, &values)
    }

    fn log_pattern(&self, job: &Job) -> String {
        let numbers = if job.tasks.is_some() { "{id}_{index}" } else { "{id}" };
        format!("{}.{numbers}.log", job.log)
    }

    fn submit_call(&self, script: &Path, _: &Job, condition: &StartCondition) -> Call {
        let mut call = Call::new("bsub", &[]);
        if !condition.after.is_empty() {
            let ended: Vec<_> = condition.after.iter().map(|id| format!("ended({id})")).collect();
            call = call.arg("-w").arg(ended.join(" && "));
        }
        if let Some(minutes) = condition.delay_min {
            let time = local_time_in(minutes);
            // bsub expects YYYY:MM:DD:hh:mm, and `time` is YYYYMMDDhhmm.
            let parts = [&time[0..4], &time[4..6], &time[6..8], &time[8..10], &time[10..12]];
            call = call.arg("-b").arg(parts.join(":"));
        }
        Call { stdin: Some(script.to_owned()), ..call }
    }

    fn job_id(&self, stdout: &str) -> Option<String> {
        // bsub prints `Job <1234> is submitted to queue <normal>.`
        let (_, rest) = stdout.split_once("Job <")?;
        let (id, _) = rest.split_once('>')?;
        id.parse::<u64>().ok().map(|_| id.to_owned())
    }

    /// LSF has no command that checks a job without submitting it.
    fn check_call(&self, _: &Path) -> Option<Call> {
        None
    }

    fn is_full(&self, printed: &str) -> bool {
        printed.contains("Pending job threshold reached")
    }

    fn site_limits(
        &self,
        commands: &dyn Commands,
        _: &ClusterKeys,
    ) -> Result<Limits, SchedulerError> {
        let text = self.run(commands, &Call::new("bparams", &["-a"]))?.stdout;
        let size = setting(&text, "MAX_JOB_ARRAY_SIZE").filter(|&size: &u32| size > 0);
        let array_tasks = size.unwrap_or(DEFAULT_ARRAY_TASKS);
        Ok(Limits { array_tasks, jobs: None, jobs_in_use: 0 })
    }

    fn jobs_in_use(&self, commands: &dyn Commands) -> Result<usize, SchedulerError> {
        tasks::unfinished(self, commands)
    }

    fn query(&self, commands: &dyn Commands, query: &JobQuery) -> Tasks {
        Tasks::join(Ok(Vec::new()), tasks::all(self, commands, query), query)
    }
}
