//! What a scheduler says of a task, and what to make of it.
//!
//! Schedulers lag and forget, so none of this decides what is done: files do.
//! It tells what is still queued or running, and why something is not done.

mod sge;
mod slurm;

use serde::Serialize;

pub use sge::{parse_qacct, parse_qstat};
pub use slurm::{SACCT_FORMAT, SQUEUE_FORMAT, parse_sacct, parse_squeue};

/// What a scheduler says of one run of a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum TaskState {
    /// Waits, for this reason as far as it is said.
    Pending(String),
    /// Runs.
    Running,
    /// In the queue, but will not go on without somebody's help.
    Stuck(String),
    /// Ended with exit code 0.
    Done,
    /// Ended with another exit code.
    Failed(i32),
    /// Ended by a signal.
    Signalled(i32),
    /// Ended at its time limit.
    TimeLimit,
    /// Ended at its memory limit.
    Memory,
    /// Its node was lost.
    NodeLoss,
    /// Cancelled or deleted.
    Cancelled,
    /// Ended to be queued again.
    Rescheduled,
    /// Something else.
    Unknown(String),
}

impl TaskState {
    /// Whether the scheduler still has it: to be left alone.
    pub fn is_live(&self) -> bool {
        matches!(self, Self::Pending(_) | Self::Running | Self::Stuck(_))
    }

    /// In the words of `status`.
    pub fn told(&self) -> String {
        match self {
            Self::Pending(reason) if reason.is_empty() => "waiting".into(),
            Self::Pending(reason) => format!("waiting ({reason})"),
            Self::Running => "running".into(),
            Self::Stuck(reason) => format!("stuck ({reason})"),
            Self::Done => "ended with exit code 0".into(),
            Self::Failed(exit) => format!("ended with exit code {exit}"),
            Self::Signalled(signal) => format!("ended by signal {signal}"),
            Self::TimeLimit => "ended at its time limit".into(),
            Self::Memory => "ended at its memory limit".into(),
            Self::NodeLoss => "lost with its node".into(),
            Self::Cancelled => "cancelled".into(),
            Self::Rescheduled => "queued again".into(),
            Self::Unknown(word) => format!("state {word}"),
        }
    }
}

/// One run of one task, as a scheduler tells it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TaskRecord {
    /// Number of the job or array.
    pub job: String,
    /// Array index; `None` outside arrays.
    pub index: Option<u64>,
    /// What became of it.
    pub state: TaskState,
    /// Where it ran.
    pub node: String,
    /// Cores, 1 when not said.
    pub cores: u32,
    /// Wall time, when it has run.
    pub elapsed_s: Option<f64>,
    /// Start, Unix time, when said.
    pub started_unix_s: Option<f64>,
}

impl TaskRecord {
    fn new(job: &str, index: Option<u64>, state: TaskState) -> Self {
        Self {
            job: job.to_owned(),
            index,
            state,
            node: String::new(),
            cores: 1,
            elapsed_s: None,
            started_unix_s: None,
        }
    }
}

/// Why a task has left its work undone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// The program said so.
    ExitCode(i32),
    /// Too little time.
    TimeLimit,
    /// Too little memory.
    Memory,
    /// The node was lost.
    NodeLoss,
    /// A warning came, what was scored is saved.
    Interrupted,
    /// Cancelled, or killed by someone.
    Killed,
    /// Nobody says.
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
            | Self::Unknown => Remedy::SameAgain,
        }
    }

    /// In the words of `status`.
    pub fn told(self) -> String {
        match self {
            Self::ExitCode(code) => format!("exit code {code}"),
            Self::TimeLimit => "time limit".into(),
            Self::Memory => "memory".into(),
            Self::NodeLoss => "node loss".into(),
            Self::Interrupted => "interrupted, what was scored is saved".into(),
            Self::Killed => "killed".into(),
            Self::Unknown => "reason unknown".into(),
        }
    }
}

/// Words of programs, kernels and schedulers that mean too little memory.
const MEMORY_WORDS: [&str; 9] = [
    "memory allocation of",
    "out of memory",
    "out-of-memory",
    "cannot allocate memory",
    "exceeded memory limit",
    "exceeded job memory limit",
    "oom-kill",
    "oom_kill",
    "bad_alloc",
];

/// Words of SLURM in the log of a task it ended at its time limit.
const TIME_WORDS: [&str; 1] = ["due to time limit"];

const SIGKILL: i32 = 9;
const SIGABRT: i32 = 6;
const SIGXCPU: i32 = 24;

