//! What `squeue` and `sacct` print.

use super::{TaskRecord, TaskState, indices};

/// For `squeue -r -h -o`, with `SLURM_TIME_FORMAT=%s`.
pub const SQUEUE_FORMAT: &str = "%i|%T|%S|%N|%r";
/// For `sacct -X -D -n -P -o`, with `SLURM_TIME_FORMAT=%s`. `-D` keeps the
/// earlier runs of tasks that were requeued.
pub const SACCT_FORMAT: &str =
    "JobID,State,ExitCode,ElapsedRaw,Start,End,NodeList,AllocCPUS,Reason";

/// Reads `squeue -r -h -o SQUEUE_FORMAT`; other lines are passed over.
pub fn parse_squeue(text: &str) -> Vec<TaskRecord> {
    let mut records = Vec::new();
    for line in text.lines() {
        let fields: Vec<&str> = line.trim().splitn(5, '|').collect();
        let [id, state, started, node, reason] = fields[..] else { continue };
        let state = match state {
            // Of an array whose parent has failed; it waits for ever.
            "PENDING" if reason == "DependencyNeverSatisfied" => TaskState::Stuck(reason.into()),
            "SPECIAL_EXIT" | "REQUEUE_HOLD" => TaskState::Stuck(state.into()),
            "PENDING" | "CONFIGURING" | "REQUEUED" | "REQUEUE_FED" | "RESV_DEL_HOLD" => {
                TaskState::Pending(if reason == "None" { String::new() } else { reason.into() })
            }
            "RUNNING" | "COMPLETING" | "SUSPENDED" | "STOPPED" | "STAGE_OUT" | "SIGNALING"
            | "RESIZING" => TaskState::Running,
            other => ended(other, "0:0"),
        };
        for (job, index) in ids(id) {
            records.push(TaskRecord {
                node: node.to_owned(),
                started_unix_s: started.parse().ok(),
                ..TaskRecord::new(job, index, state.clone())
            });
        }
    }
    records
}

/// Reads `sacct -X -D -n -P -o SACCT_FORMAT`: every run of every task, in the
/// order they began; other lines are passed over.
pub fn parse_sacct(text: &str) -> Vec<TaskRecord> {
    let mut records = Vec::new();
    for line in text.lines() {
        let fields: Vec<&str> = line.trim().splitn(9, '|').collect();
        let [id, state, exit, elapsed, started, _, node, cores, reason] = fields[..] else {
            continue;
        };
        let state = match state {
            "PENDING" | "REQUEUE_HOLD" => TaskState::Pending(reason.to_owned()),
            "RUNNING" | "COMPLETING" | "SUSPENDED" | "CONFIGURING" => TaskState::Running,
            other => ended(other, exit),
        };
        for (job, index) in ids(id) {
            records.push(TaskRecord {
                node: node.to_owned(),
                cores: cores.parse().unwrap_or(1),
                elapsed_s: elapsed.parse().ok().filter(|_| !matches!(state, TaskState::Pending(_))),
                started_unix_s: started.parse().ok(),
                ..TaskRecord::new(job, index, state.clone())
            });
        }
    }
    records
}

/// `exit`: exit code and signal, `7:0`, `0:9`.
fn ended(state: &str, exit: &str) -> TaskState {
    let (code, signal) = exit.split_once(':').unwrap_or((exit, "0"));
    let (code, signal) = (code.parse().unwrap_or(0), signal.parse().unwrap_or(0));
    // `CANCELLED by 1000`
    match state.split(' ').next().unwrap_or_default().trim_end_matches('+') {
        "COMPLETED" => TaskState::Done,
        "FAILED" if signal != 0 => TaskState::Signalled(signal),
        "FAILED" => TaskState::Failed(code),
        "TIMEOUT" | "DEADLINE" => TaskState::TimeLimit,
        "OUT_OF_MEMORY" => TaskState::Memory,
        "NODE_FAIL" | "BOOT_FAIL" => TaskState::NodeLoss,
        "CANCELLED" | "REVOKED" => TaskState::Cancelled,
        "REQUEUED" | "PREEMPTED" => TaskState::Rescheduled,
        other => TaskState::Unknown(other.to_owned()),
    }
}

