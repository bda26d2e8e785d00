//! What a method of scoring does for a group.

use super::batch::Numbered;
use super::context::Context;
use super::error::PredictError;
use super::group_work::GroupWork;
use super::precision_sample::PrecisionSample;
use super::stream::Stopped;
use crate::scores::DenseMeta;

/// A method, ready to score the groups of a slide: networks loaded, dense scores
/// calibrated, an audit drawn.
pub(super) trait Scorer {
    /// How dense scores were calibrated; `None` for methods without.
    fn dense_meta(&self, context: &Context<'_>) -> Option<DenseMeta>;

    /// Absolute differences of the positive class's scores from those in f32, over the
    /// windows of `sample`.
    fn deviations(
        &mut self,
        context: &Context<'_>,
        sample: &PrecisionSample<'_>,
    ) -> Result<Vec<f64>, PredictError>;

    /// Scores `todo`, points of each patch, or as many as there is time for before an
    /// interrupt.
    fn score(
        &mut self,
        context: &Context<'_>,
        work: GroupWork<'_>,
        todo: &[Vec<Numbered>],
    ) -> Result<(), Stopped>;
}
