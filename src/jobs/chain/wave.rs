//! What goes along while submitting, and when to look again.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::steps::Step;
use super::{Chain, Files};
use crate::config::Stage;
use crate::jobs::plan::plan_arrays;
use crate::jobs::scheduler::{Hold, Limits};
use crate::jobs::submitted::{Submission, Submitted};
use crate::jobs::todo::{Busy, Todo};

/// Minutes a master job waits when the queue is full of other things.
const WAIT_MIN: u32 = 5;

/// What goes along while submitting.
pub(super) struct Wave<'a> {
    pub(super) limits: Limits,
    /// Jobs that still fit; none: any number.
    pub(super) room: Option<usize>,
    /// Names that are taken.
    pub(super) scripts: BTreeSet<PathBuf>,
    pub(super) submitted: &'a mut Submitted,
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

impl Chain<'_> {
    /// Steps in the order to submit them: `predict` of a slide, then its
    /// `stitch`.
    pub(super) fn steps(&self, todo: &Todo, wave: &Wave) -> Vec<Step> {
        let limit = wave.limits.array_tasks;
        let rows = todo.split.iter().flat_map(|rows| {
            rows.rows.chunks(limit as usize).map(|chunk| Step::split(chunk, rows.growth))
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
        steps.extend(alone.into_iter().map(|(slide, growth)| Step::Stitch { slide, growth }));
        for slide in order {
            steps.extend(arrays.remove(&slide).unwrap_or_default());
            if let Some(growth) = with_groups.remove(&slide) {
                steps.push(Step::Stitch { slide, growth });
            }
        }
        steps
    }
}

impl Chain<'_> {
    /// The study, when it is wanted and all that it waits for is submitted;
    /// once a round, and only when heatmaps are new or it was never made.
    pub(super) fn study_step(&self, files: &Files, wave: &Wave, busy: &Busy) -> Option<Step> {
        let of_round = |submission: &&Submission| submission.round >= wave.round;
        let mut known = wave.submitted.list.iter().filter(of_round).chain(&wave.done);
        let again = known.any(|submission| submission.stage == Stage::Study);
        if !self.study || again || !busy.studies.is_empty() || next(wave, busy).is_some() {
            return None;
        }
        let stitches = wave.done.iter().filter(|submission| submission.stage == Stage::Stitch);
        let stitches = stitches.map(|submission| &submission.id).chain(&busy.stitching);
        let after: Vec<String> = stitches.cloned().collect();
        let never = || !self.run.study().join("study.json").exists();
        let wanted = !after.is_empty() || (files.slides.iter().any(|s| s.heatmap) && never());
        wanted.then_some(Step::Study { after })
    }
}

impl Wave<'_> {
    pub(super) fn hold_back(&mut self, step: &Step) {
        self.unsent_tasks += step.tasks();
        self.held_back.extend(step.slide().map(ToOwned::to_owned));
    }
}

/// When to look again: never, when all is submitted; when all is split, to plan
/// `predict`; when the first half of a wave has ended, to submit the next
/// while the other half keeps the cluster busy.
pub(super) fn next(wave: &Wave, busy: &Busy) -> Option<Hold> {
    let splits = wave.done.iter().filter(|submission| submission.stage == Stage::Split);
    let splits: BTreeSet<String> =
        splits.map(|submission| submission.id.clone()).chain(busy.splitting.clone()).collect();
    if wave.unsent_tasks == 0 {
        let after: Vec<String> = splits.into_iter().collect();
        return (!after.is_empty()).then_some(Hold { after, delay_min: None });
    }
    let queued: Vec<String> =
        busy.arrays.values().flatten().chain(&busy.splitting).cloned().collect();
    let ids = if wave.ids.is_empty() { &queued } else { &wave.ids };
    let half = ids[..ids.len().div_ceil(2)].to_vec();
    let delay_min = half.is_empty().then_some(WAIT_MIN);
    Some(Hold { after: half, delay_min })
}
