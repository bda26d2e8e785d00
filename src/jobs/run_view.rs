//! The view of a whole run that `status` and the report show.

use std::path::PathBuf;

use serde::Serialize;

use super::reason::Reason;
use super::scheduler::System;
use super::state::{Failed, MissingItemState, RunState};
use super::state_error::StateError;
use super::status::{FilesRead, progress_of};
use super::submitted::{is_submitting, read_submitted};
use super::view::{SlideView, view_of};
use super::work::WorkItem;
use crate::run_dir::RunDir;
use crate::shell::quoted;

/// The state of a run, and a view of each of its slides.
pub(crate) struct RunView {
    /// The state of the run.
    pub state: RunState,
    /// The slides, in the order of slides.csv.
    pub slides: Vec<SlideView>,
    /// Whether a command was submitting jobs just before.
    submitting: bool,
    /// The fit over the slides, if a job was submitted for it and groups wait for it.
    pub fit: Option<FitView>,
}

/// The state of a fit over the slides that is not made yet.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct FitView {
    /// `queued`, `running`, `stuck`, `failed`, or `unknown` to the scheduler.
    pub state: &'static str,
    /// The reason as a code, if the job has ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// The reason in words; empty for a job that is queued or runs.
    #[serde(rename = "told", skip_serializing_if = "String::is_empty")]
    pub words: String,
    /// Path of the log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log: Option<PathBuf>,
}

/// The numbers of slides and groups in each state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Totals {
    /// Slides.
    pub slides: usize,
    /// Slides that are done.
    pub done: usize,
    /// Slides with a heatmap that lacks something, and nothing left to do.
    pub partial: usize,
    /// Slides of which an item failed.
    pub failed: usize,
    /// Groups.
    pub groups: usize,
    /// Groups with scores.
    pub groups_scored: usize,
    /// Groups that run.
    pub groups_running: usize,
    /// Groups that are queued, or that were not submitted.
    pub groups_waiting: usize,
    /// Groups that failed.
    pub groups_failed: usize,
}

/// Reads what the schedulers and the files tell about the work of a run.
///
/// # Errors
/// [`StateError`] if the files cannot be listed.
pub(crate) fn read_state(run: &RunDir) -> Result<RunState, StateError> {
    RunState::read(run, &read_submitted(run)?, &System::ONCE, true)
}

impl RunView {
    /// Reads the heatmaps, asks the schedulers, then lists the files.
    ///
    /// # Errors
    /// [`StateError`] if the files cannot be listed.
    pub(crate) fn read(run: &RunDir) -> Result<Self, StateError> {
        let files = FilesRead::read(run);
        // Before the schedulers are asked, so that they know what such a command has submitted.
        let submitting = is_submitting(run);
        let state = read_state(run)?;
        let view = |slide| view_of(progress_of(run, slide, &files), &state);
        let slides = state.listing.slides.iter().map(view).collect();
        let fit = FitView::of_missing(&state);
        Ok(Self { state, slides, submitting, fit })
    }

    /// Whether nothing is left to do.
    pub(crate) fn is_over(&self) -> bool {
        self.slides.iter().all(SlideView::is_over)
    }

    /// Whether work is left, was submitted, and no job does it.
    pub(crate) fn has_stopped(&self) -> bool {
        !self.is_over() && !self.submitting && self.state.has_stopped()
    }

    /// Whether something failed, is partial, has no tissue or cannot be read, or the chain of jobs has stopped.
    pub(crate) fn needs_attention(&self) -> bool {
        let slide_does = |slide: &SlideView| {
            let files = &slide.files;
            let is_lacking = files.is_partial() || files.has_no_tissue();
            is_lacking || slide.has_failed() || files.heatmap_unread.is_some()
        };
        self.has_stopped() || self.slides.iter().any(slide_does)
    }

    /// Whether nothing is left that a task could do without a person.
    pub(crate) fn is_settled(&self) -> bool {
        self.slides.iter().all(SlideView::is_settled)
    }

    /// Where the waiting groups are, and how to continue if no job does. Empty if nothing was
    /// submitted.
    pub(crate) fn queue_lines(&self, run: &RunDir) -> Vec<String> {
        if self.state.submissions.is_empty() {
            return Vec::new();
        }
        let mut lines: Vec<String> = self.fit.iter().map(FitView::line).collect();
        let sum = |count: fn(&SlideView) -> usize| self.slides.iter().map(count).sum::<usize>();
        let (waiting, queued) = (sum(|slide| slide.waiting.len()), sum(|slide| slide.queued.len()));
        if waiting > 0 {
            let open = waiting - queued;
            lines
                .push(format!("waiting: {queued} in the queue, {open} not submitted or forgotten"));
        }
        if self.has_stopped() {
            let run = quoted(&run.root().to_string_lossy());
            lines.push(format!(
                "stopped: no job of this run is queued or running; `slidegrid master retry --run {run}` continues"
            ));
        }
        lines
    }

    /// What the schedulers could not tell.
    pub(crate) fn warnings(&self) -> &[String] {
        &self.state.answers.warnings
    }
}

impl FitView {
    /// The view of a fit that is missing and that a job was submitted for.
    fn of_missing(state: &RunState) -> Option<Self> {
        let item = WorkItem::Calibrate;
        if !state.listing.lacks_fit(0) || state.attempt(&item).is_none() {
            return None;
        }
        let live = |state| Self { state, reason: None, words: String::new(), log: None };
        Some(match state.item_state(&item) {
            MissingItemState::Queued => live("queued"),
            MissingItemState::Running => live("running"),
            MissingItemState::Open => live("unknown"),
            MissingItemState::Stuck { words, log } => {
                Self { words, log: Some(log), ..live("stuck") }
            }
            MissingItemState::Failed(Failed { reason, words, log }) => {
                Self { state: "failed", reason: Some(reason), words, log }
            }
        })
    }

    /// The state in one line.
    fn line(&self) -> String {
        let state = match self.state {
            "unknown" => "the scheduler does not know the job",
            state => state,
        };
        let mut line = format!("calibrate: {state}");
        if let Some(reason) = self.reason {
            line += &format!(": {}", reason.describe());
        }
        if !self.words.is_empty() {
            line += &format!(", {}", self.words);
        }
        if let Some(log) = &self.log {
            line += &format!(" [{}]", log.display());
        }
        line + "; groups are scored once the fit over the slides is made"
    }
}

impl Totals {
    /// The totals over some slides.
    pub(crate) fn count(slides: &[SlideView]) -> Self {
        let sum = |count: fn(&SlideView) -> usize| slides.iter().map(count).sum();
        Self {
            slides: slides.len(),
            done: slides.iter().filter(|slide| slide.files.is_done()).count(),
            partial: slides.iter().filter(|slide| slide.files.is_partial()).count(),
            failed: slides.iter().filter(|slide| slide.has_failed()).count(),
            groups: sum(|slide| slide.files.groups as usize),
            groups_scored: sum(|slide| slide.files.scored),
            groups_running: sum(|slide| slide.running.len()),
            groups_waiting: sum(|slide| slide.waiting.len()),
            groups_failed: sum(|slide| slide.failed().len()),
        }
    }
}
