//! Asks SLURM and Grid Engine about jobs.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use super::arrays::SubmittedArray;
use super::sched_state::{
    SACCT_FORMAT, SQUEUE_FORMAT, TaskRecord, parse_qacct, parse_qstat, parse_sacct, parse_squeue,
};
use super::scheduler::local_time;

/// What the schedulers say of some jobs.
#[derive(Debug, Default)]
pub struct Answers {
    /// Every run of every task that is known: ended ones in order, then what
    /// is queued or running now.
    pub records: Vec<TaskRecord>,
    /// What could not be asked, and why.
    pub warnings: Vec<String>,
}

/// Asks about what was submitted.
///
/// Of a scheduler that cannot be asked here a warning tells; so do schedulers
/// that are not known.
pub fn ask(arrays: &[SubmittedArray]) -> Answers {
    let mut answers = Answers::default();
    let mut jobs: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for array in arrays {
        jobs.entry(&array.scheduler).or_default().insert(&array.id);
    }
    for (scheduler, ids) in jobs {
        match scheduler {
            "slurm" => ask_slurm(&ids, &mut answers),
            "sge" => {
                let of_sge = arrays.iter().filter(|array| array.scheduler == "sge");
                let first = of_sge.map(|array| array.time_s).min().unwrap_or(0);
                ask_sge(&ids, first, &mut answers);
            }
            "local" => {}
            other => answers
                .warnings
                .push(format!("jobs of {other} are not looked up: files alone tell")),
        }
    }
    answers
}

fn ask_slurm(ids: &BTreeSet<&str>, answers: &mut Answers) {
    let list = ids.iter().copied().collect::<Vec<_>>().join(",");
    // sacct lags, squeue forgets: both are asked, and squeue has the last word.
    // Accounting may be off: then only the queue is known.
    let sacct = ["-X", "-D", "-n", "-P", "-o", SACCT_FORMAT, "-j", &list];
    let ended = said("sacct", &sacct, answers, parse_sacct);
    let squeue = ["-r", "-h", "--me", "-o", SQUEUE_FORMAT];
    let queued = said("squeue", &squeue, answers, parse_squeue);
    let queued = queued.into_iter().filter(|record| ids.contains(record.job.as_str()));
    answers.records.extend(ended.into_iter().chain(queued));
}

fn ask_sge(ids: &BTreeSet<&str>, first_unix_s: u64, answers: &mut Answers) {
    let queued = said("qstat", &[], answers, parse_qstat);
    // The accounting file may be huge: one pass over it, not one a job.
    let user = Command::new("id").arg("-un").output();
    let user = user.map(|said| String::from_utf8_lossy(&said.stdout).trim().to_owned());
    let since = local_time(first_unix_s);
    let qacct = ["-o", &user.unwrap_or_default(), "-b", &since, "-j"];
    let ended = said("qacct", &qacct, answers, parse_qacct);
    let records = ended.into_iter().chain(queued);
    answers.records.extend(records.filter(|record| ids.contains(record.job.as_str())));
}

fn said(
    program: &str,
    args: &[&str],
    answers: &mut Answers,
    parse: fn(&str) -> Vec<TaskRecord>,
) -> Vec<TaskRecord> {
    let output = Command::new(program).args(args).env("SLURM_TIME_FORMAT", "%s").output();
    match output {
        Ok(output) if output.status.success() => parse(&String::from_utf8_lossy(&output.stdout)),
        Ok(output) => {
            let told = String::from_utf8_lossy(&output.stderr);
            let told = told.trim().lines().last().unwrap_or_default().to_owned();
            answers.warnings.push(format!("{program} does not answer ({told}): files alone tell"));
            Vec::new()
        }
        Err(error) => {
            answers.warnings.push(format!("cannot run {program} ({error}): files alone tell"));
            Vec::new()
        }
    }
}
