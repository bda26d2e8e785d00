//! Windows of a group that are scored in f32 as well, to measure what reduced precision
//! changes.

use super::classes::Classes;
use super::error::PredictError;
use super::group::Group;
use super::sample::Sample;
use crate::model::{EngineError, SelectedEngine};

/// Windows of a group to score in both precisions.
pub(super) struct PrecisionSample<'p> {
    /// The engine in f32.
    pub(super) reference: &'p SelectedEngine,
    pub(super) group: &'p Group<'p>,
    pub(super) samples: &'p [Sample<'p>],
    /// Number of sessions in f32.
    pub(super) workers: usize,
}

impl PrecisionSample<'_> {
    /// Adds the name of the group to an engine's error.
    pub(super) fn failed(&self, source: EngineError) -> PredictError {
        PredictError::Engine { what: format!("{}, its precision", self.group.name()), source }
    }
}

/// Absolute differences of the positive class's scores, both `[window, class]`.
pub(super) fn differences(classes: Classes, less: &[f32], exact: &[f32]) -> Vec<f64> {
    let pairs = classes.positives(less).zip(classes.positives(exact));
    pairs.map(|(less, exact)| (f64::from(less) - f64::from(exact)).abs()).collect()
}
