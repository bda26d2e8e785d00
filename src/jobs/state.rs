//! What is known of a run: what is done, by its files, and what becomes of the rest, by
//! the schedulers and the logs.
//!
//! Chain, retry, status, cost and report all ask this one state, so that they agree.

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

/// What is known of a run.
#[derive(Debug, Default)]
pub struct RunState {
    /// What the files say.
    pub listing: RunListing,
    /// What was submitted, oldest first.
    pub submissions: Vec<Submission>,
    /// What the schedulers say of it.
    pub answers: Answers,
    attempts: BTreeMap<WorkItem, Attempt>,
    damaged: BTreeMap<WorkItem, Damage>,
}

/// What schedulers say of what was submitted to them.
#[derive(Debug, Default)]
pub struct Answers {
    /// Every run of every task that is known: ended ones in order, then what is queued
    /// or running now.
    pub records: Vec<TaskRecord>,
    /// What could not be asked, and why.
    pub warnings: Vec<String>,
    /// Schedulers whose queue could not be asked.
    pub(super) queue_errors: BTreeMap<SchedulerKind, SchedulerError>,
}

/// What becomes of an item that is missing.
#[derive(Debug, Clone, PartialEq)]
pub enum Outlook {
    /// A task runs that does it.
    Running,
    /// A task in the queue will do it.
    Queued,
    /// A task in the queue that would do it waits for a person.
    Stuck {
        /// In these words.
        words: String,
        /// Where its log is or will be.
        log: PathBuf,
    },
    /// It failed, and no task is at it.
    Failed(Failed),
    /// Nothing is known to be wrong, and no task is at it.
    Open,
}

/// Why an item is missing that was tried.
#[derive(Debug, Clone, PartialEq)]
pub struct Failed {
    /// In a word.
    pub reason: Reason,
    /// In more words: the scheduler's, or what is wrong with the file.
    pub words: String,
    /// Where its log is, if it has begun.
    pub log: Option<PathBuf>,
}

/// Asks the schedulers about what was submitted to them.
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
        let warning = |error: &SchedulerError| format!("{}: files alone tell", error.in_short());
        answers.warnings.extend(errors.map(warning));
        answers.queue_errors.extend(tasks.queue_error.map(|error| (kind, error)));
        answers.records.extend(tasks.records);
    }
    answers
}

impl RunState {
    /// Asks the schedulers, then lists the files: what has been written meanwhile counts.
    ///
    /// `with_ended`: whether to ask how tasks ended, too.
    ///
    /// # Errors
    /// [`StateError`] when the files cannot be listed. A scheduler that does not answer
    /// is a warning.
    pub fn read(
        run: &RunDir,
        submissions: &[Submission],
        commands: &dyn Commands,
        with_ended: bool,
    ) -> Result<Self, StateError> {
        let answers = ask(submissions, commands, with_ended);
        Ok(Self::new(RunListing::read(run)?, submissions.to_vec(), answers))
    }

    /// Puts together what files, submissions and schedulers say.
    pub fn new(listing: RunListing, submissions: Vec<Submission>, answers: Answers) -> Self {
        let slide_of = |row| listing.slide_in(row);
        let attempts = last_attempts(&submissions, &answers.records, &slide_of);
        let damaged = listing.slides.iter().flat_map(|slide| slide.damaged.clone()).collect();
        Self { listing, submissions, answers, attempts, damaged }
    }

    /// Nothing may be submitted to a scheduler whose queue could not be asked: it may
    /// have the work already.
    ///
    /// # Errors
    /// Why the queue could not be asked.
    pub fn require_queue(&mut self, kind: SchedulerKind) -> Result<(), SchedulerError> {
        self.answers.queue_errors.remove(&kind).map_or(Ok(()), Err)
    }

    /// The last try of an item.
    pub fn attempt(&self, item: &WorkItem) -> Option<&Attempt> {
        self.attempts.get(item)
    }

    /// Whether a task is queued or running that does an item.
    pub fn is_live(&self, item: &WorkItem) -> bool {
        self.attempt(item).is_some_and(Attempt::is_live)
    }

