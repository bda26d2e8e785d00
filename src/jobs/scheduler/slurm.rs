//! SLURM.

use std::path::Path;

use super::{Call, Commands, Hold, Limits, Queued, Scheduler, SchedulerError, run, setting};
use crate::config::{ClusterKeys, SchedulerKind};
use crate::jobs::script::{Job, common_values, render};

/// SLURM, 20.11 or newer.
#[derive(Debug, Clone, Copy, Default)]
pub struct Slurm;

const TEMPLATE: &str = include_str!("../../../slurm/job.sh");
const RESUMABLE: &str = include_str!("../../../slurm/resumable.sh");

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

    fn log(&self, job: &Job) -> String {
        let numbers = if job.tasks.is_some() { "{id}_{index}" } else { "{id}" };
        format!("{}.{numbers}.log", job.log)
    }

    fn submit(&self, script: &Path, _: &Job, hold: &Hold) -> Call {
        let mut call = Call::new("sbatch", &["--parsable"]);
        if !hold.after.is_empty() {
            // afterok would wait for ever once a task fails or is requeued by
            // its exit code; files tell what is missing.
            call = call.arg(format!("--dependency=afterany:{}", hold.after.join(":")));
        }
        if let Some(minutes) = hold.delay_min {
            call = call.arg(format!("--begin=now+{minutes}minutes"));
        }
        call.arg(script.to_string_lossy())
    }

    fn job_id(&self, stdout: &str) -> Option<String> {
        // With several clusters: id;cluster.
        let id = stdout.trim().lines().last()?.split(';').next()?.trim();
        id.parse::<u64>().ok().map(|_| id.to_owned())
    }

    fn check(&self, script: &Path) -> Option<Call> {
        Some(Call::new("sbatch", &["--test-only"]).arg(script.to_string_lossy()))
    }

    fn is_full(&self, said: &str) -> bool {
        said.contains("MaxSubmitJob")
            || said.contains("GrpSubmitJob")
            || said.contains("MaxJobCount")
            || said.contains("job submit limit")
            // MaxJobCount, after two minutes of trying.
            || said.contains("unable to accept job")
    }

    fn limits(
        &self,
        commands: &dyn Commands,
        keys: &ClusterKeys,
    ) -> Result<Limits, SchedulerError> {
        let call = Call::new("scontrol", &["show", "config"]);
        let text = run(self, commands, &call)?.stdout;
        let size: u32 = setting(&text, "MaxArraySize").ok_or_else(|| SchedulerError::Answer {
            call: call.line(),
            said: text.chars().take(200).collect(),
            expected: "a line MaxArraySize",
        })?;
        let own = enforced(&text).then(|| submit_limit(commands, keys)).flatten();
        // Of everybody, and of jobs that have just ended: a tenth is left to them.
        let shared = setting(&text, "MaxJobCount").map(|most: usize| most / 10 * 9);
        // The size caps the index: the largest is one less.
        Ok(Limits {
            array_tasks: size.saturating_sub(1).max(1),
            submitted: own.into_iter().chain(shared).min(),
        })
    }

    fn queued(&self, commands: &dyn Commands) -> Result<Vec<Queued>, SchedulerError> {
        // SAFETY: getuid has no preconditions and cannot fail.
        let user = unsafe { libc::getuid() }.to_string();
        let call = Call::new("squeue", &["--noheader", "--array", "--user", &user])
            .arg("--format=%F|%K|%T|%r");
        let text = run(self, commands, &call)?.stdout;
        let mut found: Vec<Queued> = Vec::new();
        for line in text.lines() {
            let wrong = || SchedulerError::Answer {
                call: call.line(),
                said: line.to_owned(),
                expected: "id|index|state|reason",
            };
            let [id, index, state, reason] =
                line.split('|').collect::<Vec<_>>().try_into().map_err(|_| wrong())?;
            // What is completing has ended; only its node is being cleaned.
            if state == "COMPLETING" {
                continue;
            }
            let index =
                if index == "N/A" { None } else { Some(super::indices(index).ok_or_else(wrong)?) };
            let stuck = state == "SPECIAL_EXIT" || reason.starts_with("JobHeld");
            match (found.last_mut(), index) {
                (Some(last), Some(more))
                    if last.id == id && last.state == state && last.stuck == stuck =>
                {
                    last.indices.get_or_insert_default().extend(more);
                }
                (_, indices) => {
                    found.push(Queued { id: id.into(), indices, state: state.into(), stuck });
                }
            }
        }
        Ok(found)
    }
}

/// Whether limits are more than numbers in a database.
fn enforced(config: &str) -> bool {
    let line = config.lines().find(|line| line.starts_with("AccountingStorageEnforce "));
    // Old versions do not say.
    line.is_none_or(|line| line.contains("limits") || line.contains("all"))
}

/// The smallest of the limits on submitted jobs of this user's associations
/// and of the QOS that applies; none without accounting.
fn submit_limit(commands: &dyn Commands, keys: &ClusterKeys) -> Option<usize> {
    let user = said(commands, Call::new("id", &["-un"]))?;
    let mut call = Call::new("sacctmgr", &["-nP", "show", "assoc"]);
    call = call.arg(format!("user={}", user.trim()));
    if let Some(account) = &keys.account {
        call = call.arg(format!("account={account}"));
    }
    let associations = said(commands, call.arg("format=MaxSubmitJobs,DefaultQOS,QOS"))?;
    let mut limits = Vec::new();
    let mut qos: Vec<String> = asked_qos(&keys.extra).into_iter().collect();
    for line in associations.lines() {
        let mut fields = line.trim().split('|');
        limits.extend(fields.next().and_then(|limit| limit.parse::<usize>().ok()));
        if asked_qos(&keys.extra).is_none() {
            // Without a default there is a list, and one of it is the only one.
            let default = fields.find(|names| !names.is_empty() && !names.contains(','));
            qos.extend(default.map(ToOwned::to_owned));
        }
    }
    qos.extend(keys.queue.as_ref().and_then(|partition| partition_qos(commands, partition)));
    if !qos.is_empty() {
        let call = Call::new("sacctmgr", &["-nP", "show", "qos"]).arg(qos.join(","));
        let said = said(commands, call.arg("format=MaxSubmitJobsPerUser")).unwrap_or_default();
        limits.extend(said.lines().filter_map(|line| line.trim().parse::<usize>().ok()));
    }
    limits.into_iter().min()
}

fn said(commands: &dyn Commands, call: Call) -> Option<String> {
    commands.run(&call).ok().filter(|answer| answer.ok).map(|answer| answer.stdout)
}

/// `--qos=long`, `--qos long`, `-q long`
fn asked_qos(extra: &[String]) -> Option<String> {
    extra.iter().find_map(|flag| {
        let rest = flag.strip_prefix("--qos").or_else(|| flag.strip_prefix("-q"))?;
        Some(rest.trim_start_matches(['=', ' ']).trim().to_owned())
    })
}

/// The QOS of a partition, which counts besides.
fn partition_qos(commands: &dyn Commands, partition: &str) -> Option<String> {
    let text = said(commands, Call::new("scontrol", &["show", "partition", partition]))?;
    let qos = text.split_whitespace().find_map(|word| word.strip_prefix("QoS="))?;
    (qos != "N/A").then(|| qos.to_owned())
}
