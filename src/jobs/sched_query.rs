//! Asks SLURM and Grid Engine about jobs.

use std::collections::BTreeSet;
use std::process::Command;

use super::sched_state::{
    SACCT_FORMAT, SQUEUE_FORMAT, TaskRecord, parse_qacct, parse_qstat, parse_sacct, parse_squeue,
};

/// What the schedulers say of some jobs.
#[derive(Debug, Default)]
pub struct Answers {
    /// Every run of every task that is known: ended ones in order, then what
    /// is queued or running now.
    pub records: Vec<TaskRecord>,
    /// What could not be asked, and why.
    pub warnings: Vec<String>,
}

/// Asks about jobs, given as (scheduler, id).
///
/// Of a scheduler that cannot be asked here a warning tells; so do schedulers
/// that are not known.
pub fn ask<'a>(jobs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Answers {
    let (mut slurm, mut sge) = (BTreeSet::new(), BTreeSet::new());
    let mut answers = Answers::default();
    let mut others = BTreeSet::new();
    for (scheduler, id) in jobs {
        match scheduler {
            "slurm" => drop(slurm.insert(id)),
            "sge" => drop(sge.insert(id)),
            "local" => {}
            other => drop(others.insert(other)),
        }
    }
    for other in others {
        answers.warnings.push(format!("jobs of {other} are not looked up: files alone tell"));
    }
    if !slurm.is_empty() {
        ask_slurm(&slurm, &mut answers);
    }
    if !sge.is_empty() {
        ask_sge(&sge, &mut answers);
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

fn ask_sge(ids: &BTreeSet<&str>, answers: &mut Answers) {
    let queued = said("qstat", &[], answers, parse_qstat);
    for id in ids {
        // It says "not found" of a job that has not ended anything yet.
        let output = Command::new("qacct").args(["-j", id]).output();
        if let Ok(output) = output {
            answers.records.extend(parse_qacct(&String::from_utf8_lossy(&output.stdout)));
        }
    }
    let queued = queued.into_iter().filter(|record| ids.contains(record.job.as_str()));
    answers.records.extend(queued);
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
