//! The state of a run: what is done, by its files, and the state of the rest, by the schedulers
//! and the logs.
//!
//! The chain, `retry`, `status`, the cost and the report all use this one state, so that they
//! agree.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::attempts::{Attempt, last_attempts};
use super::listing::RunListing;
use super::reason::{LogEnd, Reason, reason_in_log, reason_of};
use super::scheduler::{Commands, End, JobQuery, SchedulerError, TaskRecord, TaskState, scheduler};
use super::state_error::StateError;
use super::submitted::Submission;
use super::work::WorkItem;
use crate::config::{SchedulerKind, Stage};
use crate::damage::Damage;
use crate::run_dir::RunDir;

/// The state of a run.
#[derive(Debug, Default)]
pub(crate) struct RunState {
    /// The files of the run.
    pub listing: RunListing,
    /// The jobs that were submitted, oldest first.
    pub submissions: Vec<Submission>,
    /// What the schedulers answer about these jobs.
    pub answers: Answers,
    attempts: BTreeMap<WorkItem, Attempt>,
    damaged: BTreeMap<WorkItem, Damage>,
}

/// What schedulers answer about the jobs that were submitted to them.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    /// All known runs of tasks: ended ones in order, then those that are queued or running.
    pub records: Vec<TaskRecord>,
    /// The schedulers that did not answer, and why.
    pub warnings: Vec<String>,
    /// The schedulers whose queue could not be read.
    pub(super) queue_errors: BTreeMap<SchedulerKind, SchedulerError>,
}

/// The state of an item that is missing.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum MissingItemState {
    /// A task that does the item runs.
    Running,
    /// A task that does the item is queued.
    Queued,
    /// A task that does the item is in the queue, and waits for a person.
    Stuck {
        /// The state of the task, in words.
        words: String,
        /// Path of the log, which may not exist yet.
        log: PathBuf,
    },
    /// The last try failed, and no task is queued or running.
    Failed(Failed),
    /// No failure is known, and no task is queued or running.
    Open,
}

/// Why the last try of an item failed.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Failed {
    /// The reason as a code.
    pub reason: Reason,
    /// The reason in words: those of the scheduler, or what is wrong with the file.
    pub words: String,
    /// Path of the log, if the task has begun.
    pub log: Option<PathBuf>,
}

/// Asks the schedulers about the jobs that were submitted to them.
fn ask(submissions: &[Submission], commands: &dyn Commands, with_ended: bool) -> Answers {
    let mut queries: BTreeMap<SchedulerKind, JobQuery> = BTreeMap::new();
    for submission in submissions {
        let since_unix_s = submission.time_s;
        let new = JobQuery { since_unix_s, with_ended, ..JobQuery::default() };
        let query = queries.entry(submission.scheduler).or_insert(new);
        query.ids.insert(submission.id.clone());
        query.since_unix_s = query.since_unix_s.min(since_unix_s);
    }
    let mut answers = Answers::default();
    for (kind, query) in queries {
        let tasks = scheduler(kind).tasks(commands, &query);
        let errors = tasks.accounting_error.iter().chain(&tasks.queue_error);
        let warning = |error: &SchedulerError| {
            format!("{}: the state is that of the files alone", error.in_short())
        };
        answers.warnings.extend(errors.map(warning));
        answers.queue_errors.extend(tasks.queue_error.map(|error| (kind, error)));
        answers.records.extend(tasks.records);
    }
    answers
}

impl RunState {
    /// Asks the schedulers, and then lists the files, so that a task that ends in between is done.
    ///
    /// `with_ended` says whether to ask how tasks ended, too.
    ///
    /// # Errors
    /// [`StateError`] if the files cannot be listed. A scheduler that does not answer is a
    /// warning.
    pub(crate) fn read(
        run: &RunDir,
        submissions: &[Submission],
        commands: &dyn Commands,
        with_ended: bool,
    ) -> Result<Self, StateError> {
        Self::read_with(submissions, commands, with_ended, || RunListing::read(run))
    }

