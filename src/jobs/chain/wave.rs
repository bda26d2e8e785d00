//! What is kept while submitting, and when to look again.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::context::Chain;
use super::scripts::scripts_of;
use super::steps::Step;
use crate::config::Stage;
use crate::jobs::plan::plan_arrays;
use crate::jobs::scheduler::{Hold, Limits};
use crate::jobs::state::RunState;
use crate::jobs::submitted::{Journal, Submission};
use crate::jobs::todo::Todo;

/// Minutes a master job waits when the queue is full of other things.
const WAIT_MIN: u32 = 5;

/// What is kept while submitting.
pub(super) struct Wave<'a> {
    pub(super) limits: Limits,
    /// Jobs that still fit; none: any number.
    pub(super) room: Option<usize>,
    /// Names that are taken.
    pub(super) scripts: BTreeSet<PathBuf>,
    pub(super) journal: &'a mut Journal,
    pub(super) round: usize,
    /// Ids of this wave, in order.
    pub(super) ids: Vec<String>,
    /// Ids each slide's stitch waits for.
    pub(super) arrays: BTreeMap<String, BTreeSet<String>>,
    /// Slides with groups that found no room.
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
            // One place is kept for the master job that goes on.
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

    pub(super) fn hold_back(&mut self, step: &Step) {
        self.unsent_tasks += step.tasks();
        self.held_back.extend(step.slide().map(ToOwned::to_owned));
    }
}

impl Chain<'_> {
    /// Steps in the order to submit them: `predict` of a slide, then its
    /// `stitch`.
    pub(super) fn steps(&self, todo: &Todo, wave: &Wave) -> Vec<Step> {
        let limit = wave.limits.array_tasks;
        let rows = todo.split.iter().flat_map(|rows| {
            rows.rows.chunks(limit as usize).map(|chunk| Step::split(chunk, rows.request))
        });
        let mut steps: Vec<Step> = rows.collect();
        let mut arrays: BTreeMap<String, Vec<Step>> = BTreeMap::new();
        let mut order: Vec<String> = Vec::new();
        for array in plan_arrays(&todo.predict, limit, self.groups_per_task) {
            if !arrays.contains_key(&array.slide) {
                order.push(array.slide.clone());
            }
            arrays.entry(array.slide.clone()).or_default().push(Step::Predict(array));
        }
        let (mut with_groups, alone): (BTreeMap<_, _>, BTreeMap<_, _>) =
            todo.stitch.iter().cloned().partition(|(slide, _)| arrays.contains_key(slide));
        // Slides that wait for nothing else come first.
        steps.extend(alone.into_iter().map(|(slide, request)| Step::Stitch { slide, request }));
        for slide in order {
            steps.extend(arrays.remove(&slide).unwrap_or_default());
            if let Some(request) = with_groups.remove(&slide) {
                steps.push(Step::Stitch { slide, request });
            }
        }
        steps
    }
}

impl Chain<'_> {
    /// The study, when it is wanted and all that it waits for is submitted;
    /// once a round, and only when heatmaps are new or it was never made.
    pub(super) fn study_step(&self, state: &RunState, wave: &Wave) -> Option<Step> {
        let in_round = |submission: &&Submission| submission.round >= wave.round;
        let mut known = wave.journal.list.iter().filter(in_round).chain(&wave.done);
        let is_tried = known.any(|submission| submission.stage == Stage::Study);
        let is_live = !state.live_ids(Stage::Study).is_empty();
        if !self.study || is_tried || is_live || next(wave, state).is_some() {
            return None;
        }
        let stitches = wave.done.iter().filter(|submission| submission.stage == Stage::Stitch);
        let mut after: Vec<String> = stitches.map(|submission| submission.id.clone()).collect();
        after.extend(state.live_ids(Stage::Stitch));
        let is_made = || self.run.study().join("study.json").exists();
        let wanted =
            !after.is_empty() || (state.listing.planned().any(|s| s.heatmap) && !is_made());
        wanted.then_some(Step::Study { after })
    }
}

/// When to look again: never, when all is submitted; when all is split, to plan
/// `predict`; when the first half of a wave has ended, to submit the next
/// while the other half keeps the cluster busy.
pub(super) fn next(wave: &Wave, state: &RunState) -> Option<Hold> {
    let splits = wave.done.iter().filter(|submission| submission.stage == Stage::Split);
    let mut splits: BTreeSet<String> = splits.map(|submission| submission.id.clone()).collect();
    splits.extend(state.live_ids(Stage::Split));
    if wave.unsent_tasks == 0 {
        let after: Vec<String> = splits.into_iter().collect();
        return (!after.is_empty()).then_some(Hold { after, delay_min: None });
    }
    let queued: Vec<String> =
        [Stage::Predict, Stage::Split].into_iter().flat_map(|s| state.live_ids(s)).collect();
    let ids = if wave.ids.is_empty() { &queued } else { &wave.ids };
    let half = ids[..ids.len().div_ceil(2)].to_vec();
    let delay_min = half.is_empty().then_some(WAIT_MIN);
    Some(Hold { after: half, delay_min })
}