    /// What becomes of an item that is missing; reads the log of its last try.
    pub fn outlook(&self, item: &WorkItem) -> Outlook {
        let attempt = self.attempt(item);
        if let Some(Attempt { state: Some(state), log, .. }) = attempt {
            match state {
                TaskState::Running => return Outlook::Running,
                TaskState::Queued(_) => return Outlook::Queued,
                TaskState::Stuck(_) | TaskState::Other(_) => {
                    return Outlook::Stuck { words: state.describe(), log: log.clone() };
                }
                TaskState::Ended(_) => {}
            }
        }
        if let Some(damage) = self.damaged.get(item)
            && attempt.is_none_or(|attempt| attempt.submitted_unix_s <= damage.time_s)
        {
            let words = damage.reason.clone();
            return Outlook::Failed(Failed { reason: Reason::Damaged, words, log: None });
        }
        let failed = attempt.and_then(|attempt| failure(attempt, item));
        failed.map_or(Outlook::Open, Outlook::Failed)
    }

    /// The submissions of which a task is queued or running.
    pub fn live_jobs(&self) -> impl Iterator<Item = &Submission> {
        let live: BTreeSet<&str> = self.live_records().map(|record| record.job.as_str()).collect();
        self.submissions.iter().filter(move |submission| live.contains(submission.id.as_str()))
    }

    /// Ids of the jobs of a stage of which a task is queued or running.
    pub fn live_ids(&self, stage: Stage) -> BTreeSet<String> {
        let jobs = self.live_jobs().filter(|submission| submission.stage == stage);
        jobs.map(|submission| submission.id.clone()).collect()
    }

    /// Jobs with tasks that wait for a person, and in what state those are.
    pub fn stuck(&self) -> BTreeSet<(&str, String)> {
        let stuck = self.live_records().filter_map(|record| match &record.state {
            TaskState::Stuck(why) => Some((record.job.as_str(), why.clone())),
            TaskState::Other(word) => Some((record.job.as_str(), word.clone())),
            _ => None,
        });
        stuck.collect()
    }

    fn live_records(&self) -> impl Iterator<Item = &TaskRecord> {
        self.answers.records.iter().filter(|record| record.state.is_live())
    }
}

/// Why the last try of an item left it undone; `None` when nobody knows of the try any
/// more, and its log says nothing.
fn failure(attempt: &Attempt, item: &WorkItem) -> Option<Failed> {
    let log = LogEnd::read(&attempt.log).unwrap_or_default();
    let (reason, words) = match &attempt.state {
        Some(TaskState::Ended(end)) => {
            let reason = reason_of(end, &log, item);
            let words = match end {
                End::Success => {
                    format!("{}, but its file is not there ({})", end.describe(), reason.describe())
                }
                end => end.describe(),
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
        match state.outlook(&item(group)) {
            Outlook::Failed(failed) => Some(failed.reason),
            _ => None,
        }
    }

    #[test]
    fn the_queue_has_the_last_word_and_the_log_the_reason() {
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
        assert_eq!(all.outlook(&item(2)), Outlook::Open, "nobody knows of its last try yet");
        assert_eq!(all.live_ids(Stage::Predict), ["7", "8"].map(String::from).into());
        let first = state(&arrays[..1], records);
        assert_eq!(first.outlook(&item(1)), Outlook::Queued);
        let Outlook::Failed(failed) = first.outlook(&item(2)) else { panic!("it failed") };
        assert_eq!((failed.reason, failed.log.as_deref()), (Reason::Memory, Some(log.as_path())));
        assert_eq!(reason(&first, 3), Some(Reason::ExitCode(4)));
    }

    #[test]
    fn the_log_tells_of_jobs_that_are_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let pattern = folder.path().join("{id}_{index}.log").display().to_string();
        let forgotten = state(&[array("7", &pattern)], Vec::new());
        assert_eq!(forgotten.outlook(&item(1)), Outlook::Open);
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
        let listing = RunListing { slides: vec![slide] };
        let outlook = |submitted_s: u64| {
            let submission = Submission { time_s: submitted_s, ..array("7", "l") };
            let records = vec![record("7", 1, TaskState::Ended(End::Memory))];
            let answers = Answers { records, ..Answers::default() };
            let state = RunState::new(listing.clone(), vec![submission], answers);
            reason(&state, 1)
        };
        assert_eq!((outlook(100), outlook(200)), (Some(Reason::Damaged), Some(Reason::Memory)));
        let state = RunState::new(listing, Vec::new(), Answers::default());
        assert_eq!(reason(&state, 1), Some(Reason::Damaged));
    }
}
