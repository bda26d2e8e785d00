//! A wave: the jobs that one command submits, and when the next wave follows.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::context::Chain;
use super::scripts::scripts_of;
use super::steps::JobStep;
use crate::config::Stage;
use crate::jobs::plan::plan_arrays;
use crate::jobs::scheduler::{Limits, StartCondition};
use crate::jobs::state::RunState;
use crate::jobs::submitted::{Journal, Submission};
use crate::jobs::todo::Todo;
use crate::staged::{self, StageError};

/// Time that a master job waits if the queue is full of other jobs, minutes.
const WAIT_MIN: u32 = 5;

/// The state of a wave while its jobs are submitted.
pub(super) struct Wave<'a> {
    pub(super) limits: Limits,
    /// Number of jobs that still fit into the queue; `None` for any number.
    pub(super) room: Option<usize>,
    /// Scripts of jobs, whose names are taken.
    pub(super) scripts: BTreeSet<PathBuf>,
    pub(super) journal: &'a mut Journal,
    pub(super) round: usize,
    /// Ids of the jobs of this wave, in order.
    pub(super) ids: Vec<String>,
    /// Ids of the jobs for which the stitch of each slide waits.
    pub(super) arrays: BTreeMap<String, BTreeSet<String>>,
    /// Slides with groups for which the queue has no room.
    pub(super) held_back: BTreeSet<String>,
    pub(super) unsent_tasks: u32,
    pub(super) done: Vec<Submission>,
}

impl<'a> Wave<'a> {
    pub(super) fn new(
        limits: Limits,
        state: &RunState,
        journal: &'a mut Journal,
        round: usize,
    ) -> Self {
        let mut arrays: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for array in state.live_jobs().filter(|submission| submission.stage == Stage::Predict) {
            let slide = array.slide.clone().unwrap_or_default();
            arrays.entry(slide).or_default().insert(array.id.clone());
        }
        Self {
            limits,
            // One place is kept for the master job.
            room: limits.jobs.map(|limit| limit.saturating_sub(limits.jobs_in_use + 1)),
            scripts: scripts_of(journal),
            journal,
            round,
            ids: Vec::new(),
            arrays,
            held_back: BTreeSet::new(),
            unsent_tasks: 0,
            done: Vec::new(),
        }
    }

    pub(super) fn hold_back(&mut self, step: &JobStep) {
        self.unsent_tasks += step.tasks();
        self.held_back.extend(step.slide().map(ToOwned::to_owned));
    }
}

impl Chain<'_> {
    /// The steps in the order in which they are submitted: `split`, `calibrate`, slides that only
    /// need a `stitch`, and then for each slide `predict` and `stitch`.
    pub(super) fn steps(&self, todo: &Todo, wave: &Wave) -> Vec<JobStep> {
        let limit = wave.limits.array_tasks;
        let rows = todo.split.iter().flat_map(|rows| {
            rows.rows.chunks(limit as usize).map(|chunk| JobStep::split(chunk, rows.request))
        });
        let mut steps: Vec<JobStep> = rows.collect();
        steps.extend(todo.calibrate.map(|request| JobStep::Calibrate { request }));
        let mut arrays: BTreeMap<String, Vec<JobStep>> = BTreeMap::new();
        let mut order: Vec<String> = Vec::new();
        for array in plan_arrays(&todo.predict, limit, self.groups_per_task) {
            if !arrays.contains_key(&array.slide) {
                order.push(array.slide.clone());
            }
            arrays.entry(array.slide.clone()).or_default().push(JobStep::Predict(array));
        }
        let (mut with_groups, alone): (BTreeMap<_, _>, BTreeMap<_, _>) =
            todo.stitch.iter().cloned().partition(|(slide, _)| arrays.contains_key(slide));
        // Slides whose groups are all scored come first.
        steps.extend(alone.into_iter().map(|(slide, request)| JobStep::Stitch { slide, request }));
        for slide in order {
            steps.extend(arrays.remove(&slide).unwrap_or_default());
            if let Some(request) = with_groups.remove(&slide) {
                steps.push(JobStep::Stitch { slide, request });
            }
        }
        steps
    }
}

impl Chain<'_> {
    /// The study, if one is to be made and all jobs for which it waits are submitted. There is one
    /// per round, and only if heatmaps are new or no study exists.
    ///
    /// # Errors
    /// [`StageError`] if the system does not say whether there is a study.
    pub(super) fn study_step(
        &self,
        state: &RunState,
        wave: &Wave,
    ) -> Result<Option<JobStep>, StageError> {
        let in_round = |submission: &&Submission| submission.round >= wave.round;
        let mut known = wave.journal.list.iter().filter(in_round).chain(&wave.done);
        let is_tried = known.any(|submission| submission.stage == Stage::Study);
        let is_live = !state.live_ids(Stage::Study).is_empty();
        if !self.study || is_tried || is_live || next(wave, state).is_some() {
            return Ok(None);
        }
        let stitches = wave.done.iter().filter(|submission| submission.stage == Stage::Stitch);
        let mut after: Vec<String> = stitches.map(|submission| submission.id.clone()).collect();
        after.extend(state.live_ids(Stage::Stitch));
        let is_made = || staged::is_there(&self.run.study().join("study.json"));
        let wanted =
            !after.is_empty() || (state.listing.planned().any(|s| s.heatmap) && !is_made()?);
        Ok(wanted.then_some(JobStep::Study { after }))
    }
}

/// When the next wave follows. If tasks found no room, this is when the first half of this wave has
/// ended, so that the other half keeps the cluster busy. Otherwise it is when all slides are split
/// and the fit over them is made, or never if there is no such job.
pub(super) fn next(wave: &Wave, state: &RunState) -> Option<StartCondition> {
    let before_predict = [Stage::Split, Stage::Calibrate];
    let mine = wave.done.iter().filter(|submission| before_predict.contains(&submission.stage));
    let mut awaited: BTreeSet<String> = mine.map(|submission| submission.id.clone()).collect();
    awaited.extend(before_predict.into_iter().flat_map(|stage| state.live_ids(stage)));
    if wave.unsent_tasks == 0 {
        let after: Vec<String> = awaited.into_iter().collect();
        return (!after.is_empty()).then_some(StartCondition { after, delay_min: None });
    }
    let queued: Vec<String> = [Stage::Predict, Stage::Split, Stage::Calibrate]
        .into_iter()
        .flat_map(|s| state.live_ids(s))
        .collect();
    let ids = if wave.ids.is_empty() { &queued } else { &wave.ids };
    let half = ids[..ids.len().div_ceil(2)].to_vec();
    let delay_min = half.is_empty().then_some(WAIT_MIN);
    Some(StartCondition { after: half, delay_min })
}
