//! Reads the states of tasks from `qstat`.
//!
//! The letters of states are from the manual page `qstat(1B)` of OpenPBS (doc/man1/qstat.1B), and
//! negative exit codes are the `JOB_EXEC_` numbers of its src/include/job.h. The output of `-f` is
//! the same in every version. `-F json` came later, and its output is not always valid JSON.

use std::collections::BTreeMap;

use crate::jobs::scheduler::command::{Answer, Call, Commands};
use crate::jobs::scheduler::contract::Scheduler;
use crate::jobs::scheduler::error::SchedulerError;
use crate::jobs::scheduler::printed::clock_seconds;
use crate::jobs::scheduler::task::{
    End, JobQuery, Meaning, StateTable, TaskRecord, TaskState, look_up,
};

/// The letters for states.
pub(in crate::jobs::scheduler) const STATES: &StateTable = &[
    ("Q", Meaning::Queued),
    // The start time has not come.
    ("W", Meaning::Queued),
    // The job is being moved to another queue.
    ("T", Meaning::Queued),
    ("R", Meaning::Running),
    ("B", Meaning::Running),
    // The program has ended, and its files are being copied.
    ("E", Meaning::Running),
    // The server, or a user at the workstation, suspended the job.
    ("S", Meaning::Running),
    ("U", Meaning::Running),
    ("H", Meaning::Stuck),
    // The job is at another server.
    ("M", Meaning::Stuck),
    ("F", Meaning::ByExitCode),
    ("X", Meaning::ByExitCode),
];

/// The messages of `qstat` about jobs that are not in the queue.
const ENDED: [&str; 2] = ["Unknown Job Id", "Job has finished"];

/// The tasks that are queued and running.
pub(super) fn queue(
    pbs: &dyn Scheduler,
    commands: &dyn Commands,
    query: &JobQuery,
) -> Result<Vec<TaskRecord>, SchedulerError> {
    query_tasks(pbs, commands, &["-t", "-f"], query)
}

/// The tasks that have ended, as long as the server keeps their history.
pub(super) fn accounting(
    pbs: &dyn Scheduler,
    commands: &dyn Commands,
    query: &JobQuery,
) -> Result<Vec<TaskRecord>, SchedulerError> {
    query_tasks(pbs, commands, &["-x", "-t", "-f"], query)
}

fn query_tasks(
    pbs: &dyn Scheduler,
    commands: &dyn Commands,
    flags: &[&str],
    query: &JobQuery,
) -> Result<Vec<TaskRecord>, SchedulerError> {
    let mut records = Vec::new();
    for ids in query.chunks() {
        let call = Call::new("qstat", &[flags, ids.as_slice()].concat());
        // A server without history writes a message, prints no task, and exits with 0.
        let is_expected = |line: &str| ENDED.iter().any(|words| line.contains(words));
        let is_answer = |answer: &Answer| {
            let mut complaints = answer.stderr.lines().filter(|line| !line.trim().is_empty());
            !answer.timed_out && complaints.all(is_expected)
        };
        let answer = pbs.ask(commands, &call, &is_answer)?;
        if !is_answer(&answer) {
            return Err(pbs.refused(&call, answer));
        }
        records.extend(parse_qstat(&call.line(), &answer.stdout, &ids)?);
    }
    Ok(records)
}

/// Reads the output of `qstat -t -f`: one block per job, array and task of an array.
///
/// Records have the ids of the query, `ids`, because the server may print the name of its host in
/// another form.
fn parse_qstat(call: &str, text: &str, ids: &[&str]) -> Result<Vec<TaskRecord>, SchedulerError> {
    // Long values continue on a line that starts with a tab.
    let text = text.replace("\n\t", "");
    let known: BTreeMap<&str, &str> = ids.iter().map(|&id| (sequence(id), id)).collect();
    let mut records = Vec::new();
    for block in text.split("Job Id:").skip(1) {
        let id = block.lines().next().unwrap_or_default().trim();
        let values: BTreeMap<&str, &str> = block
            .lines()
            .filter_map(|line| line.split_once(" = "))
            .map(|(name, value)| (name.trim(), value.trim()))
            .collect();
        let number = sequence(id);
        let (job, index) = match number.split_once('[') {
            // This is the array itself.
            Some((_, "]")) => continue,
            Some((number, rest)) => {
                let index = rest.trim_end_matches(']').parse();
                let error = |_| SchedulerError::answer(call, id, "an array index from 1");
                (format!("{number}[]"), Some(index.map_err(error)?))
            }
            None => (number.to_owned(), None),
        };
        let Some(job) = known.get(job.as_str()) else { continue };
        let state = values.get("job_state").copied();
        let state = state.ok_or_else(|| SchedulerError::answer(call, block, "a job_state"))?;
        let host = values.get("exec_host").copied().unwrap_or_default();
        let cores = values.get("Resource_List.ncpus").and_then(|ncpus| ncpus.parse().ok());
        records.push(TaskRecord {
            node: host.split('/').next().unwrap_or_default().to_owned(),
            cores: cores.unwrap_or(1),
            elapsed_s: values.get("resources_used.walltime").and_then(|time| clock_seconds(time)),
            ..TaskRecord::new(job, index, task_state(state, &values))
        });
    }
    Ok(records)
}

