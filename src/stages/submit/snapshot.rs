//! What is known of a run while no other command submits jobs.

use super::error::SubmitError;
use super::request::SubmitRequest;
use crate::jobs::chain::{ChainError, adopt_pending};
use crate::jobs::listing::RunListing;
use crate::jobs::scheduler::scheduler;
use crate::jobs::state::RunState;
use crate::jobs::submitted::Journal;
use crate::progress::Progress;
use crate::run_dir::{self, RunDir, SlideRecord};
use crate::staged;
use crate::stages::StagesError;
use crate::stages::completion::Completion;
use crate::stages::plan::{foresee, plan};

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
        let run = request.run;
        let kind = request.keys.scheduler;
        let planned = plan_split(run, progress)?;
        let mut journal = Journal::open(run).map_err(ChainError::from)?;
        let scheduler = scheduler(kind);
        if let Some(found) = adopt_pending(scheduler.as_ref(), &request.patience(), &mut journal)? {
            progress.note(&format!(
                "job {} was submitted by a command that ended before it recorded the job; it is recorded now",
                found.id
            ));
        }
        let mut state = RunState::read(run, &journal.list, &request.patience(), with_ended)?;
        state.require_queue(kind).map_err(ChainError::from)?;
        warn_of(&state, progress);
        Ok(Self { journal, state, planned })
    }

    /// What [`Snapshot::read`] would return, for a dry run, which waits for nobody and may take
    /// place far from the cluster. Nothing is written but the table of tasks, where scripts that
    /// read the table are written.
    pub(super) fn foresee(
        request: &SubmitRequest<'_>,
        with_ended: bool,
        progress: &Progress,
    ) -> Result<Self, SubmitError> {
        let run = request.run;
        let slides = run_dir::list_slides_with(run, request.given)?;
        let (lookup, planned) = foresee(run, &slides, progress)?;
        if request.effect.writes_scripts() {
            lookup.write(run).map_err(StagesError::from)?;
        }
        let journal = Journal::read(run).map_err(ChainError::from)?;
        let state = RunState::read_with(&journal.list, &request.patience(), with_ended, || {
            RunListing::read_with(run, slides, &lookup)
        })?;
        warn_of(&state, progress);
        Ok(Self { journal, state, planned })
    }
}

/// Passes on what the schedulers could not tell.
fn warn_of(state: &RunState, progress: &Progress) {
    for warning in &state.answers.warnings {
        progress.warn(&format!("warning: {warning}"));
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
