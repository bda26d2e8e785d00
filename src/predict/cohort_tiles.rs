//! The tissue tiles of a slide for the fit over a cohort.

use super::classes::{Classes, DETECTION};
use super::context::Context;
use super::error::PredictError;
use super::fit_support::ScorePair;
use super::group::{Group, lattice_of};
use super::sample::{Sample, SampleSize, samples};
use crate::hdf5_file::FormatError;
use crate::number::GroupNumber;
use crate::patches::{GroupReader, PatchesFile};

/// A score of the first fit from which a window is high or unsure.
const UNSURE: f32 = 0.05;

/// Most windows chosen in a tile.
const CHOSEN_PER_TILE: usize = 6;

/// The patches of a slide.
pub(super) struct OpenPatches {
    patches: PatchesFile,
    readers: Vec<GroupReader>,
}

impl OpenPatches {
    /// Opens the patches of a slide.
    ///
    /// # Errors
    /// [`PredictError`] if the patches cannot be read, or are not the run's.
    pub(super) fn open(context: &Context<'_>, slide: &str) -> Result<Self, PredictError> {
        let patches = context.open_patches(slide)?;
        let readers = patches.group_numbers().map(|group| patches.group(group));
        let readers = readers.collect::<Result<_, FormatError>>()?;
        Ok(Self { patches, readers })
    }

    /// The first group of the slide, whose tiling and colours all groups share.
    ///
    /// # Errors
    /// [`PredictError`] if the group cannot be read.
    pub(super) fn group<'g>(
        &'g self,
        context: &Context<'_>,
        slide: &'g str,
    ) -> Result<Group<'g>, PredictError> {
        Group::open(context, &self.patches, slide, GroupNumber::FIRST)
    }

    /// Draws windows of tiles of the slide.
    pub(super) fn samples(
        &self,
        context: &Context<'_>,
        group: &Group<'_>,
        size: SampleSize,
    ) -> Vec<Sample<'_>> {
        samples(&self.readers, group.tiling, &lattice_of(context, &self.patches), size)
    }
}

/// Chooses up to `most` windows that a first fit scores high or is unsure of, a few per tile;
/// `scores` are those of the samples' windows, `[window, class]`.
pub(super) fn chosen<'s>(
    samples: Vec<Sample<'s>>,
    scores: &[Vec<f32>],
    classes: Classes,
    most: usize,
) -> Vec<Sample<'s>> {
    let mut left = most;
    let mut chosen = Vec::new();
    for (mut sample, scores) in samples.into_iter().zip(scores) {
        let high: Vec<bool> = classes.positives(scores).map(|score| score >= UNSURE).collect();
        let mut at = high.iter();
        sample.points.retain(|_| at.next().copied().unwrap_or(false));
        sample.points.truncate(CHOSEN_PER_TILE.min(left));
        left -= sample.points.len();
        if !sample.points.is_empty() {
            chosen.push(sample);
        }
    }
    chosen
}

/// Dense scores of the windows whose exact score is a detection, ascending.
pub(super) fn detections(pair: &ScorePair, classes: Classes) -> Vec<f32> {
    let scores = classes.positives(&pair.dense).zip(classes.positives(&pair.exact));
    let screened = scores.filter(|&(_, exact)| f64::from(exact) >= DETECTION);
    let mut screened: Vec<f32> = screened.map(|(dense, _)| dense).collect();
    screened.sort_by(f32::total_cmp);
    screened
}
