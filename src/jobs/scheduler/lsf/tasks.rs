//! Reads the states of tasks from `bjobs`.
//!
//! The words for states are from the reference of `bjobs` (IBM Spectrum LSF 10.1, command
//! reference, "bjobs: output, STAT" and "-o"), and the reasons of an end from its "LSF job
//! termination reason logging".

use crate::jobs::scheduler::command::{Answer, Call, Commands};
use crate::jobs::scheduler::contract::Scheduler;
use crate::jobs::scheduler::error::SchedulerError;
use crate::jobs::scheduler::task::{
    End, JobQuery, Meaning, StateTable, TaskRecord, TaskState, look_up,
};
use crate::number::TaskNumber;

const FORMAT: &str =
    "jobid jobindex stat exit_code exit_reason exec_host nalloc_slot run_time delimiter='|'";

/// LSF's words for states.
pub(in crate::jobs::scheduler) const STATES: &StateTable = &[
    ("PEND", Meaning::Queued),
    // Another job of its chunk runs.
    ("WAIT", Meaning::Queued),
    // The host is being started.
    ("PROV", Meaning::Queued),
    ("RUN", Meaning::Running),
    // LSF suspended the job, and resumes it.
    ("SSUSP", Meaning::Running),
    // The host does not answer.
    ("UNKWN", Meaning::Running),
    // A person suspended the job, while it was pending or running.
    ("PSUSP", Meaning::Stuck),
    ("USUSP", Meaning::Stuck),
    ("DONE", Meaning::ByExitCode),
    ("EXIT", Meaning::ByExitCode),
    // The job was killed, or submitted again by LSF, while its host did not answer.
    ("ZOMBI", Meaning::NodeLoss),
];

/// The messages of `bjobs` if there is nothing to list.
const NOTHING: [&str; 2] = ["is not found", "No unfinished job found"];

/// The tasks that are queued, that run, and that ended not long ago.
pub(super) fn all(
    lsf: &dyn Scheduler,
    commands: &dyn Commands,
    query: &JobQuery,
) -> Result<Vec<TaskRecord>, SchedulerError> {
    let mut records = Vec::new();
    for ids in query.chunks() {
        let flags = ["-u", "all", "-a", "-noheader", "-o", FORMAT];
        let call = Call::new("bjobs", &[&flags[..], ids.as_slice()].concat());
        let answer = run_bjobs(lsf, commands, &call)?;
        records.extend(parse_bjobs(&call.line(), &answer.stdout)?);
    }
    Ok(records)
}

/// Number of tasks that this user has queued and running.
pub(super) fn unfinished(
    lsf: &dyn Scheduler,
    commands: &dyn Commands,
) -> Result<usize, SchedulerError> {
    let call = Call::new("bjobs", &["-noheader", "-o", "jobid"]);
    Ok(run_bjobs(lsf, commands, &call)?.stdout.lines().count())
}

/// Runs `bjobs`, which may fail because it has forgotten a job.
fn run_bjobs(
    lsf: &dyn Scheduler,
    commands: &dyn Commands,
    call: &Call,
) -> Result<Answer, SchedulerError> {
    let is_expected = |line: &str| NOTHING.iter().any(|words| line.contains(words));
    let is_answer = |answer: &Answer| {
        let mut complaints = answer.stderr.lines().filter(|line| !line.trim().is_empty());
        !answer.timed_out && complaints.all(is_expected)
    };
    let answer = lsf.ask(commands, call, &is_answer)?;
    if is_answer(&answer) { Ok(answer) } else { Err(lsf.refused(call, answer)) }
}

