//! Reads the states of tasks from `qstat` and `qacct`.
//!
//! The letters of a state are those of the manual page `qstat(1)`, DESCRIPTION of `-ext`
//! and `-s`; the numbers of `failed` are those of `sge_status(5)` and `accounting(5)`.

use crate::jobs::scheduler::clock::local_time;
use crate::jobs::scheduler::command::{Call, Commands};
use crate::jobs::scheduler::contract::Scheduler;
use crate::jobs::scheduler::error::SchedulerError;
use crate::jobs::scheduler::printed::indices;
use crate::jobs::scheduler::task::{End, JobQuery, Meaning, TaskRecord, TaskState};

/// The meaning of a state that has certain letters.
pub(in crate::jobs::scheduler) struct LettersMeaning {
    /// The letters that the state must have; others do not matter.
    pub(in crate::jobs::scheduler) letters: &'static str,
    meaning: Meaning,
    /// The reason of a task that waits, or what ends the state of a task that is stuck.
    reason: &'static str,
}

const fn means(letters: &'static str, meaning: Meaning, reason: &'static str) -> LettersMeaning {
    LettersMeaning { letters, meaning, reason }
}

/// The meanings of states such as `qw`, `hqw`, `Eqw`, `r`, `Rr`, `dr`, `t` and `S`. The first row
/// whose letters a state has decides; a state with a letter of no row is not known.
pub(in crate::jobs::scheduler) const STATES: [LettersMeaning; 16] = [
    // The working or output folder is missing, or the task exited with 100.
    means("E", Meaning::Stuck, "qstat -j says why, qmod -cj clears it"),
    means("z", Meaning::ByExitCode, ""),
    // The task is being deleted, which lasts while its host does not answer.
    means("d", Meaning::Running, ""),
    // A hold by -hold_jid and one by a person have the same letter.
    means("hq", Meaning::Queued, "held, or for another job"),
    means("hw", Meaning::Queued, "held, or for another job"),
    means("Rq", Meaning::Queued, "queued again"),
    means("Rw", Meaning::Queued, "queued again"),
    means("q", Meaning::Queued, ""),
    means("w", Meaning::Queued, ""),
    // `qmod -sj` suspended the task; with S and T, the queue did, and resumes it.
    means("s", Meaning::Stuck, "qmod -usj resumes it"),
    means("r", Meaning::Running, ""),
    means("h", Meaning::Running, ""),
    means("R", Meaning::Running, ""),
    means("t", Meaning::Running, ""),
    means("S", Meaning::Running, ""),
    means("T", Meaning::Running, ""),
];

/// Name of the user who runs this program.
pub(super) fn own_user(
    sge: &dyn Scheduler,
    commands: &dyn Commands,
) -> Result<String, SchedulerError> {
    Ok(sge.run(commands, &Call::new("id", &["-un"]))?.stdout.trim().to_owned())
}

/// The tasks that a user, or everybody with `*`, has queued and running.
pub(super) fn queue(
    sge: &dyn Scheduler,
    commands: &dyn Commands,
    user: &str,
) -> Result<Vec<TaskRecord>, SchedulerError> {
    let call = Call::new("qstat", &["-xml", "-u", user]);
    parse_qstat(&call.line(), &sge.run(commands, &call)?.stdout)
}

/// The tasks in the accounting, in one pass over its file, which may be huge.
pub(super) fn accounting(
    sge: &dyn Scheduler,
    commands: &dyn Commands,
    query: &JobQuery,
) -> Result<Vec<TaskRecord>, SchedulerError> {
    let (user, since) = (own_user(sge, commands)?, local_time(query.since_unix_s));
    let call = Call::new("qacct", &["-o", &user, "-b", &since, "-j"]);
    Ok(parse_qacct(&sge.run(commands, &call)?.stdout))
}

