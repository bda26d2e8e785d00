//! The state of a task, in terms that all schedulers share.
//!
//! Schedulers lag and forget, so files decide what is done, and not these states. The states
//! decide which items are not submitted again because they are in a queue, and why others failed.

use std::collections::BTreeSet;

use super::error::SchedulerError;
use crate::number::TaskNumber;

/// The state of a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TaskState {
    /// The task waits in the queue; the reason is empty if the scheduler gives none.
    Queued(String),
    /// The task runs, is about to run, or is suspended by the scheduler, which resumes it.
    Running,
    /// The task is in the queue and waits for a person, for this reason.
    Stuck(String),
    /// The state is not in the scheduler's table; this is the scheduler's word.
    Other(String),
    /// The task has ended.
    Ended(End),
}

/// How a task ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// The exit code was 0.
    Success,
    /// The exit code was another one.
    ExitCode(i32),
    /// A signal ended the task.
    Signal(i32),
    /// The task reached its time limit.
    TimeLimit,
    /// The task reached its memory limit.
    Memory,
    /// The node was lost.
    NodeLoss,
    /// The task was cancelled or deleted.
    Cancelled,
    /// This run of the task ended so that the task can run again.
    Requeued,
    /// Only the scheduler's own words describe the end.
    Unclear(String),
}

impl TaskState {
    /// Whether the task may still do its work, so that its items are not submitted again. A state
    /// that is not in the table counts as live.
    pub fn is_live(&self) -> bool {
        !matches!(self, Self::Ended(_))
    }

    /// The words of `status`.
    pub fn describe(&self) -> String {
        match self {
            Self::Queued(reason) if reason.is_empty() => "waiting".into(),
            Self::Queued(reason) => format!("waiting ({reason})"),
            Self::Running => "running".into(),
            Self::Stuck(reason) => format!("stuck ({reason})"),
            Self::Other(word) => format!("state {word}"),
            Self::Ended(end) => end.describe(),
        }
    }
}

impl End {
    /// The words of `status`.
    pub fn describe(&self) -> String {
        match self {
            Self::Success => "ended with exit code 0".into(),
            Self::ExitCode(code) => format!("ended with exit code {code}"),
            Self::Signal(signal) => format!("ended by signal {signal}"),
            Self::TimeLimit => "ended at its time limit".into(),
            Self::Memory => "ended at its memory limit".into(),
            Self::NodeLoss => "lost with its node".into(),
            Self::Cancelled => "cancelled".into(),
            Self::Requeued => "queued again".into(),
            Self::Unclear(words) => format!("state {words}"),
        }
    }

    /// The end by the exit code of a shell, which adds 128 to the number of a signal.
    pub(super) fn from_shell_code(code: i32) -> Self {
        match code {
            0 => Self::Success,
            129..=192 => Self::Signal(code - 128),
            code => Self::ExitCode(code),
        }
    }
}

/// The meaning of a scheduler's word for a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// [`TaskState::Queued`].
    Queued,
    /// [`TaskState::Running`].
    Running,
    /// [`TaskState::Stuck`].
    Stuck,
    /// The task has ended, and the exit code says how.
    ByExitCode,
    /// [`End::TimeLimit`].
    TimeLimit,
    /// [`End::Memory`].
    Memory,
    /// [`End::NodeLoss`].
    NodeLoss,
    /// [`End::Cancelled`].
    Cancelled,
    /// [`End::Requeued`].
    Requeued,
}

