//! Scores windows of a tissue tile by the dense network and one by one.

use super::colour::Normalizer;
use super::error::PredictError;
use super::fit_support::ScorePair;
use super::loaded_dense::DenseWorker;
use super::prepare::Preparation;
use super::sample::{Sample, Square, window_scores};
use crate::geometry::dense_tiles::DenseTile;
use crate::model::{EngineError, Session};

/// Scores samples by the dense network and by single windows.
pub(super) struct PairScorer<'b> {
    pub(super) dense: DenseWorker<'b>,
    pub(super) windows: &'b mut dyn Session,
    pub(super) preparation: &'b Preparation,
    pub(super) normalizer: Option<&'b Normalizer>,
}

impl PairScorer<'_> {
    /// Returns the scores of a sample; none if the run does not score the patch.
    pub(super) fn score(&mut self, sample: &Sample<'_>) -> Result<ScorePair, PredictError> {
        let failed =
            |source: EngineError| PredictError::Engine { what: "calibration".into(), source };
        let Some(mut tile) = self.dense.tiles.tile_around(&sample.points) else {
            return Ok(ScorePair::default());
        };
        let square = self.square(sample, &tile);
        let Some(patch) = sample.prepared(square, self.preparation, self.normalizer)? else {
            // The run does not score the windows of this patch either.
            return Ok(ScorePair::default());
        };
        let classes = self.dense.classes;
        tile.x_px -= i64::from(square.x_px);
        tile.y_px -= i64::from(square.y_px);
        let dense = self.dense.scores(&patch, &tile).map_err(failed)?.scores;
        let points = square.places(&sample.points);
        let exact = window_scores(self.windows, self.preparation, &patch, &points, classes)
            .map_err(failed)?;
        Ok(ScorePair { dense, exact })
    }

    /// The square of a patch that holds a tile and its windows. Only this square is read, since
    /// patches are large and each sample is one tile.
    fn square(&self, sample: &Sample<'_>, tile: &DenseTile) -> Square {
        let (whole, side_px) = (sample.whole(), self.dense.tiles.side_px());
        let needs_whole = self.normalizer.is_some_and(|colours| !colours.is_local());
        if side_px >= whole.side_px || needs_whole {
            return whole;
        }
        let most_px = whole.side_px - side_px;
        let within = |px: i64| u32::try_from(px).unwrap_or(0).min(most_px);
        Square { x_px: within(tile.x_px), y_px: within(tile.y_px), side_px }
    }
}