/// Reads the XML of `qstat`: one `<job_list>` per running task, and one for the waiting tasks of an
/// array.
fn parse_qstat(call: &str, text: &str) -> Result<Vec<TaskRecord>, SchedulerError> {
    if !text.contains("</job_info>") {
        return Err(SchedulerError::answer(call, text, "a <job_info>"));
    }
    let mut records = Vec::new();
    for job in text.split("<job_list").skip(1) {
        let error = |expected| SchedulerError::answer(call, job, expected);
        let id = element(job, "JB_job_number").ok_or_else(|| error("a <JB_job_number>"))?;
        let list = match element(job, "tasks") {
            None => vec![None],
            // No array of this program has such indices.
            Some(tasks) => match indices(tasks) {
                Some(list) => list.into_iter().map(Some).collect(),
                None => continue,
            },
        };
        let queue = element(job, "queue_name").unwrap_or_default();
        for index in list {
            let state = state(element(job, "state").unwrap_or_default());
            records.push(TaskRecord {
                node: queue.split('@').nth(1).unwrap_or_default().to_owned(),
                cores: element(job, "slots").and_then(|slots| slots.parse().ok()).unwrap_or(1),
                ..TaskRecord::new(id, index, state)
            });
        }
    }
    Ok(records)
}

/// The text of the first `<name>` element.
fn element<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    rest.split_once("</").map(|(text, _)| text.trim())
}

/// The state that the letters of `qstat` mean.
pub(super) fn state(letters: &str) -> TaskState {
    let is_known =
        letters.chars().all(|letter| STATES.iter().any(|row| row.letters.contains(letter)));
    let fits = |row: &&LettersMeaning| row.letters.chars().all(|letter| letters.contains(letter));
    let Some(row) = STATES.iter().find(fits).filter(|_| is_known) else {
        return TaskState::Other(letters.to_owned());
    };
    let reason = match row.meaning {
        Meaning::Stuck => format!("{letters}: {}", row.reason),
        _ => row.reason.to_owned(),
    };
    row.meaning.state(letters, &reason, || End::Unclear(letters.to_owned()))
}

/// Reads the output of `qacct -j`: all runs of tasks, in the order in which they ended.
fn parse_qacct(text: &str) -> Vec<TaskRecord> {
    let mut records = Vec::new();
    let blocks = text.split("==============================================================");
    for block in blocks {
        let value = |key: &str| {
            block.lines().find_map(|line| {
                let (name, value) = line.split_once(char::is_whitespace)?;
                (name == key).then(|| value.trim())
            })
        };
        let Some(job) = value("jobnumber") else { continue };
        // The value is `undefined` outside arrays.
        let index = value("taskid").and_then(|index| index.parse().ok());
        records.push(TaskRecord {
            node: value("hostname").unwrap_or_default().to_owned(),
            cores: value("slots").and_then(|slots| slots.parse().ok()).unwrap_or(1),
            // The value is `30s`, or `30` in other versions.
            elapsed_s: value("ru_wallclock").and_then(|t| t.trim_end_matches('s').parse().ok()),
            ..TaskRecord::new(job, index, TaskState::Ended(end(&value)))
        });
    }
    records
}

/// The end by the numbers of `failed` and `exit_status`.
fn end<'a>(value: &impl Fn(&str) -> Option<&'a str>) -> End {
    let number = |key: &str| {
        let word = value(key).and_then(|text| text.split_whitespace().next());
        word.and_then(|word| word.parse::<i32>().ok())
    };
    let (Some(exit), Some(failed)) = (number("exit_status"), number("failed")) else {
        return End::Unclear("no exit_status or failed in the accounting".to_owned());
    };
    match failed {
        0 => End::from_shell_code(exit),
        25 => End::Requeued,
        30 => End::ExitCode(exit),
        37 if over_memory(value) => End::Memory,
        37 => End::TimeLimit,
        // A signal or qdel ended the task, which the accounting does not distinguish.
        100 if exit > 128 => End::Signal(exit - 128),
        _ => End::Unclear(format!("failed {}", value("failed").unwrap_or("?"))),
    }
}

/// Whether memory was the limit. One number of `failed` means the limits of time and of memory, so
/// the memory that was used decides.
fn over_memory<'a>(value: &impl Fn(&str) -> Option<&'a str>) -> bool {
    let limits = value("category").unwrap_or_default();
    let limit = limits.split([',', ' ']).find_map(|item| item.strip_prefix("h_vmem="));
    let used = value("maxvmem").and_then(bytes);
    matches!((limit.and_then(bytes), used), (Some(limit), Some(used)) if used >= 0.95 * limit)
}

