//! SLURM.

use std::path::Path;

use super::{Call, Commands, Hold, Limits, Queued, Scheduler, SchedulerError, run, setting};
use crate::config::SchedulerKind;
use crate::jobs::script::{Job, common_values, render};

/// SLURM, 20.11 or newer.
#[derive(Debug, Clone, Copy, Default)]
pub struct Slurm;

const TEMPLATE: &str = include_str!("../../../slurm/job.sh");

impl Scheduler for Slurm {
    fn kind(&self) -> SchedulerKind {
        SchedulerKind::Slurm
    }

    fn render(&self, job: &Job) -> String {
        let mut values = common_values(job, "\"$SLURM_ARRAY_TASK_ID\"");
        let throttle = job.resources.throttle.map_or(String::new(), |most| format!("%{most}"));
        let array = job.tasks.map(|tasks| format!("1-{tasks}{throttle}"));
        let numbers = if job.tasks.is_some() { "%A_%a" } else { "%j" };
        values.push(("array", array.into_iter().collect()));
        values.push(("log", vec![format!("{}.{numbers}.log", job.log)]));
        let time = job.resources.time_min.map(|minutes| minutes.to_string());
        values.push(("time_min", time.into_iter().collect()));
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
    }

    fn limits(
        &self,
        commands: &dyn Commands,
        account: Option<&str>,
    ) -> Result<Limits, SchedulerError> {
        let call = Call::new("scontrol", &["show", "config"]);
        let text = run(self, commands, &call)?.stdout;
        let size = setting(&text, "MaxArraySize").ok_or_else(|| SchedulerError::Answer {
            call: call.line(),
            said: text.chars().take(200).collect(),
            expected: "a line MaxArraySize",
        })?;
        // The size caps the index: the largest is one less.
        Ok(Limits {
            array_tasks: size.saturating_sub(1).max(1),
            submitted: submit_limit(commands, account),
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

/// The smallest limit of this user's associations; none without accounting.
fn submit_limit(commands: &dyn Commands, account: Option<&str>) -> Option<usize> {
    let user = commands.run(&Call::new("id", &["-un"])).ok().filter(|answer| answer.ok)?;
    let mut call = Call::new("sacctmgr", &["-nP", "show", "assoc"]);
    call = call.arg(format!("user={}", user.stdout.trim()));
    if let Some(account) = account {
        call = call.arg(format!("account={account}"));
    }
    let answer = commands.run(&call.arg("format=MaxSubmitJobs")).ok().filter(|answer| answer.ok)?;
    answer.stdout.lines().filter_map(|line| line.trim().parse().ok()).min()
}