/// Reads the output of `bjobs`, one task per line.
fn parse_bjobs(call: &str, text: &str) -> Result<Vec<TaskRecord>, SchedulerError> {
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    let records = lines.map(|line| {
        let error =
            || SchedulerError::answer(call, line, "id|index|state|exit|reason|host|slots|s");
        let fields: Vec<&str> = line.split('|').map(str::trim).collect();
        let [id, index, word, code, reason, host, slots, time] = fields[..] else {
            return Err(error());
        };
        // The index is 0 outside arrays.
        let index: u32 = index.parse().map_err(|_| error())?;
        let host = host.split(':').next().unwrap_or_default();
        Ok(TaskRecord {
            // `8*hosta` means eight slots of `hosta`.
            node: host.rsplit('*').next().unwrap_or_default().trim_matches('-').to_owned(),
            cores: slots.parse().unwrap_or(1),
            // The time is in the form `85 second(s)`.
            elapsed_s: time.split(' ').next().and_then(|seconds| seconds.parse().ok()),
            ..TaskRecord::new(id, TaskNumber::try_from(index).ok(), state(word, code, reason))
        })
    });
    records.collect()
}

fn state(word: &str, code: &str, reason: &str) -> TaskState {
    look_up(STATES, word, "", || match word {
        "DONE" => End::Success,
        _ => by_reason(code, reason),
    })
}

/// The end by a reason such as `TERM_RUNLIMIT: job killed after ...`, which is `-` if the program ended
/// by itself.
fn by_reason(code: &str, reason: &str) -> End {
    match reason.split(':').next().unwrap_or_default() {
        "TERM_RUNLIMIT" | "TERM_CPULIMIT" => End::TimeLimit,
        "TERM_MEMLIMIT" | "TERM_SWAP" => End::Memory,
        "TERM_ZOMBIE" | "TERM_REMOVE_HUNG_JOB" => End::NodeLoss,
        "TERM_OWNER" | "TERM_FORCE_OWNER" | "TERM_ADMIN" | "TERM_FORCE_ADMIN"
        | "TERM_BUCKET_KILL" | "TERM_DEADLINE" => End::Cancelled,
        "TERM_PREEMPT" | "TERM_WINDOW" | "TERM_LOAD" | "TERM_REQUEUE_OWNER"
        | "TERM_REQUEUE_ADMIN" => End::Requeued,
        _ => code
            .parse()
            .map_or_else(|_| End::Unclear(format!("EXIT {reason}")), End::from_shell_code),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made after lines of LSF 9.1.3 that the AiiDA project keeps in its tests
    /// (aiida/scheduler/plugins/test_lsf.py), with the columns that this program requests.
    const BJOBS: &str = include_str!("../../../../tests/data/schedulers/bjobs.txt");

    #[test]
    fn the_batch_daemon_distinguishes_states() {
        let records = parse_bjobs("bjobs", BJOBS).unwrap();
        let found: Vec<_> = records
            .iter()
            .map(|r| (r.job.as_str(), r.index.map(TaskNumber::get), r.state.clone()))
            .collect();
        let ended = TaskState::Ended;
        assert_eq!(
            found,
            [
                ("764213236", Some(1), ended(End::TimeLimit)),
                ("764213236", Some(2), ended(End::Memory)),
                ("764213236", Some(3), ended(End::ExitCode(5))),
                ("764220165", None, TaskState::Queued(String::new())),
                ("764254593", Some(7), TaskState::Running),
                ("764399747", None, ended(End::Success)),
            ]
        );
        assert_eq!((records[4].node.as_str(), records[4].cores), ("lxbsu2710", 2));
        assert_eq!(records[0].elapsed_s, Some(85.0));
        assert!(parse_bjobs("bjobs", "Request aborted by esub\n").is_err());
    }

    #[test]
    fn reasons_of_an_end_have_meanings() {
        for (code, reason, end) in [
            ("130", "TERM_OWNER: job killed by owner", End::Cancelled),
            ("137", "-", End::Signal(9)),
            ("1", "-", End::ExitCode(1)),
            (
                "-",
                "TERM_UNKNOWN: LSF cannot determine",
                End::Unclear("EXIT TERM_UNKNOWN: LSF cannot determine".into()),
            ),
        ] {
            assert_eq!(by_reason(code, reason), end, "{reason}");
        }
    }
}
