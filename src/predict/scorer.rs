//! The interface that each method (window, dense, cascade) implements.

use super::batch::NumberedPoint;
use super::context::Context;
use super::error::PredictError;
use super::group_work::GroupWork;
use super::precision_sample::PrecisionSample;
use super::stream::Stopped;
use crate::scores::DenseMeta;

/// A method, ready to score the groups of a slide: networks are loaded, dense scores calibrated
/// and audited points drawn.
pub(super) trait Scorer {
    /// How dense scores were calibrated; `None` for a method without a dense network.
    fn dense_meta(&self, context: &Context<'_>) -> Option<DenseMeta>;

    /// Windows per run of the network; `None` for a method without single windows.
    fn batch(&self) -> Option<usize>;

    /// Absolute differences of the positive class's scores from those in f32, over the
    /// windows of `sample`.
    fn deviations(
        &mut self,
        context: &Context<'_>,
        sample: &PrecisionSample<'_>,
    ) -> Result<Vec<f64>, PredictError>;

    /// Scores the points of each patch in `todo` and enters them in the ledger; an interrupt
    /// ends the work early.
    fn score(
        &mut self,
        context: &Context<'_>,
        work: GroupWork<'_>,
        todo: &[Vec<NumberedPoint>],
    ) -> Result<(), Stopped>;
}
