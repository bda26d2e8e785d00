//! Why a task left its work undone, and what another try needs.
//!
//! The scheduler knows of limits and lost nodes. The task itself knows what it could not do,
//! and writes it to its log ([`Outcome`]). Where neither is known, the words that schedulers,
//! kernels and runtimes print in a log are the last resort.

use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use serde::Serialize;

use super::outcome::{Outcome, OutcomeKind};
use super::scheduler::End;
use super::work::WorkItem;

/// Why something is not done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// The program ended with this exit code.
    ExitCode(i32),
    /// The task reached its time limit.
    TimeLimit,
    /// The task needed more memory than it had.
    Memory,
    /// The node was lost.
    NodeLoss,
    /// A signal asked the program to stop. The scores so far are saved.
    Interrupted,
    /// The task was cancelled, or killed by someone.
    Killed,
    /// The file, or one that it is made from, is damaged.
    Damaged,
    /// The disk, or the user's share of it, is full.
    DiskFull,
    /// The library of the engine is not there, or cannot be used.
    NoEngine,
    /// The reason is not known.
    Unknown,
}

/// What another try needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Remedy {
    /// The same as before.
    SameRequest,
    /// More memory.
    MoreMemory,
    /// More time.
    MoreTime,
    /// Another try does not help before somebody has put the cause right.
    None,
}

impl Reason {
    /// What to do about it.
    pub(crate) fn remedy(self) -> Remedy {
        match self {
            Self::Memory => Remedy::MoreMemory,
            Self::TimeLimit => Remedy::MoreTime,
            // 2 and 3 are usage and configuration errors, see `cli::Exit`.
            Self::ExitCode(2 | 3) | Self::DiskFull | Self::NoEngine => Remedy::None,
            Self::ExitCode(_)
            | Self::NodeLoss
            | Self::Interrupted
            | Self::Killed
            | Self::Damaged
            | Self::Unknown => Remedy::SameRequest,
        }
    }

    /// The reason in the words of `status`.
    pub(crate) fn describe(self) -> String {
        match self {
            Self::ExitCode(code) => format!("exit code {code}"),
            Self::TimeLimit => "time limit".into(),
            Self::Memory => "memory".into(),
            Self::NodeLoss => "node loss".into(),
            Self::Interrupted => "interrupted, what was scored is saved".into(),
            Self::Killed => "killed".into(),
            Self::Damaged => "damaged file".into(),
            Self::DiskFull => "disk full".into(),
            Self::NoEngine => "engine not found".into(),
            Self::Unknown => "reason unknown".into(),
        }
    }
}

/// Words of runtimes, kernels and schedulers for a task that ran out of memory.
const MEMORY_WORDS: [&str; 12] = [
    "memory allocation of",
    "out of memory",
    "out-of-memory",
    "cannot allocate memory",
    "exceeded memory limit",
    "exceeded job memory limit",
    "oom-kill",
    "oom_kill",
    "bad_alloc",
    "term_memlimit",
    "pbs: job killed: mem",
    "pbs: job killed: vmem",
];

/// Words of schedulers for a task that they ended at its time limit.
const TIME_WORDS: [&str; 3] = ["due to time limit", "term_runlimit", "pbs: job killed: walltime"];

const SIGKILL: i32 = 9;
const SIGABRT: i32 = 6;
const SIGXCPU: i32 = 24;

/// The end of a task's log.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LogEnd {
    outcome: Option<Outcome>,
    /// The text after the outcome, in lower case.
    after: String,
}

