//! Scores windows of a tissue tile by the dense network and one by one.

use super::colour::Normalizer;
use super::error::PredictError;
use super::fit_support::ScorePair;
use super::loaded_dense::DenseWorker;
use super::prepare::{Preparation, PreparedPatch};
use super::sample::{Sample, Square, window_scores};
use crate::geometry::dense_tiles::DenseTile;
use crate::model::{EngineError, Session};

/// Runs the dense network over samples.
pub(super) struct TileScorer<'b> {
    pub(super) dense: DenseWorker<'b>,
    pub(super) preparation: &'b Preparation,
    pub(super) normalizer: Option<&'b Normalizer>,
}

/// A tile after the dense run.
struct RunTile {
    patch: PreparedPatch,
    square: Square,
    /// `[window, number]`
    numbers: Vec<f32>,
}

impl TileScorer<'_> {
    /// What the dense network gives, and the scores of single windows.
    pub(super) fn pair(
        &mut self,
        sample: &Sample<'_>,
        windows: &mut dyn Session,
        classes: usize,
    ) -> Result<ScorePair, PredictError> {
        let Some(RunTile { patch, square, numbers }) = self.run(sample)? else {
            return Ok(ScorePair::default());
        };
        let points = square.places(&sample.points);
        let exact = window_scores(windows, self.preparation, &patch, &points, classes);
        Ok(ScorePair { dense: numbers, exact: exact.map_err(failed)? })
    }

    /// What the dense network gives, `[window, number]`; nothing for a tile that its colours
    /// have left out.
    pub(super) fn dense(&mut self, sample: &Sample<'_>) -> Result<Vec<f32>, PredictError> {
        Ok(self.run(sample)?.map_or_else(Vec::new, |tile| tile.numbers))
    }

    fn run(&mut self, sample: &Sample<'_>) -> Result<Option<RunTile>, PredictError> {
        let Some(mut tile) = self.dense.tiles.tile_around(&sample.points) else {
            return Ok(None);
        };
        let square = self.square(sample, &tile);
        let Some(patch) = sample.prepared(square, self.preparation, self.normalizer)? else {
            // The run does not score the windows of this patch either.
            return Ok(None);
        };
        tile.x_px -= i64::from(square.x_px);
        tile.y_px -= i64::from(square.y_px);
        let numbers = self.dense.scores(&patch, &tile).map_err(failed)?.scores;
        Ok(Some(RunTile { patch, square, numbers }))
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

fn failed(source: EngineError) -> PredictError {
    PredictError::Engine { what: "calibration".into(), source }
}