/// `15`, `15_3`, `15_[2-5%1]`: the job and its array indices.
fn ids(id: &str) -> Vec<(&str, Option<u64>)> {
    let Some((job, list)) = id.split_once('_') else { return vec![(id, None)] };
    let list = list.trim_start_matches('[').trim_end_matches(']');
    indices(list).unwrap_or_default().into_iter().map(|index| (job, Some(index))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Captured by tests/data/schedulers/capture from SLURM 22.05.8.
    const SACCT: &str = include_str!("../../../tests/data/schedulers/sacct.txt");
    const SQUEUE: &str = include_str!("../../../tests/data/schedulers/squeue.txt");
    const LATER: &str = include_str!("../../../tests/data/schedulers/squeue-later.txt");
    const JOBS: &str = include_str!("../../../tests/data/schedulers/slurm-jobs.txt");

    /// The number that slurm-jobs.txt gives after `what`.
    fn job(what: &str) -> &'static str {
        let (_, rest) = JOBS.split_once(what).unwrap();
        rest.split([',', '\n']).next().unwrap().trim()
    }

    fn states(records: &[TaskRecord], job: &str) -> Vec<(u64, TaskState)> {
        let of_job = records.iter().filter(|record| record.job == job);
        of_job.map(|record| (record.index.unwrap(), record.state.clone())).collect()
    }

    #[test]
    fn every_end_is_told_apart() {
        let records = parse_sacct(SACCT);
        let mut ends = states(&records, job("all ends"));
        ends.truncate(7);
        // Over its memory is 0:9 here: OUT_OF_MEMORY needs cgroups.
        let expected = [
            TaskState::Done,
            TaskState::Failed(7),
            TaskState::Signalled(9),
            TaskState::Cancelled,
            TaskState::Signalled(9),
            TaskState::TimeLimit,
            TaskState::Failed(5),
        ];
        assert_eq!(ends, (1..).zip(expected).collect::<Vec<_>>());
        let lost = states(&records, job("node lost for good"));
        assert_eq!(lost, [(1, TaskState::NodeLoss), (2, TaskState::NodeLoss)]);
        let again = states(&records, job("requeued"));
        assert_eq!(again[0], (1, TaskState::NodeLoss));
        assert_eq!(again[3], (2, TaskState::Running));
        let held = states(&records, job("held"));
        let waits = TaskState::Pending("JobHeldUser".into());
        assert_eq!(held, (2..=5).map(|i| (i, waits.clone())).collect::<Vec<_>>());
        let timeout = records.iter().find(|r| r.state == TaskState::TimeLimit).unwrap();
        assert!((60.0..100.0).contains(&timeout.elapsed_s.unwrap()), "{timeout:?}");
        assert!(timeout.started_unix_s.unwrap() > 1.7e9 && timeout.node == "n1");
    }

    #[test]
    fn the_queue_is_told_apart() {
        let records = parse_squeue(SQUEUE);
        assert_eq!(records.len(), SQUEUE.lines().count());
        assert!(records.iter().all(|record| record.state.is_live()), "{records:?}");
        let waits = states(&records, job("dependent"));
        assert_eq!(waits[0], (1, TaskState::Pending("Dependency".into())));
        let runs = states(&records, job("requeued"));
        assert_eq!(runs, [(1, TaskState::Running), (2, TaskState::Running)]);
        let never = states(&parse_squeue(LATER), job("dependent"));
        assert_eq!(never[0], (1, TaskState::Stuck("DependencyNeverSatisfied".into())));
    }

    #[test]
    fn states_of_other_clusters() {
        for (line, state) in [
            ("7_2|OUT_OF_MEMORY|0:125|9|1|2|n1|4|None", TaskState::Memory),
            ("7_2|PREEMPTED|0:0|9|1|2|n1|4|None", TaskState::Rescheduled),
            ("7_2|CANCELLED by 1000|0:15|9|1|2|n1|4|None", TaskState::Cancelled),
            ("7_2|NEW_WORD|0:0|9|1|2|n1|4|None", TaskState::Unknown("NEW_WORD".into())),
        ] {
            let record = &parse_sacct(line)[0];
            assert_eq!((record.index, record.cores, &record.state), (Some(2), 4, &state));
        }
        assert!(parse_sacct("slurmdbd: error: x\n\n").is_empty());
        assert_eq!(parse_squeue("9|RUNNING|N/A|n1|None")[0].index, None);
    }
}