impl LogEnd {
    /// Reads the end of a log; `None` when there is no log.
    pub fn read(path: &Path) -> Option<Self> {
        /// The number of bytes that are read.
        const BYTES: u64 = 16 << 10;
        let read = || -> std::io::Result<Vec<u8>> {
            let mut file = std::fs::File::open(path)?;
            let length = file.metadata()?.len();
            file.seek(SeekFrom::Start(length.saturating_sub(BYTES)))?;
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        Some(Self::parse(&String::from_utf8_lossy(&read().ok()?)))
    }

    /// The end of a log with this text.
    pub(crate) fn parse(text: &str) -> Self {
        let (outcome, after) = Outcome::find(text);
        Self { outcome, after: after.to_lowercase() }
    }

    fn contains(&self, words: &[&str]) -> bool {
        words.iter().any(|word| self.after.contains(word))
    }

    /// The reason that the task itself wrote. The outcome of an earlier try in the same log
    /// has another exit code than `exit`, if the two differ.
    fn written(&self, item: &WorkItem, exit: Option<i32>) -> Option<Reason> {
        let outcome = self.outcome.as_ref()?;
        let code = i32::from(outcome.exit);
        if exit.is_some_and(|exit| exit != code) || code == 0 {
            return None;
        }
        Some(match outcome.kind_of(item) {
            OutcomeKind::Interrupted => Reason::Interrupted,
            OutcomeKind::Memory => Reason::Memory,
            OutcomeKind::Damaged => Reason::Damaged,
            OutcomeKind::DiskFull => Reason::DiskFull,
            OutcomeKind::NoEngine => Reason::NoEngine,
            OutcomeKind::Done
            | OutcomeKind::Partial
            | OutcomeKind::Usage
            | OutcomeKind::Configuration
            | OutcomeKind::Input
            | OutcomeKind::Bug => Reason::ExitCode(code),
        })
    }

    /// The reason by the words of schedulers, kernels and runtimes.
    fn words(&self) -> Option<Reason> {
        if self.contains(&MEMORY_WORDS) {
            return Some(Reason::Memory);
        }
        self.contains(&TIME_WORDS).then_some(Reason::TimeLimit)
    }
}

/// Why an item is not done, by the end of its task that the scheduler reports.
///
/// Many schedulers report a kill for memory and a crash alike as "failed". The log decides then.
pub fn reason_of(end: &End, log: &LogEnd, item: &WorkItem) -> Reason {
    let by_words = |words: &[&str], reason| log.contains(words).then_some(reason);
    match end {
        End::TimeLimit => Reason::TimeLimit,
        End::Memory => Reason::Memory,
        End::NodeLoss => Reason::NodeLoss,
        End::ExitCode(code) => log
            .written(item, Some(*code))
            .or_else(|| by_words(&MEMORY_WORDS, Reason::Memory))
            .unwrap_or(Reason::ExitCode(*code)),
        End::Signal(SIGXCPU) => Reason::TimeLimit,
        End::Signal(SIGKILL | SIGABRT) if log.contains(&MEMORY_WORDS) => Reason::Memory,
        End::Signal(_) | End::Cancelled => {
            by_words(&TIME_WORDS, Reason::TimeLimit).unwrap_or(Reason::Killed)
        }
        End::Success | End::Requeued | End::Unclear(_) => {
            reason_in_log(log, item).unwrap_or(Reason::Unknown)
        }
    }
}

/// Why an item is not done, by the log alone. Schedulers lag, and forget.
pub fn reason_in_log(log: &LogEnd, item: &WorkItem) -> Option<Reason> {
    log.words().or_else(|| log.written(item, None))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jobs::outcome::Undone;
    use crate::number::GroupNumber;

    fn item() -> WorkItem {
        WorkItem::Predict("a".into(), GroupNumber::FIRST)
    }

    fn line(exit: u8, kind: OutcomeKind) -> String {
        let (slide, group) = ("a".into(), Some(GroupNumber::FIRST));
        let items = vec![Undone { slide, group, kind }];
        Outcome { exit, kind: OutcomeKind::Partial, items }.line()
    }

    #[test]
    fn the_scheduler_comes_before_the_task_and_the_task_before_words_in_the_log() {
        let saved = line(5, OutcomeKind::Interrupted);
        let late = "slurmstepd: error: *** JOB 9 ON n1 CANCELLED AT 2026-11-21T07:04:47 DUE TO TIME LIMIT ***";
        let prose = "predict a t3: SIGTERM: saved; run the same command again to go on";
        for (end, log, reason, remedy) in [
            (End::ExitCode(3), "error: model.toml", Reason::ExitCode(3), Remedy::None),
            (End::ExitCode(4), "", Reason::ExitCode(4), Remedy::SameRequest),
            (End::ExitCode(5), saved.as_str(), Reason::Interrupted, Remedy::SameRequest),
            // The outcome is that of an earlier run in the same log.
            (End::ExitCode(4), saved.as_str(), Reason::ExitCode(4), Remedy::SameRequest),
            (End::ExitCode(5), prose, Reason::ExitCode(5), Remedy::SameRequest),
            (End::ExitCode(4), &line(4, OutcomeKind::Memory), Reason::Memory, Remedy::MoreMemory),
            (
                End::ExitCode(4),
                &line(4, OutcomeKind::Damaged),
                Reason::Damaged,
                Remedy::SameRequest,
            ),
            (End::ExitCode(4), &line(4, OutcomeKind::DiskFull), Reason::DiskFull, Remedy::None),
            (End::ExitCode(3), &line(3, OutcomeKind::NoEngine), Reason::NoEngine, Remedy::None),
            (End::ExitCode(12), "Out of memory!", Reason::Memory, Remedy::MoreMemory),
            (
                End::Signal(6),
                "memory allocation of 9 bytes failed",
                Reason::Memory,
                Remedy::MoreMemory,
            ),
            (
                End::Signal(9),
                "slurmstepd: error: Job 1 exceeded memory limit (9 > 1), being killed",
                Reason::Memory,
                Remedy::MoreMemory,
            ),
            (End::Signal(9), "", Reason::Killed, Remedy::SameRequest),
            (
                End::Signal(15),
                "=>> PBS: job killed: walltime 10 exceeded limit 1",
                Reason::TimeLimit,
                Remedy::MoreTime,
            ),
            (End::Signal(24), "", Reason::TimeLimit, Remedy::MoreTime),
            (End::Cancelled, late, Reason::TimeLimit, Remedy::MoreTime),
            (End::Cancelled, "", Reason::Killed, Remedy::SameRequest),
            (End::TimeLimit, saved.as_str(), Reason::TimeLimit, Remedy::MoreTime),
            (End::NodeLoss, "", Reason::NodeLoss, Remedy::SameRequest),
            (End::Success, "", Reason::Unknown, Remedy::SameRequest),
            (End::Requeued, saved.as_str(), Reason::Interrupted, Remedy::SameRequest),
        ] {
            let found = reason_of(&end, &LogEnd::parse(log), &item());
            assert_eq!((found, found.remedy()), (reason, remedy), "{end:?} {log}");
        }
    }

    #[test]
    fn the_log_alone_gives_the_reason_of_forgotten_tasks() {
        let reason = |log: &str| reason_in_log(&LogEnd::parse(log), &item());
        assert_eq!(reason(""), None);
        assert_eq!(reason(&line(4, OutcomeKind::Input)), Some(Reason::ExitCode(4)));
        assert_eq!(reason(&line(0, OutcomeKind::Done)), None);
        // Words of our own messages ahead of the outcome are not searched.
        let ours = format!("error: t3: out of memory map\n{}", line(4, OutcomeKind::Input));
        assert_eq!(reason(&ours), Some(Reason::ExitCode(4)));
        let killed = format!("{ours}\nslurmstepd: error: Detected 1 oom-kill event");
        assert_eq!(reason(&killed), Some(Reason::Memory));
        assert_eq!(LogEnd::read(Path::new("/nonexistent")), None);
    }
}
