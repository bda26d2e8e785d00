//! Reads the states of tasks from `squeue` and `sacct`.
//!
//! The words for states are from the section JOB STATE CODES of both manual pages.

use std::path::Path;

use crate::jobs::scheduler::command::{Answer, Call, Commands};
use crate::jobs::scheduler::contract::{FoundJob, Scheduler};
use crate::jobs::scheduler::error::SchedulerError;
use crate::jobs::scheduler::printed::indices;
use crate::jobs::scheduler::task::{
    End, JobQuery, Meaning, StateTable, TaskRecord, TaskState, look_up,
};
use crate::number::TaskNumber;

const SQUEUE_FORMAT: &str = "%i|%T|%S|%N|%r";
const SACCT_FORMAT: &str = "JobID,State,ExitCode,ElapsedRaw,Start,End,NodeList,AllocCPUS,Reason";

/// The message of `squeue` if all jobs of the query are forgotten.
const FORGOTTEN: &str = "Invalid job id specified";

/// SLURM's words for states.
pub(in crate::jobs::scheduler) const STATES: &StateTable = &[
    ("PENDING", Meaning::Queued),
    // The node is being started.
    ("CONFIGURING", Meaning::Queued),
    ("REQUEUED", Meaning::Queued),
    ("REQUEUE_FED", Meaning::Queued),
    ("RUNNING", Meaning::Running),
    // The program has ended, but a task that requeues itself is in this state too, on its way back
    // into the queue.
    ("COMPLETING", Meaning::Running),
    ("STAGE_OUT", Meaning::Running),
    ("SIGNALING", Meaning::Running),
    ("RESIZING", Meaning::Running),
    ("SUSPENDED", Meaning::Running),
    ("STOPPED", Meaning::Running),
    ("SPECIAL_EXIT", Meaning::Stuck),
    ("REQUEUE_HOLD", Meaning::Stuck),
    ("RESV_DEL_HOLD", Meaning::Stuck),
    ("COMPLETED", Meaning::ByExitCode),
    ("FAILED", Meaning::ByExitCode),
    ("TIMEOUT", Meaning::TimeLimit),
    ("OUT_OF_MEMORY", Meaning::Memory),
    ("NODE_FAIL", Meaning::NodeLoss),
    ("BOOT_FAIL", Meaning::NodeLoss),
    ("CANCELLED", Meaning::Cancelled),
    // The task could not end by the time that `--deadline` gives, so more time does not help.
    ("DEADLINE", Meaning::Cancelled),
    // Another cluster of the federation has started it.
    ("REVOKED", Meaning::Cancelled),
    ("PREEMPTED", Meaning::Requeued),
];

/// The reasons of pending tasks that wait for a person, with what the person can do. Limits on
/// what a user has running at once are not among them, because they pass.
const STUCK_REASONS: [(&str, &str); 17] = [
    ("DependencyNeverSatisfied", ""),
    ("JobHeldUser", ""),
    ("JobHeldAdmin", ""),
    ("PartitionTimeLimit", TIME),
    ("QOSMaxWallDurationPerJobLimit", TIME),
    ("AssocMaxWallDurationPerJobLimit", TIME),
    ("PartitionNodeLimit", CORES),
    ("QOSMaxCpuPerJobLimit", CORES),
    ("AssocMaxCpuPerJobLimit", CORES),
    ("QOSMaxMemoryPerJob", MEMORY),
    ("AssocMaxMemPerJob", MEMORY),
    ("MaxMemPerLimit", MEMORY),
    ("BadConstraints", "no node has what [cluster] requests"),
    ("PartitionInactive", "choose another [cluster] queue"),
    ("InvalidAccount", "choose another [cluster] account"),
    ("InvalidQOS", "choose another QOS in [cluster] extra"),
    ("AccountNotAllowed", "choose another [cluster] account or queue"),
];
const TIME: &str = "cancel it, and lower [cluster] time_min or choose another queue";
const CORES: &str = "cancel it, and lower [cluster] cpus or choose another queue";
const MEMORY: &str = "cancel it, and lower [cluster] memory_mb or choose another queue";

/// The state of a pending task with this reason, if it waits for a person.
fn stuck(reason: &str) -> Option<TaskState> {
    let (_, advice) = STUCK_REASONS.iter().find(|(known, _)| *known == reason)?;
    Some(TaskState::Stuck(match *advice {
        "" => reason.to_owned(),
        advice => format!("{reason}: {advice}"),
    }))
}