    /// Like [`RunState::read`], with the files as `listing` lists them.
    ///
    /// # Errors
    /// [`StateError`] if the files cannot be listed.
    pub(crate) fn read_with(
        submissions: &[Submission],
        commands: &dyn Commands,
        with_ended: bool,
        listing: impl FnOnce() -> Result<RunListing, StateError>,
    ) -> Result<Self, StateError> {
        let answers = ask(submissions, commands, with_ended);
        Ok(Self::new(listing()?, submissions.to_vec(), answers))
    }

    /// Combines the files, the submitted jobs and the answers of the schedulers.
    pub(crate) fn new(listing: RunListing, submissions: Vec<Submission>, answers: Answers) -> Self {
        let attempts = last_attempts(&submissions, &answers.records, &listing);
        let damaged = listing.slides.iter().flat_map(|slide| slide.damaged.clone()).collect();
        Self { listing, submissions, answers, attempts, damaged }
    }

    /// Checks that the queue of a scheduler could be read. Otherwise nothing may be submitted to
    /// it, because it may have the work already.
    ///
    /// # Errors
    /// The reason why the queue could not be read.
    pub(crate) fn require_queue(&mut self, kind: SchedulerKind) -> Result<(), SchedulerError> {
        self.answers.queue_errors.remove(&kind).map_or(Ok(()), Err)
    }

    /// The last try of an item.
    pub(crate) fn attempt(&self, item: &WorkItem) -> Option<&Attempt> {
        self.attempts.get(item)
    }

    /// The items at which a task is queued or running.
    pub(crate) fn live_items(&self) -> Vec<WorkItem> {
        let live = self.attempts.iter().filter(|(_, attempt)| attempt.is_live());
        live.map(|(item, _)| item.clone()).collect()
    }

    /// Why queries of the schedulers' queues failed.
    pub(crate) fn queue_errors(&self) -> impl Iterator<Item = &SchedulerError> {
        self.answers.queue_errors.values()
    }

    /// Whether a task that does an item is queued or running.
    pub(crate) fn is_live(&self, item: &WorkItem) -> bool {
        self.attempt(item).is_some_and(Attempt::is_live)
    }

    /// Number of slides to split at which a task is queued or running.
    pub(crate) fn live_splits(&self) -> usize {
        let unsplit = self.listing.slides.iter().filter(|slide| slide.to_split().is_some());
        let items = unsplit.map(|slide| WorkItem::Split(slide.record.name.clone()));
        items.filter(|item| self.is_live(item)).count()
    }

    /// The state of an item that is missing. Reads the log of its last try.
    pub(crate) fn item_state(&self, item: &WorkItem) -> MissingItemState {
        let attempt = self.attempt(item);
        if let Some(Attempt { state: Some(state), log, .. }) = attempt {
            match state {
                TaskState::Running => return MissingItemState::Running,
                TaskState::Queued(_) => return MissingItemState::Queued,
                TaskState::Stuck(_) | TaskState::Other(_) => {
                    return MissingItemState::Stuck { words: state.describe(), log: log.clone() };
                }
                TaskState::Ended(_) => {}
            }
        }
        if let Some(damage) = self.damaged.get(item)
            && attempt.is_none_or(|attempt| attempt.submitted_unix_s <= damage.time_s)
        {
            let words = damage.reason.clone();
            return MissingItemState::Failed(Failed { reason: Reason::Damaged, words, log: None });
        }
        let failed = attempt.and_then(|attempt| failure(attempt, item));
        failed.map_or(MissingItemState::Open, MissingItemState::Failed)
    }

    /// The jobs of which a task is queued or running.
    pub(crate) fn live_jobs(&self) -> impl Iterator<Item = &Submission> {
        let live: BTreeSet<&str> = self.live_records().map(|record| record.job.as_str()).collect();
        self.submissions.iter().filter(move |submission| live.contains(submission.id.as_str()))
    }

