//! What a command asks to be submitted.

use crate::config::{ClusterKeys, PredictKeys};
use crate::jobs::chain::Effect;
use crate::jobs::retry::Factors;
use crate::jobs::scheduler::System;
use crate::jobs::submitted::Submission;
use crate::run_dir::{NamedSlide, RunDir};

/// What to submit, and how.
pub(crate) struct SubmitRequest<'a> {
    /// The run directory; jobs need an absolute path.
    pub(crate) run: &'a RunDir,
    /// The section `[predict]`, which names the engine.
    pub(crate) predict: &'a PredictKeys,
    /// The section `[cluster]`.
    pub(crate) keys: &'a ClusterKeys,
    /// Whether to make heatmaps.
    pub(crate) stitch: bool,
    /// Whether to make a study at the end.
    pub(crate) study: bool,
    /// What becomes of the jobs.
    pub(crate) effect: Effect,
    /// Slides that a dry run adds to those of the run.
    pub(crate) given: &'a [NamedSlide],
    /// The round to continue; `None` starts a new one.
    pub(crate) round: Option<usize>,
    /// Factors on the requests of `master retry`, which looks why work failed, requests more where
    /// that helps, and notes it. `None` for other commands.
    pub(crate) retry: Option<Factors>,
    /// Called with each job that is submitted, and with the text of its script.
    pub(crate) on_submit: &'a dyn Fn(&Submission, &str),
}

impl SubmitRequest<'_> {
    /// How long a scheduler that does not answer is waited for. A master job has nobody who would
    /// repeat the command.
    pub(super) fn patience(&self) -> System {
        if self.round.is_some() { System::PATIENT } else { System::BRIEF }
    }
}