/// The words of a scheduler for states, with their meanings.
pub(super) type StateTable = [(&'static str, Meaning)];

/// Looks up a word. `by_exit_code` returns the end where the exit code decides.
pub(super) fn look_up(
    table: &StateTable,
    word: &str,
    reason: &str,
    by_exit_code: impl FnOnce() -> End,
) -> TaskState {
    match table.iter().find(|(known, _)| *known == word) {
        Some((_, meaning)) => meaning.state(word, reason, by_exit_code),
        None => TaskState::Other(word.to_owned()),
    }
}

impl Meaning {
    /// The state of a task, with the scheduler's `word` for the state and its `reason`.
    /// `by_exit_code` returns the end where the exit code decides.
    pub(super) fn state(
        self,
        word: &str,
        reason: &str,
        by_exit_code: impl FnOnce() -> End,
    ) -> TaskState {
        TaskState::Ended(match self {
            Self::Queued => return TaskState::Queued(reason.to_owned()),
            Self::Running => return TaskState::Running,
            Self::Stuck => {
                let why = if reason.is_empty() { word } else { reason };
                return TaskState::Stuck(why.to_owned());
            }
            Self::ByExitCode => by_exit_code(),
            Self::TimeLimit => End::TimeLimit,
            Self::Memory => End::Memory,
            Self::NodeLoss => End::NodeLoss,
            Self::Cancelled => End::Cancelled,
            Self::Requeued => End::Requeued,
        })
    }
}

/// One run of a task, as the scheduler reports it.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskRecord {
    /// Id of the job or array, as given when it was submitted.
    pub job: String,
    /// Array index; `None` outside arrays.
    pub index: Option<TaskNumber>,
    /// State of the task.
    pub state: TaskState,
    /// Node on which the task runs or ran; empty if the scheduler does not say.
    pub node: String,
    /// Number of its cores; 1 if the scheduler does not say.
    pub cores: u32,
    /// Wall time, seconds, if the task has run.
    pub elapsed_s: Option<f64>,
}

impl TaskRecord {
    pub(super) fn new(job: &str, index: Option<TaskNumber>, state: TaskState) -> Self {
        Self { job: job.to_owned(), index, state, node: String::new(), cores: 1, elapsed_s: None }
    }
}

/// A question about jobs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct JobQuery {
    /// Ids of jobs and arrays.
    pub ids: BTreeSet<String>,
    /// When the first of them was submitted, Unix time in seconds.
    pub since_unix_s: u64,
    /// Whether to ask the accounting too, which says how tasks ended.
    pub with_ended: bool,
}

impl JobQuery {
    /// The ids in chunks that fit on a command line, since Linux takes no argument above 128 KiB.
    pub(super) fn chunks(&self) -> impl Iterator<Item = Vec<&str>> {
        const IDS_AT_ONCE: usize = 1000;
        let ids: Vec<&str> = self.ids.iter().map(String::as_str).collect();
        ids.chunks(IDS_AT_ONCE).map(<[_]>::to_vec).collect::<Vec<_>>().into_iter()
    }
}

/// The answer of a scheduler about some jobs.
#[derive(Debug, Default)]
pub struct Tasks {
    /// Runs of tasks: those in the accounting, in the order in which they ended, and then those in
    /// the queue.
    pub records: Vec<TaskRecord>,
    /// Why the queue could not be read. Nothing may be submitted then.
    pub queue_error: Option<SchedulerError>,
    /// Why the accounting could not be read. Why tasks ended is then less well known.
    pub accounting_error: Option<SchedulerError>,
}

impl Tasks {
    /// Combines the answers of accounting and queue.
    ///
    /// The queue decides what is live, because the accounting lags some seconds behind. If the
    /// queue has answered, live records of the accounting are left out.
    pub(super) fn join(
        accounting: Result<Vec<TaskRecord>, SchedulerError>,
        queue: Result<Vec<TaskRecord>, SchedulerError>,
        query: &JobQuery,
    ) -> Self {
        let mut tasks = Self::default();
        match accounting {
            Ok(records) => tasks.records = records,
            Err(error) => tasks.accounting_error = Some(error),
        }
        match queue {
            Ok(records) => {
                tasks.records.retain(|record| !record.state.is_live());
                tasks.records.extend(records);
            }
            Err(error) => tasks.queue_error = Some(error),
        }
        tasks.records.retain(|record| query.ids.contains(&record.job));
        tasks
    }
}
