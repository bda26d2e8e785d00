//! The last try of every item that was submitted.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::scheduler::{TaskRecord, TaskState};
use super::submitted::Submission;
use super::work::{Request, WorkItem};
use crate::number::TaskNumber;

/// A try of an item.
#[derive(Debug, Clone, PartialEq)]
pub struct Attempt {
    /// The job or array.
    pub job: String,
    /// Array index.
    pub index: Option<TaskNumber>,
    /// What the scheduler says of it; `None` when the scheduler does not know of it yet,
    /// or any more.
    pub state: Option<TaskState>,
    /// Where its log is, once it has begun.
    pub log: PathBuf,
    /// What was asked for.
    pub request: Request,
    /// When it was submitted, Unix time.
    pub submitted_unix_s: u64,
}

impl Attempt {
    /// Whether the scheduler still has it.
    pub fn is_live(&self) -> bool {
        self.state.as_ref().is_some_and(TaskState::is_live)
    }
}

/// Connects submissions with what schedulers answer.
///
/// Of two tries of one item the live one counts, else the later one: how an earlier try
/// ended says nothing about a later one.
///
/// `slide_of`: the slide in a row of slides.csv.
pub fn last_attempts<'a>(
    submissions: &[Submission],
    records: &[TaskRecord],
    slide_of: &dyn Fn(TaskNumber) -> Option<&'a str>,
) -> BTreeMap<WorkItem, Attempt> {
    // Later records are newer, and those in the queue come last.
    let known: BTreeMap<(&str, Option<TaskNumber>), &TaskRecord> =
        records.iter().map(|record| ((record.job.as_str(), record.index), record)).collect();
    let mut attempts: BTreeMap<WorkItem, Attempt> = BTreeMap::new();
    for submission in submissions {
        for (index, item) in submission.work(slide_of) {
            let id = submission.id.as_str();
            // An array of one task may be a plain job to its scheduler.
            let plain = || known.get(&(id, None)).filter(|_| submission.tasks == Some(1));
            let record = known.get(&(id, index)).or_else(plain);
            let attempt = Attempt {
                job: id.to_owned(),
                index,
                state: record.map(|record| record.state.clone()),
                log: submission.log_of(index),
                request: submission.request,
                submitted_unix_s: submission.time_s,
            };
            if attempts.get(&item).is_none_or(|earlier| !earlier.is_live() || attempt.is_live()) {
                attempts.insert(item, attempt);
            }
        }
    }
    attempts
}