/// The bytes of a size such as `1G`, `7.531MB` or `0.000B`, in powers of 1024.
fn bytes(text: &str) -> Option<f64> {
    let text = text.trim().trim_end_matches('B');
    let (number, unit) = match text.char_indices().last()? {
        (at, unit) if unit.is_ascii_alphabetic() => (&text[..at], unit.to_ascii_uppercase()),
        _ => (text, ' '),
    };
    let power = " KMGTP".find(unit)?;
    Some(number.parse::<f64>().ok()? * 1024f64.powi(i32::try_from(power).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Captured by tests/data/schedulers/capture from Grid Engine 8.1.9.
    const QACCT: &str = include_str!("../../../../tests/data/schedulers/qacct.txt");

    fn states(records: &[TaskRecord], job: &str) -> Vec<(Option<u32>, TaskState)> {
        let of_job = records.iter().filter(|record| record.job == job);
        of_job.map(|r| (r.index.map(|index| index.get()), r.state.clone())).collect()
    }

    /// As Grid Engine 8.1.9 prints it.
    #[test]
    fn the_queue_distinguishes_states() {
        let job = |id: &str, state: &str, queue: &str, tasks: &str| {
            format!(
                "    <job_list state=\"x\">\n      <JB_job_number>{id}</JB_job_number>\n      <JB_name>sl.sh</JB_name>\n      <state>{state}</state>\n      <queue_name>{queue}</queue_name>\n      <slots>7</slots>\n{tasks}    </job_list>\n"
            )
        };
        let tasks = |list: &str| format!("      <tasks>{list}</tasks>\n");
        let text = format!(
            "<?xml version='1.0'?>\n<job_info  xmlns:xsd=\"x\">\n  <queue_info>\n{}  </queue_info>\n  <job_info>\n{}{}{}{}  </job_info>\n</job_info>\n",
            job("17", "r", "all.q@n1", &tasks("1")),
            job("17", "qw", "", &tasks("3-5:1")),
            job("18", "hqw", "", ""),
            job("19", "Eqw", "", &tasks("1,3")),
            job("20", "r", "", &tasks("0-4:2")),
        );
        let records = parse_qstat("qstat", &text).unwrap();
        let waits = TaskState::Queued(String::new());
        let mut expected = vec![(Some(1), TaskState::Running)];
        expected.extend((3..=5).map(|index| (Some(index), waits.clone())));
        assert_eq!(states(&records, "17"), expected);
        assert_eq!((records[0].node.as_str(), records[0].cores), ("n1", 7));
        let held = TaskState::Queued("held, or for another job".into());
        assert_eq!(states(&records, "18"), [(None, held)]);
        let stuck = states(&records, "19");
        assert!(matches!(&stuck[1], (Some(3), TaskState::Stuck(why)) if why.starts_with("Eqw")));
        assert!(parse_qstat("qstat", "error: commlib error\n").is_err());
    }

    #[test]
    fn the_accounting_distinguishes_ends() {
        let records = parse_qacct(QACCT);
        let mut ends = states(&records, "1");
        ends.sort_by_key(|(index, _)| *index);
        let expected = [
            (Some(1), End::Success),
            (Some(2), End::ExitCode(7)),
            (Some(3), End::Signal(9)),
            // qdel
            (Some(4), End::Signal(9)),
            // Over its memory: the program's own end.
            (Some(5), End::ExitCode(12)),
            (Some(6), End::TimeLimit),
            (Some(7), End::Requeued),
            (Some(7), End::Success),
            (Some(8), End::ExitCode(100)),
        ];
        assert_eq!(ends, expected.map(|(index, end)| (index, TaskState::Ended(end))));
        let late = TaskState::Ended(End::TimeLimit);
        let limit = records.iter().find(|record| record.state == late).unwrap();
        assert_eq!(limit.elapsed_s, Some(30.0));
    }

    #[test]
    fn memory_and_time_share_a_number() {
        let block = |used: &str| {
            format!(
                "jobnumber 7\ntaskid 2\nfailed 37  : qmaster enforced h_rt\nexit_status 137 (Killed)\nmaxvmem {used}\ncategory -l h_rt=30,h_vmem=1G -pe thread 7\n"
            )
        };
        let end = |used: &str| parse_qacct(&block(used))[0].state.clone();
        assert_eq!(end("1020.000MB"), TaskState::Ended(End::Memory));
        assert_eq!(end("7.531MB"), TaskState::Ended(End::TimeLimit));
        assert_eq!(bytes("1.5K"), Some(1536.0));
        assert_eq!(parse_qacct("error: job id 9999 not found\n"), []);
    }
}
