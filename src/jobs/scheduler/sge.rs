//! Grid Engine.

use std::path::Path;

use super::{Call, Commands, Hold, Limits, Queued, Scheduler, SchedulerError, run, setting};
use crate::config::{ClusterKeys, SchedulerKind};
use crate::jobs::script::{Job, common_values, render};

/// Grid Engine, 6.2u5 or newer and what came of it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sge;

const TEMPLATE: &str = include_str!("../../../sge/job.sh");
const RESUMABLE: &str = include_str!("../../../sge/resumable.sh");

/// `max_aj_tasks` when the configuration does not say.
const USUAL_ARRAY_TASKS: u32 = 75_000;

/// The environment a request for several cores names when nothing is said.
const USUAL_ENVIRONMENT: &str = "thread";

impl Scheduler for Sge {
    fn kind(&self) -> SchedulerKind {
        SchedulerKind::Sge
    }

    fn render(&self, job: &Job) -> String {
        let resources = &job.resources;
        let time_s = resources.time_min.map(|minutes| u64::from(minutes) * 60);
        // s_rt would warn too, but Grid Engine 8.1 then takes a second run's
        // first warning for the end of its time.
        let warned_at_s = time_s.zip(resources.warning_s().filter(|_| resources.requeues > 0));
        let command = match warned_at_s {
            None => job.command.clone(),
            Some((time_s, warn_s)) => {
                format!("timeout --signal=USR1 {} {}", time_s - u64::from(warn_s), job.command)
            }
        };
        let job = &Job { command, ..job.clone() };
        let mut values = common_values(job, "\"$SGE_TASK_ID\"", Some(RESUMABLE));
        let pe = resources.parallel_environment.as_deref().unwrap_or(USUAL_ENVIRONMENT);
        let pe = (resources.cpus > 1).then(|| format!("{pe} {}", resources.cpus));
        let maybe = |value: Option<String>| value.into_iter().collect::<Vec<_>>();
        let throttle = resources.throttle.filter(|_| job.tasks.is_some());
        let numbers = if job.tasks.is_some() { "$JOB_ID.$TASK_ID" } else { "$JOB_ID" };
        // Memory is asked for by the slot.
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

    fn log(&self, job: &Job) -> String {
        let numbers = if job.tasks.is_some() { "{id}.{index}" } else { "{id}" };
        format!("{}.{numbers}.log", job.log)
    }

    fn submit(&self, script: &Path, _: &Job, hold: &Hold) -> Call {
        let mut call = Call::new("qsub", &["-terse"]);
        if !hold.after.is_empty() {
            call = call.arg("-hold_jid").arg(hold.after.join(","));
        }
        if let Some(minutes) = hold.delay_min {
            call = call.arg("-a").arg(local_time_in(minutes));
        }
        call.arg(script.to_string_lossy())
    }

    fn job_id(&self, stdout: &str) -> Option<String> {
        // 4 for a job, 2.1-10:1 for an array.
        let id = stdout.trim().lines().last()?.split('.').next()?.trim();
        id.parse::<u64>().ok().map(|_| id.to_owned())
    }

    fn check(&self, script: &Path) -> Option<Call> {
        Some(Call::new("qsub", &["-w", "v"]).arg(script.to_string_lossy()))
    }

    fn is_full(&self, said: &str) -> bool {
        said.contains("jobs are allowed per user")
            || said.contains("jobs are allowed in this cluster")
    }

    /// An array counts once.
    fn counted(&self, _: u32) -> usize {
        1
    }

    fn limits(&self, commands: &dyn Commands, _: &ClusterKeys) -> Result<Limits, SchedulerError> {
        let text = run(self, commands, &Call::new("qconf", &["-sconf"]))?.stdout;
        // 0 means any number.
        let array_tasks = setting(&text, "max_aj_tasks").filter(|&limit: &u32| limit > 0);
        Ok(Limits {
            array_tasks: array_tasks.unwrap_or(USUAL_ARRAY_TASKS),
            submitted: setting(&text, "max_u_jobs").filter(|&limit: &usize| limit > 0),
        })
    }

    fn queued(&self, commands: &dyn Commands) -> Result<Vec<Queued>, SchedulerError> {
        let user = run(self, commands, &Call::new("id", &["-un"]))?.stdout;
        let call = Call::new("qstat", &["-xml", "-u", user.trim()]);
        let text = run(self, commands, &call)?.stdout;
        if !text.contains("</job_info>") {
            let said = text.chars().take(200).collect();
            return Err(SchedulerError::Answer {
                call: call.line(),
                said,
                expected: "a <job_info>",
            });
        }
        let jobs = text.split("<job_list").skip(1);
        jobs.map(|job| {
            let wrong = |expected| SchedulerError::Answer {
                call: call.line(),
                said: job.chars().take(200).collect(),
                expected,
            };
            let id = element(job, "JB_job_number").ok_or_else(|| wrong("a <JB_job_number>"))?;
            let state = element(job, "state").unwrap_or_default();
            let tasks = element(job, "tasks")
                .map(|tasks| super::indices(tasks).ok_or_else(|| wrong("<tasks> as ranges")));
            Ok(Queued {
                id: id.to_owned(),
                indices: tasks.transpose()?,
                stuck: state.contains('E'),
                state: state.to_owned(),
            })
        })
        .collect()
    }
}

/// The text of the first `<name>` element.
fn element<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    rest.split_once("</").map(|(text, _)| text.trim())
}

/// So many minutes from now, as [`local_time`].
pub(super) fn local_time_in(minutes: u32) -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    local_time(now.map_or(0, |since| since.as_secs()) + u64::from(minutes) * 60)
}

/// `[[CC]YY]MMDDhhmm` as Grid Engine wants it, local time.
pub fn local_time(unix_s: u64) -> String {
    let then = libc::time_t::try_from(unix_s).unwrap_or(libc::time_t::MAX);
    // SAFETY: all-zero is a valid tm, and localtime_r only writes to it.
    let time = unsafe {
        let mut time: libc::tm = std::mem::zeroed();
        libc::localtime_r(&raw const then, &raw mut time);
        time
    };
    format!(
        "{:04}{:02}{:02}{:02}{:02}",
        time.tm_year + 1900,
        time.tm_mon + 1,
        time.tm_mday,
        time.tm_hour,
        time.tm_min
    )
}
