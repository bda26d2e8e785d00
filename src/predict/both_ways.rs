//! Windows of a tissue tile, scored both ways.

use super::PredictError;
use super::colour::Normalizer;
use super::dense::Worker;
use super::prepare::Preparation;
use super::sample::{Sample, Square, window_scores};
use crate::geometry::dense_tiles::DenseTile;
use crate::model::{EngineError, Session};

/// Windows of one tile, scored both ways, `[window, class]`.
#[derive(Default)]
pub(super) struct Pair {
    pub(super) dense: Vec<f32>,
    pub(super) exact: Vec<f32>,
}

/// What scores a sample both ways.
pub(super) struct Both<'b> {
    pub(super) worker: Worker<'b>,
    pub(super) windows: &'b mut dyn Session,
    pub(super) preparation: &'b Preparation,
    pub(super) normalizer: Option<&'b Normalizer>,
}

impl Both<'_> {
    pub(super) fn score(&mut self, sample: &Sample<'_>) -> Result<Pair, PredictError> {
        let failed =
            |source: EngineError| PredictError::Engine { what: "calibration".into(), source };
        let Some(mut tile) = self.worker.tiles.tile_around(&sample.points) else {
            return Ok(Pair::default());
        };
        let square = self.square(sample, &tile);
        let Some(patch) = sample.prepared(square, self.preparation, self.normalizer)? else {
            // Its windows are not scored either.
            return Ok(Pair::default());
        };
        let classes = self.worker.classes;
        tile.x_px -= i64::from(square.x_px);
        tile.y_px -= i64::from(square.y_px);
        let dense = self.worker.scores(&patch, &tile).map_err(failed)?.0;
        let points = square.places(&sample.points);
        let windows = (&patch, points.as_slice());
        let exact =
            window_scores(self.windows, self.preparation, windows, classes).map_err(failed)?;
        Ok(Pair { dense, exact })
    }

    /// The square of a patch that a tile and its windows lie in: patches are large,
    /// and one tile of each is looked at.
    fn square(&self, sample: &Sample<'_>, tile: &DenseTile) -> Square {
        let (whole, side_px) = (sample.whole(), self.worker.tiles.side_px());
        let everywhere = self.normalizer.is_some_and(|colours| !colours.is_local());
        if side_px >= whole.side_px || everywhere {
            return whole;
        }
        let most_px = whole.side_px - side_px;
        let within = |px: i64| u32::try_from(px).unwrap_or(0).min(most_px);
        Square { x_px: within(tile.x_px), y_px: within(tile.y_px), side_px }
    }
}
