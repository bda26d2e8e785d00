//! What `qstat` and `qacct` print.

use super::{TaskRecord, TaskState, indices};

/// Reads `qstat`; lines that are no jobs are passed over.
///
/// Columns: number, priority, name (may hold spaces), user, state, date, time,
/// queue (only when it runs), slots, indices (only of arrays).
pub fn parse_qstat(text: &str) -> Vec<TaskRecord> {
    let mut records = Vec::new();
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let Some(date) = words.iter().position(|word| is_date(word)) else { continue };
        if date < 2 || words[0].parse::<u64>().is_err() {
            continue;
        }
        let mut rest = words[date + 1..].iter().skip(1).peekable();
        let queue = rest.next_if(|word| word.parse::<u32>().is_err());
        let cores = rest.next().and_then(|slots| slots.parse().ok()).unwrap_or(1);
        let node = queue.and_then(|queue| queue.split('@').nth(1)).unwrap_or_default();
        let list = match rest.next() {
            None => vec![None],
            Some(list) => indices(list).unwrap_or_default().into_iter().map(Some).collect(),
        };
        let state = queued(words[date - 1]);
        for index in list {
            records.push(TaskRecord {
                node: node.to_owned(),
                cores,
                ..TaskRecord::new(words[0], index, state.clone())
            });
        }
    }
    records
}

/// `11/21/2026`
fn is_date(word: &str) -> bool {
    let parts: Vec<&str> = word.split('/').collect();
    parts.len() == 3 && parts.iter().all(|part| part.parse::<u32>().is_ok())
}

/// The letters of a state: `qw`, `hqw`, `Eqw`, `r`, `Rr`, `dr`, `t`, `S`, ...
fn queued(letters: &str) -> TaskState {
    if letters.contains('E') {
        // Its working or output folder is missing, or it exited with 100.
        return TaskState::Stuck(format!("{letters}: qstat -j tells why, qmod -cj clears it"));
    }
    if !letters.contains('q') {
        return TaskState::Running;
    }
    let reason = match letters {
        _ if letters.contains('h') => "held, or for another job",
        _ if letters.contains('R') => "queued again",
        _ => "",
    };
    TaskState::Pending(reason.to_owned())
}

/// Reads `qacct -j`: every run of every task, in the order they ended.
pub fn parse_qacct(text: &str) -> Vec<TaskRecord> {
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
        records.push(TaskRecord {
            node: value("hostname").unwrap_or_default().to_owned(),
            cores: value("slots").and_then(|slots| slots.parse().ok()).unwrap_or(1),
            // `30s`, and in other versions `30`.
            elapsed_s: value("ru_wallclock").and_then(|t| t.trim_end_matches('s').parse().ok()),
            ..TaskRecord::new(
                job,
                value("taskid").and_then(|index| index.parse().ok()),
                ended(&value),
            )
        });
    }
    records
}

fn ended<'a>(value: &impl Fn(&str) -> Option<&'a str>) -> TaskState {
    let number = |key: &str| {
        let word = value(key).and_then(|text| text.split_whitespace().next());
        word.and_then(|word| word.parse::<i32>().ok())
    };
    let exit = number("exit_status").unwrap_or(0);
    match number("failed").unwrap_or(0) {
        0 if exit == 0 => TaskState::Done,
        0 if exit > 128 => TaskState::Signalled(exit - 128),
        0 => TaskState::Failed(exit),
        25 => TaskState::Rescheduled,
        30 => TaskState::Failed(exit),
        37 if over_memory(value) => TaskState::Memory,
        37 => TaskState::TimeLimit,
        // By a signal or qdel, which the accounting does not tell apart.
        100 if exit > 128 => TaskState::Signalled(exit - 128),
        _ => TaskState::Unknown(format!("failed {}", value("failed").unwrap_or("?"))),
    }
}