    /// Ids of the jobs of a stage of which a task is queued or running.
    pub(crate) fn live_ids(&self, stage: Stage) -> BTreeSet<String> {
        let jobs = self.live_jobs().filter(|submission| submission.stage == stage);
        jobs.map(|submission| submission.id.clone()).collect()
    }

    /// Ids of the jobs with tasks that wait for a person, and the state of these tasks.
    pub(crate) fn stuck(&self) -> BTreeSet<(&str, String)> {
        let stuck = self.live_records().filter_map(|record| match &record.state {
            TaskState::Stuck(why) => Some((record.job.as_str(), why.clone())),
            TaskState::Other(word) => Some((record.job.as_str(), word.clone())),
            _ => None,
        });
        stuck.collect()
    }

    /// Whether jobs were submitted, and now no task is queued or running. Tasks that wait for a
    /// person do not count. `false` if a queue could not be read.
    pub(crate) fn has_stopped(&self) -> bool {
        let goes_on =
            |record: &TaskRecord| matches!(record.state, TaskState::Queued(_) | TaskState::Running);
        !self.submissions.is_empty()
            && self.answers.queue_errors.is_empty()
            && !self.answers.records.iter().any(goes_on)
    }

    fn live_records(&self) -> impl Iterator<Item = &TaskRecord> {
        self.answers.records.iter().filter(|record| record.state.is_live())
    }
}

