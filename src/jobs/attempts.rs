//! The last try of each item that was submitted, from what was submitted and what the
//! schedulers answer.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::listing::RunListing;
use super::scheduler::{TaskRecord, TaskState};
use super::submitted::Submission;
use super::work::{Request, WorkItem};
use crate::number::TaskNumber;

/// A try of an item.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Attempt {
    /// State of the task. `None` if the scheduler does not know the task yet, or has forgotten
    /// it.
    pub state: Option<TaskState>,
    /// Node on which the task runs or ran; empty if it is not known.
    pub node: String,
    /// Path of the log, which exists once the task has begun.
    pub log: PathBuf,
    /// Memory and time that the task requested.
    pub request: Request,
    /// Time of the submission, Unix time in seconds.
    pub submitted_unix_s: u64,
}

impl Attempt {
    /// Whether the task is queued or running.
    pub(crate) fn is_live(&self) -> bool {
        self.state.as_ref().is_some_and(TaskState::is_live)
    }
}

/// Finds the last try of each item. If a try of the item is queued or running, that one counts,
/// and otherwise the one that was submitted last.
///
/// `listing` says which slides the jobs are about.
pub(crate) fn last_attempts(
    submissions: &[Submission],
    records: &[TaskRecord],
    listing: &RunListing,
) -> BTreeMap<WorkItem, Attempt> {
    // A later record of a task replaces an earlier one; those of the queue come last.
    let known: BTreeMap<(&str, Option<TaskNumber>), &TaskRecord> =
        records.iter().map(|record| ((record.job.as_str(), record.index), record)).collect();
    let mut attempts: BTreeMap<WorkItem, Attempt> = BTreeMap::new();
    for submission in submissions {
        for (index, item) in listing.work_of(submission) {
            let id = submission.id.as_str();
            // Schedulers may list an array of one task as a job without an index.
            let without_index = || known.get(&(id, None)).filter(|_| submission.tasks == Some(1));
            let record = known.get(&(id, index)).or_else(without_index);
            let attempt = Attempt {
                state: record.map(|record| record.state.clone()),
                node: record.map_or(String::new(), |record| record.node.clone()),
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