/// One number means the limits of time and memory: the memory used decides.
fn over_memory<'a>(value: &impl Fn(&str) -> Option<&'a str>) -> bool {
    let limits = value("category").unwrap_or_default();
    let limit = limits.split([',', ' ']).find_map(|item| item.strip_prefix("h_vmem="));
    let used = value("maxvmem").and_then(bytes);
    matches!((limit.and_then(bytes), used), (Some(limit), Some(used)) if used >= 0.95 * limit)
}

/// `1G`, `7.531MB`, `0.000B`, in powers of 1024.
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
    const QSTAT: &str = include_str!("../../../tests/data/schedulers/qstat.txt");
    const LATER: &str = include_str!("../../../tests/data/schedulers/qstat-later.txt");
    const QACCT: &str = include_str!("../../../tests/data/schedulers/qacct.txt");

    fn states(records: &[TaskRecord], job: &str) -> Vec<(Option<u64>, TaskState)> {
        let of_job = records.iter().filter(|record| record.job == job);
        of_job.map(|record| (record.index, record.state.clone())).collect()
    }

    #[test]
    fn the_queue_is_told_apart() {
        let records = parse_qstat(QSTAT);
        assert!(records.iter().all(|record| record.state.is_live()));
        let waits = |why: &str| TaskState::Pending(why.into());
        let first = states(&records, "1");
        assert_eq!(first[0], (Some(4), TaskState::Running));
        assert!(first.contains(&(Some(7), waits("queued again"))));
        let stuck = first.iter().find(|(index, _)| *index == Some(8)).unwrap();
        assert!(matches!(&stuck.1, TaskState::Stuck(why) if why.starts_with("Eqw")));
        let held: Vec<_> = states(&records, "3");
        assert_eq!(held.len(), 4);
        assert_eq!(held[3], (Some(12), waits("held, or for another job")));
        assert_eq!(states(&records, "4"), [(None, waits("held, or for another job"))]);
        let never: Vec<_> = records.iter().filter(|record| record.job == "5").collect();
        assert_eq!((never.len(), never[0].cores, &never[0].state), (3, 99, &waits("")));
        let later = parse_qstat(LATER);
        assert_eq!(states(&later, "2"), [(Some(9), TaskState::Running)]);
        assert_eq!(later[0].node, "localhost");
    }

    #[test]
    fn every_end_is_told_apart() {
        let records = parse_qacct(QACCT);
        let mut ends = states(&records, "1");
        ends.sort_by_key(|(index, _)| *index);
        let expected = [
            (Some(1), TaskState::Done),
            (Some(2), TaskState::Failed(7)),
            (Some(3), TaskState::Signalled(9)),
            // qdel
            (Some(4), TaskState::Signalled(9)),
            // Over its memory: the program's own end.
            (Some(5), TaskState::Failed(12)),
            (Some(6), TaskState::TimeLimit),
            (Some(7), TaskState::Rescheduled),
            (Some(7), TaskState::Done),
            (Some(8), TaskState::Failed(100)),
        ];
        assert_eq!(ends, expected);
        let limit = records.iter().find(|r| r.state == TaskState::TimeLimit).unwrap();
        assert_eq!(limit.elapsed_s, Some(30.0));
    }

    #[test]
    fn memory_and_time_share_a_number() {
        let block = |used: &str| {
            format!(
                "jobnumber 7\ntaskid 2\nfailed 37  : qmaster enforced h_rt\nexit_status 137 (Killed)\nmaxvmem {used}\ncategory -l h_rt=30,h_vmem=1G -pe thread 7\n"
            )
        };
        assert_eq!(parse_qacct(&block("1020.000MB"))[0].state, TaskState::Memory);
        assert_eq!(parse_qacct(&block("7.531MB"))[0].state, TaskState::TimeLimit);
        assert_eq!(bytes("1.5K"), Some(1536.0));
        assert_eq!(parse_qacct("error: job id 9999 not found\n"), []);
    }
}