/// The part of an id before the server, as in `1234[7]` of `1234[7].server`.
fn sequence(id: &str) -> &str {
    id.split('.').next().unwrap_or(id)
}

fn task_state(letter: &str, values: &BTreeMap<&str, &str>) -> TaskState {
    let value = |name: &str| values.get(name).copied().unwrap_or_default();
    // The system holds a job that waits for others, and releases it.
    if letter == "H" && !value("depend").is_empty() && value("Hold_Types") == "s" {
        return TaskState::Queued("Dependency".into());
    }
    let reason = match letter {
        "H" => format!("held, Hold_Types = {}: qrls releases it", value("Hold_Types")),
        "M" => "moved to another server".to_owned(),
        _ => value("comment").to_owned(),
    };
    look_up(STATES, letter, &reason, || by_exit_status(values.get("Exit_status").copied()))
}

/// The end by `Exit_status`: the exit code of the shell, 256 and the signal, or a negative number for
/// why the server ended the job. A job that was deleted while it waited has none.
fn by_exit_status(status: Option<&str>) -> End {
    let Some(status) = status else { return End::Cancelled };
    match status.parse::<i32>() {
        Ok(-29 | -28) => End::TimeLimit,
        Ok(-27 | -26) => End::Memory,
        Ok(code @ 0..=255) => End::from_shell_code(code),
        // qdel sends SIGTERM, then SIGKILL.
        Ok(code @ 257..) => End::Signal(code - 256),
        _ => End::Unclear(format!("Exit_status {status}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The head of the file says where it is from.
    const QSTAT: &str = include_str!("../../../../tests/data/schedulers/qstat-pbs.txt");

    #[test]
    fn a_server_distinguishes_states() {
        let ids = ["9[].djoko", "10.pbsworks", "11[].djoko"];
        let records = parse_qstat("qstat", QSTAT, &ids).unwrap();
        let found: Vec<_> = records
            .iter()
            .map(|r| (r.job.as_str(), r.index.map(|index| index.get()), r.state.clone()))
            .collect();
        let ended = TaskState::Ended;
        assert_eq!(
            found,
            [
                ("10.pbsworks", None, ended(End::ExitCode(127))),
                ("9[].djoko", Some(1), TaskState::Running),
                (
                    "9[].djoko",
                    Some(2),
                    TaskState::Queued("Not Running: Insufficient amount of resource: ncpus".into())
                ),
                ("9[].djoko", Some(3), ended(End::Success)),
                ("9[].djoko", Some(4), ended(End::TimeLimit)),
                ("9[].djoko", Some(5), ended(End::Cancelled)),
                ("11[].djoko", Some(1), TaskState::Queued("Dependency".into())),
            ]
        );
        let running = &records[1];
        assert_eq!((running.node.as_str(), running.cores), ("djoko", 2));
        assert_eq!(running.elapsed_s, Some(49.0));
        let wrong = "Job Id: 9[x].djoko\n    job_state = R\n";
        assert!(parse_qstat("qstat", wrong, &ids).is_err());
    }

    #[test]
    fn exit_codes_of_the_server_have_meanings() {
        for (status, end) in [
            (Some("0"), End::Success),
            (Some("5"), End::ExitCode(5)),
            (Some("137"), End::Signal(9)),
            (Some("271"), End::Signal(15)),
            (Some("-29"), End::TimeLimit),
            (Some("-27"), End::Memory),
            (Some("-3"), End::Unclear("Exit_status -3".into())),
            (None, End::Cancelled),
        ] {
            assert_eq!(by_exit_status(status), end, "{status:?}");
        }
    }
}
