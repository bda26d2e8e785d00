//! Measures how far scores of reduced precision lie from those in f32.
//!
//! Before a group is scored, windows of a few of its tiles, drawn by place, are scored in both
//! precisions. The method decides how: by single windows, by the dense network, or by both for
//! a cascade.

use super::context::Context;
use super::draw::Purpose;
use super::error::PredictError;
use super::group::Group;
use super::precision_sample::PrecisionSample;
use super::sample::{SampleSize, samples};
use super::scorer::Scorer;
use crate::model::SelectedEngine;
use crate::scores::PrecisionMeta;

/// Size of the sample: at most 64 windows.
const SAMPLE: SampleSize = SampleSize { draw: Purpose::Tiles, skip: 0, tiles: 16, points: 4 };

/// Most sessions in f32: loading more would take longer than using them.
const MOST_WORKERS: usize = 8;

/// Measures the deviation of a group's scores; `None` if the run computes in f32.
///
/// # Errors
/// [`PredictError::Deviation`] if the deviation exceeds the tolerance, and any error of reading
/// or scoring the sample.
pub(super) fn deviation(
    context: &Context<'_>,
    scorer: &mut dyn Scorer,
    group: &Group<'_>,
) -> Result<Option<PrecisionMeta>, PredictError> {
    let Some(engine) = &context.engine.reference else { return Ok(None) };
    let reference =
        SelectedEngine { engine: engine.clone(), reference: None, reason: String::new() };
    let readers = std::slice::from_ref(&group.reader);
    let samples = samples(readers, group.tiling, &group.lattice, SAMPLE);
    let workers = context.workers().min(MOST_WORKERS).min(samples.len());
    let differences = if samples.is_empty() {
        Vec::new()
    } else {
        let sample = PrecisionSample { reference: &reference, group, samples: &samples, workers };
        scorer.deviations(context, &sample)?
    };
    let keys = context.keys();
    let (tolerance, force) = (keys.precision_tolerance, keys.precision_force);
    let mut found = PrecisionMeta::from_differences(differences);
    (found.tolerance, found.forced) = (tolerance, force && found.max > tolerance);
    if found.max > tolerance && !force {
        return Err(PredictError::Deviation {
            group: group.name(),
            precision: context.engine.engine.precision(),
            max: found.max,
            windows: found.windows,
            tolerance,
        });
    }
    Ok(Some(found))
}