/// Why the last try of an item left it undone. `None` if the scheduler has forgotten the try and
/// its log gives no reason.
fn failure(attempt: &Attempt, item: &WorkItem) -> Option<Failed> {
    let log = LogEnd::read(&attempt.log).unwrap_or_default();
    let (reason, words) = match &attempt.state {
        Some(TaskState::Ended(end)) => {
            let reason = reason_of(end, &log, item);
            let words = match end {
                End::Success => {
                    format!("{}, but its file is missing ({})", end.describe(), reason.describe())
                }
                end => end.describe(),
            };
            let words = match attempt.node.as_str() {
                "" => words,
                node => format!("{words} on {node}"),
            };
            (reason, words)
        }
        _ => {
            let reason = reason_in_log(&log, item)?;
            (reason, reason.describe())
        }
    };
    Some(Failed { reason, words, log: Some(attempt.log.clone()) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jobs::listing::SlideListing;
    use crate::jobs::work::Request;
    use crate::number::{GroupNumber, TaskNumber};

    fn item(group: u32) -> WorkItem {
        WorkItem::Predict("a".into(), GroupNumber::try_from(group).unwrap())
    }

    fn array(id: &str, log: &str) -> Submission {
        Submission {
            id: id.into(),
            scheduler: SchedulerKind::Slurm,
            stage: Stage::Predict,
            slide: Some("a".into()),
            items: "1-4".into(),
            tasks: Some(4),
            round: 1,
            time_s: 100,
            script: "s".into(),
            log: log.into(),
            request: Request::NONE,
        }
    }

    fn record(job: &str, index: u32, state: TaskState) -> TaskRecord {
        TaskRecord {
            job: job.into(),
            index: Some(TaskNumber::try_from(index).unwrap()),
            state,
            node: String::new(),
            cores: 1,
            elapsed_s: None,
        }
    }

    fn state(submissions: &[Submission], records: Vec<TaskRecord>) -> RunState {
        let answers = Answers { records, ..Answers::default() };
        RunState::new(RunListing::default(), submissions.to_vec(), answers)
    }

    fn reason(state: &RunState, group: u32) -> Option<Reason> {
        match state.item_state(&item(group)) {
            MissingItemState::Failed(failed) => Some(failed.reason),
            _ => None,
        }
    }

    #[test]
    fn the_queue_decides_what_is_live_and_the_log_why_a_task_failed() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("7_2.log");
        std::fs::write(&log, "x\nmemory allocation of 9 bytes failed\n").unwrap();
        let pattern = folder.path().join("{id}_{index}.log").display().to_string();
        let ended = |index, end| record("7", index, TaskState::Ended(end));
        let records = vec![
            ended(1, End::NodeLoss),
            ended(2, End::Signal(6)),
            ended(3, End::ExitCode(4)),
            record("7", 1, TaskState::Queued("BeginTime".into())),
            record("7", 4, TaskState::Running),
            record("8", 3, TaskState::Running),
        ];
        let arrays = [array("7", &pattern), array("8", "l"), array("9", "l")];
        let all = state(&arrays, records.clone());
        let live: Vec<u32> = (1..=4).filter(|&group| all.is_live(&item(group))).collect();
        assert_eq!(live, [1, 3, 4]);
        assert_eq!(
            all.item_state(&item(2)),
            MissingItemState::Open,
            "its last try is not known yet"
        );
        assert_eq!(all.live_ids(Stage::Predict), ["7", "8"].map(String::from).into());
        let first = state(&arrays[..1], records);
        assert_eq!(first.item_state(&item(1)), MissingItemState::Queued);
        let MissingItemState::Failed(failed) = first.item_state(&item(2)) else {
            panic!("it failed")
        };
        assert_eq!((failed.reason, failed.log.as_deref()), (Reason::Memory, Some(log.as_path())));
        assert_eq!(reason(&first, 3), Some(Reason::ExitCode(4)));
    }

    #[test]
    fn a_run_has_stopped_if_no_task_of_it_is_queued_or_running() {
        let jobs = [array("7", "l")];
        let stopped = |records| state(&jobs, records).has_stopped();
        assert!(!state(&[], Vec::new()).has_stopped(), "nothing was submitted");
        assert!(stopped(Vec::new()));
        assert!(stopped(vec![record("7", 1, TaskState::Ended(End::NodeLoss))]));
        assert!(stopped(vec![record("7", 1, TaskState::Stuck("JobHeldUser".into()))]));
        assert!(!stopped(vec![record("7", 1, TaskState::Queued(String::new()))]));
        assert!(!stopped(vec![record("7", 1, TaskState::Running)]));
        let error = SchedulerError::answer("squeue", "", "a line");
        let queue_errors = [(SchedulerKind::Slurm, error)].into();
        let answers = Answers { queue_errors, ..Answers::default() };
        let unknown = RunState::new(RunListing::default(), jobs.to_vec(), answers);
        assert!(!unknown.has_stopped());
    }

    #[test]
    fn the_log_gives_the_reason_of_forgotten_jobs() {
        let folder = tempfile::tempdir().unwrap();
        let pattern = folder.path().join("{id}_{index}.log").display().to_string();
        let forgotten = state(&[array("7", &pattern)], Vec::new());
        assert_eq!(forgotten.item_state(&item(1)), MissingItemState::Open);
        let late = "slurmstepd: error: *** JOB 9 CANCELLED DUE TO TIME LIMIT ***";
        std::fs::write(folder.path().join("7_1.log"), late).unwrap();
        assert_eq!(reason(&forgotten, 1), Some(Reason::TimeLimit));
    }

    #[test]
    fn damage_counts_until_a_later_try_fails() {
        let mut slide = SlideListing::default();
        let damage =
            Damage { reason: "it is short".into(), found_by: "stitch".into(), time_s: 150 };
        slide.damaged.insert(item(1), damage);
        let listing = RunListing { slides: vec![slide], ..RunListing::default() };
        let item_state = |submitted_s: u64| {
            let submission = Submission { time_s: submitted_s, ..array("7", "l") };
            let records = vec![record("7", 1, TaskState::Ended(End::Memory))];
            let answers = Answers { records, ..Answers::default() };
            let state = RunState::new(listing.clone(), vec![submission], answers);
            reason(&state, 1)
        };
        assert_eq!(
            (item_state(100), item_state(200)),
            (Some(Reason::Damaged), Some(Reason::Memory))
        );
        let state = RunState::new(listing, Vec::new(), Answers::default());
        assert_eq!(reason(&state, 1), Some(Reason::Damaged));
    }
}
