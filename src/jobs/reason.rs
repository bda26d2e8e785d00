//! Why a task has left its work undone, and what another try needs.
//!
//! The scheduler knows limits and lost nodes, the task itself what it could not do
//! ([`Outcome`]). Where neither is known, the words that schedulers, kernels and
//! runtimes print in a log are the last resort.

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
    /// There was too little time.
    TimeLimit,
    /// There was too little memory.
    Memory,
    /// The node was lost.
    NodeLoss,
    /// A warning came; what was scored is saved.
    Interrupted,
    /// The task was cancelled, or killed by someone.
    Killed,
    /// The file was there, and is damaged.
    Damaged,
    /// The reason is not known.
    Unknown,
}

/// What a second try needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Remedy {
    /// Nothing else.
    SameAgain,
    /// More memory.
    MoreMemory,
    /// More time.
    MoreTime,
    /// Trying again does not help: look at the log first.
    None,
}

impl Reason {
    /// What to do about it.
    pub fn remedy(self) -> Remedy {
        match self {
            Self::Memory => Remedy::MoreMemory,
            Self::TimeLimit => Remedy::MoreTime,
            // Usage and configuration errors, see `cli::Exit`.
            Self::ExitCode(2 | 3) => Remedy::None,
            Self::ExitCode(_)
            | Self::NodeLoss
            | Self::Interrupted
            | Self::Killed
            | Self::Damaged
            | Self::Unknown => Remedy::SameAgain,
        }
    }

    /// As `status` words it.
    pub fn describe(self) -> String {
        match self {
            Self::ExitCode(code) => format!("exit code {code}"),
            Self::TimeLimit => "time limit".into(),
            Self::Memory => "memory".into(),
            Self::NodeLoss => "node loss".into(),
            Self::Interrupted => "interrupted, what was scored is saved".into(),
            Self::Killed => "killed".into(),
            Self::Damaged => "damaged file".into(),
            Self::Unknown => "reason unknown".into(),
        }
    }
}

/// Words of runtimes, kernels and schedulers that mean too little memory.
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

/// Words of schedulers in the log of a task that they ended at its time limit.
const TIME_WORDS: [&str; 3] = ["due to time limit", "term_runlimit", "pbs: job killed: walltime"];

const SIGKILL: i32 = 9;
const SIGABRT: i32 = 6;
const SIGXCPU: i32 = 24;

/// The end of a task's log.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LogEnd {
    outcome: Option<Outcome>,
    /// What was printed after that, in lower case.
    after: String,
}