/// Why a task that has ended left its work undone, from the scheduler's word
/// and the end of its log.
///
/// Schedulers often call both a memory kill and a crash "failed": the log
/// decides then.
pub fn why(state: &TaskState, log_tail: &str) -> Reason {
    let log = log_tail.to_lowercase();
    let memory = || MEMORY_WORDS.iter().any(|word| log.contains(word));
    let time = || TIME_WORDS.iter().any(|word| log.contains(word));
    let interrupted = || log.contains("saved; run the same command again to go on");
    match state {
        TaskState::TimeLimit => Reason::TimeLimit,
        TaskState::Memory => Reason::Memory,
        TaskState::NodeLoss => Reason::NodeLoss,
        TaskState::Failed(5) if interrupted() => Reason::Interrupted,
        // Shells add 128 to the number of a signal.
        TaskState::Failed(code) if (129..=128 + 64).contains(code) => {
            why(&TaskState::Signalled(code - 128), log_tail)
        }
        TaskState::Failed(_) | TaskState::Signalled(SIGKILL | SIGABRT) if memory() => {
            Reason::Memory
        }
        TaskState::Failed(code) => Reason::ExitCode(*code),
        TaskState::Signalled(SIGXCPU) => Reason::TimeLimit,
        TaskState::Signalled(_) if time() => Reason::TimeLimit,
        TaskState::Cancelled if time() => Reason::TimeLimit,
        TaskState::Signalled(_) | TaskState::Cancelled => Reason::Killed,
        _ if memory() => Reason::Memory,
        _ if time() => Reason::TimeLimit,
        _ if interrupted() => Reason::Interrupted,
        _ => Reason::Unknown,
    }
}

/// The numbers of `2-5%1`, `1,4-10:3`, `7`: index lists as schedulers print
/// them; `None` when it is not one, or absurdly long.
fn indices(list: &str) -> Option<Vec<u64>> {
    const MOST: u64 = 4_000_001;
    let list = list.split('%').next()?;
    let mut numbers = Vec::new();
    for part in list.split(',') {
        let (range, step) = part.split_once(':').unwrap_or((part, "1"));
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last): (u64, u64) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
        let step: usize = step.trim().parse().ok().filter(|&step| step > 0)?;
        if last.saturating_sub(first) > MOST {
            return None;
        }
        numbers.extend((first..=last).step_by(step));
    }
    Some(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn index_lists_are_read() {
        assert_eq!(indices("2-5%1").unwrap(), [2, 3, 4, 5]);
        assert_eq!(indices("1,4-10:3").unwrap(), [1, 4, 7, 10]);
        assert_eq!(indices("1,4,7%2").unwrap(), [1, 4, 7]);
        for odd in ["", "a", "1-", "1-5:0", "0-99999999999"] {
            assert_eq!(indices(odd), None, "{odd}");
        }
    }

    #[test]
    fn the_log_tells_what_the_scheduler_does_not() {
        let saved = "predict a t3: SIGTERM: 5 of 9 windows (55 %) saved; run the same command again to go on";
        for (state, log, reason, remedy) in [
            (TaskState::Failed(3), "error: model.toml", Reason::ExitCode(3), Remedy::None),
            (TaskState::Failed(4), "", Reason::ExitCode(4), Remedy::SameAgain),
            (TaskState::Failed(5), saved, Reason::Interrupted, Remedy::SameAgain),
            (TaskState::Failed(5), "", Reason::ExitCode(5), Remedy::SameAgain),
            (TaskState::Failed(12), "Out of memory!", Reason::Memory, Remedy::MoreMemory),
            (
                TaskState::Failed(134),
                "memory allocation of 9 bytes failed",
                Reason::Memory,
                Remedy::MoreMemory,
            ),
            (TaskState::Failed(137), "", Reason::Killed, Remedy::SameAgain),
            (
                TaskState::Signalled(9),
                "slurmstepd: error: Job 1 exceeded memory limit (9 > 1), being killed",
                Reason::Memory,
                Remedy::MoreMemory,
            ),
            (TaskState::Signalled(9), "", Reason::Killed, Remedy::SameAgain),
            (TaskState::Signalled(24), "", Reason::TimeLimit, Remedy::MoreTime),
            (
                TaskState::Cancelled,
                "slurmstepd: error: *** JOB 9 ON n1 CANCELLED AT 2026-11-21T07:04:47 DUE TO TIME LIMIT ***",
                Reason::TimeLimit,
                Remedy::MoreTime,
            ),
            (TaskState::Cancelled, "", Reason::Killed, Remedy::SameAgain),
            (TaskState::TimeLimit, saved, Reason::TimeLimit, Remedy::MoreTime),
            (TaskState::NodeLoss, "", Reason::NodeLoss, Remedy::SameAgain),
            (TaskState::Unknown("X".into()), "", Reason::Unknown, Remedy::SameAgain),
        ] {
            let found = why(&state, log);
            assert_eq!((found, found.remedy()), (reason, remedy), "{state:?} {log}");
        }
    }
}