/// The tasks that are queued and running.
pub(super) fn queue(
    slurm: &dyn Scheduler,
    commands: &dyn Commands,
    query: &JobQuery,
) -> Result<Vec<TaskRecord>, SchedulerError> {
    let mut records = Vec::new();
    for ids in query.chunks() {
        let call = Call::new("squeue", &["-r", "-h", "-o", SQUEUE_FORMAT, "-j", &ids.join(",")]);
        let is_forgotten = |answer: &Answer| answer.stderr.contains(FORGOTTEN);
        let is_answer = |answer: &Answer| answer.ok || is_forgotten(answer);
        let answer = slurm.ask(commands, &call, &is_answer)?;
        if answer.ok {
            records.extend(parse_squeue(&call.line(), &answer.stdout)?);
        } else if !is_forgotten(&answer) {
            return Err(slurm.refused(&call, answer));
        }
    }
    Ok(records)
}

/// Looks for a job of this user by its script.
pub(super) fn find(
    slurm: &dyn Scheduler,
    commands: &dyn Commands,
    script: &Path,
) -> Result<FoundJob, SchedulerError> {
    // SAFETY: getuid has no preconditions and cannot fail.
    let user = unsafe { libc::getuid() }.to_string();
    let call = Call::new("squeue", &["-h", "-o", "%F|%o", "-u", &user]);
    let text = slurm.run(commands, &call)?.stdout;
    let jobs = text.lines().filter_map(|line| line.trim().split_once('|'));
    let mut jobs = jobs.filter(|(_, command)| Path::new(command) == script);
    let found = jobs.next_back();
    Ok(found.map_or(FoundJob::Nothing, |(id, _)| FoundJob::Queued(id.to_owned())))
}

/// The tasks in the accounting. `-D` includes earlier runs of tasks that were requeued.
pub(super) fn accounting(
    slurm: &dyn Scheduler,
    commands: &dyn Commands,
    query: &JobQuery,
) -> Result<Vec<TaskRecord>, SchedulerError> {
    let mut records = Vec::new();
    for ids in query.chunks() {
        let call = Call::new("sacct", &["-X", "-D", "-n", "-P", "-o", SACCT_FORMAT, "-j"]);
        let answer = slurm.run(commands, &call.arg(ids.join(",")))?;
        records.extend(parse_sacct(&answer.stdout));
    }
    Ok(records)
}

/// Reads the output of `squeue`, one task per line.
fn parse_squeue(call: &str, text: &str) -> Result<Vec<TaskRecord>, SchedulerError> {
    let mut records = Vec::new();
    for line in text.lines() {
        let error = || SchedulerError::answer(call, line, "id|state|start|node|reason");
        let fields: Vec<&str> = line.trim().splitn(5, '|').collect();
        let [id, word, _, node, reason] = fields[..] else { return Err(error()) };
        let reason = if reason == "None" { "" } else { reason };
        let stuck = stuck(reason).filter(|_| word == "PENDING");
        let state = stuck
            .unwrap_or_else(|| look_up(STATES, word, reason, || End::Unclear(word.to_owned())));
        for (job, index) in ids(id).ok_or_else(error)? {
            let record = TaskRecord::new(job, index, state.clone());
            records.push(TaskRecord { node: node.to_owned(), ..record });
        }
    }
    Ok(records)
}

/// Reads the output of `sacct`: all runs of tasks, in the order in which they began. Lines of
/// another form are ignored, because the accounting adds warnings.
fn parse_sacct(text: &str) -> Vec<TaskRecord> {
    let mut records = Vec::new();
    for line in text.lines() {
        let fields: Vec<&str> = line.trim().splitn(9, '|').collect();
        let [id, words, exit, elapsed, _, _, node, cores, reason] = fields[..] else { continue };
        // The state may be followed by words, as in `CANCELLED by 1000`.
        let word = words.split(' ').next().unwrap_or_default().trim_end_matches('+');
        let state = match word {
            // This is an earlier run; the next run of the task has a line of its own.
            "REQUEUED" => TaskState::Ended(End::Requeued),
            _ => look_up(STATES, word, reason, || match by_exit_code(exit) {
                End::Success if word != "COMPLETED" => End::Unclear(word.to_owned()),
                end => end,
            }),
        };
        let elapsed_s = elapsed.parse().ok().filter(|_| !matches!(state, TaskState::Queued(_)));
        for (job, index) in ids(id).unwrap_or_default() {
            records.push(TaskRecord {
                node: node.to_owned(),
                cores: cores.parse().unwrap_or(1),
                elapsed_s,
                ..TaskRecord::new(job, index, state.clone())
            });
        }
    }
    records
}

/// The end by exit code and signal, as in `7:0` and `0:9`.
fn by_exit_code(exit: &str) -> End {
    let (code, signal) = exit.split_once(':').unwrap_or((exit, "0"));
    match (code.parse(), signal.parse()) {
        (_, Ok(signal)) if signal != 0 => End::Signal(signal),
        (Ok(code), _) => End::from_shell_code(code),
        _ => End::Unclear(format!("exit code {exit}")),
    }
}