impl LogEnd {
    /// Reads the end of a log; `None` when there is no log.
    pub fn read(path: &Path) -> Option<Self> {
        /// What is read at most.
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
    pub fn parse(text: &str) -> Self {
        let (outcome, after) = Outcome::find(text);
        Self { outcome, after: after.to_lowercase() }
    }

    fn has(&self, words: &[&str]) -> bool {
        words.iter().any(|word| self.after.contains(word))
    }

    /// What the task itself gave as the reason, when it ended with this exit code.
    fn given(&self, item: &WorkItem, exit: Option<i32>) -> Option<Reason> {
        let outcome = self.outcome.as_ref()?;
        let code = i32::from(outcome.exit);
        if exit.is_some_and(|exit| exit != code) || code == 0 {
            return None;
        }
        Some(match outcome.kind_of(item) {
            OutcomeKind::Interrupted => Reason::Interrupted,
            OutcomeKind::Memory => Reason::Memory,
            _ => Reason::ExitCode(code),
        })
    }

    /// What the words of others say.
    fn words(&self) -> Option<Reason> {
        if self.has(&MEMORY_WORDS) {
            return Some(Reason::Memory);
        }
        self.has(&TIME_WORDS).then_some(Reason::TimeLimit)
    }
}

/// Why an item is not done, by how the scheduler says its task ended.
///
/// Schedulers often call both a memory kill and a crash "failed": the log decides then.
pub fn reason_of(end: &End, log: &LogEnd, item: &WorkItem) -> Reason {
    let by_words = |words: &[&str], reason| log.has(words).then_some(reason);
    match end {
        End::TimeLimit => Reason::TimeLimit,
        End::Memory => Reason::Memory,
        End::NodeLoss => Reason::NodeLoss,
        End::ExitCode(code) => log
            .given(item, Some(*code))
            .or_else(|| by_words(&MEMORY_WORDS, Reason::Memory))
            .unwrap_or(Reason::ExitCode(*code)),
        End::Signal(SIGXCPU) => Reason::TimeLimit,
        End::Signal(SIGKILL | SIGABRT) if log.has(&MEMORY_WORDS) => Reason::Memory,
        End::Signal(_) | End::Cancelled => {
            by_words(&TIME_WORDS, Reason::TimeLimit).unwrap_or(Reason::Killed)
        }
        End::Success | End::Requeued | End::Unclear(_) => {
            reason_in_log(log, item).unwrap_or(Reason::Unknown)
        }
    }
}

/// Why an item is not done, by the log alone: schedulers forget, and lag.
pub fn reason_in_log(log: &LogEnd, item: &WorkItem) -> Option<Reason> {
    log.words().or_else(|| log.given(item, None))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Stage;
    use crate::jobs::outcome::Undone;
    use crate::number::GroupNumber;

    fn item() -> WorkItem {
        WorkItem::Predict("a".into(), GroupNumber::FIRST)
    }

    fn line(exit: u8, kind: OutcomeKind) -> String {
        let (slide, group) = ("a".into(), Some(GroupNumber::FIRST));
        let undone = Undone { slide, group, kind, saved_windows: None, windows: None };
        let items = vec![undone];
        Outcome { stage: Stage::Predict, exit, kind: OutcomeKind::Partial, items }.line()
    }

    #[test]
    fn the_scheduler_then_the_task_then_the_words_of_others() {
        let saved = line(5, OutcomeKind::Interrupted);
        let late = "slurmstepd: error: *** JOB 9 ON n1 CANCELLED AT 2026-11-21T07:04:47 DUE TO TIME LIMIT ***";
        let prose = "predict a t3: SIGTERM: saved; run the same command again to go on";
        for (end, log, reason, remedy) in [
            (End::ExitCode(3), "error: model.toml", Reason::ExitCode(3), Remedy::None),
            (End::ExitCode(4), "", Reason::ExitCode(4), Remedy::SameAgain),
            (End::ExitCode(5), saved.as_str(), Reason::Interrupted, Remedy::SameAgain),
            // Of an earlier run in the same log.
            (End::ExitCode(4), saved.as_str(), Reason::ExitCode(4), Remedy::SameAgain),
            (End::ExitCode(5), prose, Reason::ExitCode(5), Remedy::SameAgain),
            (End::ExitCode(4), &line(4, OutcomeKind::Memory), Reason::Memory, Remedy::MoreMemory),
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
            (End::Signal(9), "", Reason::Killed, Remedy::SameAgain),
            (
                End::Signal(15),
                "=>> PBS: job killed: walltime 10 exceeded limit 1",
                Reason::TimeLimit,
                Remedy::MoreTime,
            ),
            (End::Signal(24), "", Reason::TimeLimit, Remedy::MoreTime),
            (End::Cancelled, late, Reason::TimeLimit, Remedy::MoreTime),
            (End::Cancelled, "", Reason::Killed, Remedy::SameAgain),
            (End::TimeLimit, saved.as_str(), Reason::TimeLimit, Remedy::MoreTime),
            (End::NodeLoss, "", Reason::NodeLoss, Remedy::SameAgain),
            (End::Success, "", Reason::Unknown, Remedy::SameAgain),
            (End::Requeued, saved.as_str(), Reason::Interrupted, Remedy::SameAgain),
        ] {
            let found = reason_of(&end, &LogEnd::parse(log), &item());
            assert_eq!((found, found.remedy()), (reason, remedy), "{end:?} {log}");
        }
    }

    #[test]
    fn the_log_alone_tells_of_forgotten_tasks() {
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
