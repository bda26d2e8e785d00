//! What a scheduler knows of a task, in words that all schedulers share.
//!
//! Schedulers lag and forget, so none of this decides what is done: files do. It
//! decides what is left alone, because it is still in a queue, and says why
//! something is not done.

use std::collections::BTreeSet;

use super::error::SchedulerError;
use crate::number::TaskNumber;

/// Where a task is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TaskState {
    /// It waits in the queue, for this reason as far as the scheduler gives one.
    Queued(String),
    /// It runs, is about to, or is suspended by the scheduler, which resumes it.
    Running,
    /// It is in the queue but waits for a person, for this reason.
    Stuck(String),
    /// The scheduler's own word, which the table of its states does not have.
    Other(String),
    /// It has ended.
    Ended(End),
}

/// How a task ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// With exit code 0.
    Success,
    /// With another exit code.
    ExitCode(i32),
    /// By a signal.
    Signal(i32),
    /// At its time limit.
    TimeLimit,
    /// At its memory limit.
    Memory,
    /// Its node was lost.
    NodeLoss,
    /// It was cancelled or deleted.
    Cancelled,
    /// This run of the task was ended for another one of the same task.
    Requeued,
    /// In a way that only the scheduler's own words describe.
    Unclear(String),
}

impl TaskState {
    /// Whether the task may still do its work: it is then left alone. A state that the
    /// table does not have counts as that.
    pub fn is_live(&self) -> bool {
        !matches!(self, Self::Ended(_))
    }

    /// As `status` words it.
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
    /// As `status` words it.
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

    /// From an exit code as shells give it: 128 is added to the number of a signal.
    pub(super) fn of_shell_code(code: i32) -> Self {
        match code {
            0 => Self::Success,
            129..=192 => Self::Signal(code - 128),
            code => Self::ExitCode(code),
        }
    }
}

/// What a scheduler's word for a state means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// [`TaskState::Queued`].
    Queued,
    /// [`TaskState::Running`].
    Running,
    /// [`TaskState::Stuck`].
    Stuck,
    /// Ended as its exit code says.
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

/// The words of a scheduler, and what each means.
pub(super) type StateTable = [(&'static str, Meaning)];

/// Looks a word up; `by_exit_code` is asked where the exit code decides.
pub(super) fn look_up(
    table: &StateTable,
    word: &str,
    reason: &str,
    by_exit_code: impl FnOnce() -> End,
) -> TaskState {
    let Some((_, meaning)) = table.iter().find(|(known, _)| *known == word) else {
        return TaskState::Other(word.to_owned());
    };
    TaskState::Ended(match meaning {
        Meaning::Queued => return TaskState::Queued(reason.to_owned()),
        Meaning::Running => return TaskState::Running,
        Meaning::Stuck => {
            let why = if reason.is_empty() { word } else { reason };
            return TaskState::Stuck(why.to_owned());
        }
        Meaning::ByExitCode => by_exit_code(),
        Meaning::TimeLimit => End::TimeLimit,
        Meaning::Memory => End::Memory,
        Meaning::NodeLoss => End::NodeLoss,
        Meaning::Cancelled => End::Cancelled,
        Meaning::Requeued => End::Requeued,
    })
}

/// What a scheduler says of one run of a task.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskRecord {
    /// Id of the job or array, as it was submitted.
    pub job: String,
    /// Array index; `None` outside arrays.
    pub index: Option<TaskNumber>,
    /// Where the task is.
    pub state: TaskState,
    /// Where it runs or ran; empty when the scheduler does not say.
    pub node: String,
    /// Cores it has or had, 1 when the scheduler does not say.
    pub cores: u32,
    /// Wall time, when it has run.
    pub elapsed_s: Option<f64>,
}

impl TaskRecord {
    pub(super) fn new(job: &str, index: Option<TaskNumber>, state: TaskState) -> Self {
        Self { job: job.to_owned(), index, state, node: String::new(), cores: 1, elapsed_s: None }
    }
}

/// Which jobs are asked about.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct JobQuery {
    /// Ids of jobs and arrays.
    pub ids: BTreeSet<String>,
    /// When the first of them was submitted, Unix time.
    pub since_unix_s: u64,
    /// Whether to ask the accounting too, which knows how tasks ended.
    pub with_ended: bool,
}

impl JobQuery {
    /// The ids in groups that fit the command line of a query: Linux takes no argument
    /// above 128 KiB.
    pub(super) fn chunks(&self) -> impl Iterator<Item = Vec<&str>> {
        const IDS_AT_ONCE: usize = 1000;
        let ids: Vec<&str> = self.ids.iter().map(String::as_str).collect();
        ids.chunks(IDS_AT_ONCE).map(<[_]>::to_vec).collect::<Vec<_>>().into_iter()
    }
}

/// What a scheduler answers about some jobs.
#[derive(Debug, Default)]
pub struct Tasks {
    /// Runs of tasks: those that the accounting knows in the order they ended, then
    /// those in the queue.
    pub records: Vec<TaskRecord>,
    /// Why the queue could not be asked. Nothing may then be submitted.
    pub queue_error: Option<SchedulerError>,
    /// Why the accounting could not be asked. Less is then known of why tasks ended.
    pub accounting_error: Option<SchedulerError>,
}

impl Tasks {
    /// Puts together what accounting and queue answer.
    ///
    /// The queue decides what is live: the accounting lags some seconds behind, and
    /// what it still calls live is left out where the queue has answered.
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