/// The job and its array indices, as in `15`, `15_3` and `15_[2-5%1]`.
fn ids(id: &str) -> Option<Vec<(&str, Option<TaskNumber>)>> {
    let Some((job, list)) = id.split_once('_') else { return Some(vec![(id, None)]) };
    Some(indices(list)?.into_iter().map(|index| (job, Some(index))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Captured by tests/data/schedulers/capture from SLURM 22.05.8.
    const SACCT: &str = include_str!("../../../../tests/data/schedulers/sacct.txt");
    const SQUEUE: &str = include_str!("../../../../tests/data/schedulers/squeue.txt");
    const LATER: &str = include_str!("../../../../tests/data/schedulers/squeue-later.txt");
    const JOBS: &str = include_str!("../../../../tests/data/schedulers/slurm-jobs.txt");

    fn squeue(text: &str) -> Vec<TaskRecord> {
        parse_squeue("squeue", text).unwrap()
    }

    /// The number that slurm-jobs.txt gives after `what`.
    fn job(what: &str) -> &'static str {
        let (_, rest) = JOBS.split_once(what).unwrap();
        rest.split([',', '\n']).next().unwrap().trim()
    }

    fn states(records: &[TaskRecord], job: &str) -> Vec<(u32, TaskState)> {
        let of_job = records.iter().filter(|record| record.job == job);
        of_job.map(|record| (record.index.unwrap().get(), record.state.clone())).collect()
    }

    #[test]
    fn the_accounting_distinguishes_ends() {
        let records = parse_sacct(SACCT);
        let mut ends = states(&records, job("all ends"));
        ends.truncate(7);
        // Over its memory is 0:9 here: OUT_OF_MEMORY needs cgroups.
        let expected = [
            End::Success,
            End::ExitCode(7),
            End::Signal(9),
            End::Cancelled,
            End::Signal(9),
            End::TimeLimit,
            End::ExitCode(5),
        ];
        assert_eq!(ends, (1..).zip(expected.map(TaskState::Ended)).collect::<Vec<_>>());
        let lost = states(&records, job("node lost for good"));
        assert_eq!(lost, [1, 2].map(|index| (index, TaskState::Ended(End::NodeLoss))));
        let requeued = states(&records, job("requeued"));
        assert_eq!(requeued[0], (1, TaskState::Ended(End::NodeLoss)));
        assert_eq!(requeued[3], (2, TaskState::Running));
        let held = states(&records, job("held"));
        let waits = TaskState::Queued("JobHeldUser".into());
        assert_eq!(held, (2..=5).map(|i| (i, waits.clone())).collect::<Vec<_>>());
        let late = TaskState::Ended(End::TimeLimit);
        let timeout = records.iter().find(|record| record.state == late).unwrap();
        assert!((60.0..100.0).contains(&timeout.elapsed_s.unwrap()), "{timeout:?}");
        assert_eq!(timeout.node, "n1");
    }

    #[test]
    fn the_queue_distinguishes_states() {
        let records = squeue(SQUEUE);
        assert_eq!(records.len(), SQUEUE.lines().count());
        assert!(records.iter().all(|record| record.state.is_live()), "{records:?}");
        let waits = states(&records, job("dependent"));
        assert_eq!(waits[0], (1, TaskState::Queued("Dependency".into())));
        let held = states(&records, job("held"));
        assert_eq!(held[0], (2, TaskState::Stuck("JobHeldUser".into())));
        let running = states(&records, job("requeued"));
        assert_eq!(running, [1, 2].map(|index| (index, TaskState::Running)));
        let never = states(&squeue(LATER), job("dependent"));
        assert_eq!(never[0], (1, TaskState::Stuck("DependencyNeverSatisfied".into())));
    }

    #[test]
    fn lines_of_other_clusters() {
        for (line, state) in [
            ("7_2|OUT_OF_MEMORY|0:125|9|1|2|n1|4|None", TaskState::Ended(End::Memory)),
            ("7_2|CANCELLED by 1000|0:15|9|1|2|n1|4|None", TaskState::Ended(End::Cancelled)),
            ("7_2|REQUEUED|0:0|9|1|2|n1|4|None", TaskState::Ended(End::Requeued)),
            ("7_2|NEW_WORD|0:0|9|1|2|n1|4|None", TaskState::Other("NEW_WORD".into())),
        ] {
            let record = &parse_sacct(line)[0];
            let index = record.index.map(TaskNumber::get);
            assert_eq!((index, record.cores, &record.state), (Some(2), 4, &state));
        }
        assert!(parse_sacct("slurmdbd: error: x\n\n").is_empty());
        let single = &squeue("9|RUNNING|N/A|n1|None")[0];
        assert_eq!((single.index, &single.state), (None, &TaskState::Running));
        let list = squeue("9_[2-3%1]|PENDING|N/A||Priority");
        assert_eq!(list.len(), 2);
        // An answer that is not understood must not pass for an empty queue.
        assert!(parse_squeue("squeue", "slurm_load_jobs error\n").is_err());
    }
}
