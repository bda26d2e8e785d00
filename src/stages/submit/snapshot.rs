//! What is known of a run while no other command submits jobs.

use super::error::SubmitError;
use super::request::SubmitRequest;
use crate::jobs::chain::{ChainError, adopt_pending};
use crate::jobs::scheduler::scheduler;
use crate::jobs::state::RunState;
use crate::jobs::submitted::Journal;
use crate::progress::Progress;
use crate::run_dir::{self, RunDir, SlideRecord};
use crate::staged;
use crate::stages::completion::Completion;
use crate::stages::plan::plan;

/// The state of the run, read while the journal is locked.
pub(super) struct Snapshot {
    pub(super) journal: Journal,
    pub(super) state: RunState,
    /// How planning ended.
    pub(super) planned: Completion,
}

impl Snapshot {
    /// Writes the table of tasks over what is split so far, waits for other commands that
    /// submit, asks the schedulers and lists the files.
    ///
    /// `with_ended` says whether to ask how tasks ended, too.
    pub(super) fn read(
        request: &SubmitRequest<'_>,
        with_ended: bool,
        progress: &Progress,
    ) -> Result<Self, SubmitError> {
        let SubmitRequest { run, dry_run, .. } = *request;
        let kind = request.keys.scheduler;
        let planned = plan_split(run, progress)?;
        let mut journal = Journal::open(run).map_err(ChainError::from)?;
        if !dry_run {
            let scheduler = scheduler(kind);
            if let Some(found) =
                adopt_pending(scheduler.as_ref(), &request.patience(), &mut journal)?
            {
                progress.note(&format!(
                    "job {} was submitted by a command that ended before it recorded the job; it is recorded now",
                    found.id
                ));
            }
        }
        let mut state = RunState::read(run, &journal.list, &request.patience(), with_ended)?;
        // A dry run may be far from the cluster.
        if !dry_run {
            state.require_queue(kind).map_err(ChainError::from)?;
        }
        for warning in &state.answers.warnings {
            progress.warn(&format!("warning: {warning}"));
        }
        Ok(Self { journal, state, planned })
    }
}

/// Writes the table of tasks over what is split so far.
fn plan_split(run: &RunDir, progress: &Progress) -> Result<Completion, SubmitError> {
    if staged::is_there(&run.slides_csv())? {
        let records = run_dir::refresh_slides(run)?;
        let is_split = |record: &SlideRecord| {
            // What is not known is planned, and named there.
            staged::is_there(&run.patches(&record.name)).unwrap_or(true)
        };
        if !records.iter().any(is_split) {
            return Ok(Completion::Done);
        }
    }
    let (_, completion) = plan(run, progress)?;
    Ok(completion)
}
