//! Scores patches by the dense network. The workers run the network over whole patches or over
//! parts of them.

use std::sync::Arc;
use std::time::Instant;

use super::batch::NumberedPoint;
use super::calibrate::Calibrated;
use super::context::Context;
use super::dense_plan::TileMargin;
use super::error::PredictError;
use super::group_work::GroupWork;
use super::loaded_dense::{DenseWorker, LoadedDense};
use super::precision_sample::{PrecisionSample, differences};
use super::prepare::PreparedPatch;
use super::sample::Sample;
use super::scored::Scored;
use super::scorer::Scorer;
use super::stream::{Cut, Stopped, WantedPoints, stream};
use crate::geometry::dense_tiles::{DenseTile, DenseTiles};
use crate::geometry::lattice::LatticePoint;
use crate::model::DenseSession;
use crate::pipeline::{Outlet, map};
use crate::scores::DenseMeta;

/// Scores one slide by the dense network and the slide's calibration.
pub(super) struct DenseScorer<'d> {
    pub(super) dense: &'d mut LoadedDense,
    pub(super) calibrated: Arc<Calibrated>,
}

impl DenseScorer<'_> {
    /// Scores `points` of each patch of a group and hands the calibrated scores to `sink`; an
    /// interrupt ends the work early.
    pub(super) fn run(
        &mut self,
        context: &Context<'_>,
        work: GroupWork<'_>,
        points: &[Vec<NumberedPoint>],
        sink: &mut dyn FnMut(&Scored),
    ) -> Result<(), Stopped> {
        let (preparation, classes) = (&context.preparation, context.classes().count);
        let tiles = self.dense.tiles;
        let calibration = &self.calibrated.calibration;
        let sessions = self.dense.sessions();
        let smaller = sessions.iter().all(|session| session.takes_smaller());
        let cut = DenseCut { tiles, smaller, first_window_px: work.group.tiling.first_window_px() };
        let queue = sessions.len();
        let workers = sessions.iter_mut().map(|session| {
            let session = session.as_mut();
            let mut worker = DenseWorker { session, preparation, tiles, width: classes };
            move |piece: DensePiece, outlet: &Outlet<'_, Scored>| {
                let started = Instant::now();
                let mut found = worker.scores(&piece.patch, &piece.tile)?;
                calibration.apply(&mut found.scores);
                let infer = started.elapsed().saturating_sub(found.filling);
                let (numbers, scores) = (piece.numbers, found.scores);
                let computed_px = tiles.area_px(piece.tile.grid);
                // Sending fails only after the work has ended.
                let _ = outlet.send(Scored { numbers, scores, infer, computed_px, shared: false });
                Ok(())
            }
        });
        let wanted = WantedPoints { work, points, given_up: points };
        stream(context, wanted, queue, cut, workers, sink)
    }
}

impl Scorer for DenseScorer<'_> {
    fn dense_meta(&self, context: &Context<'_>) -> Option<DenseMeta> {
        Some(self.calibrated.meta(context, self.dense))
    }

    fn batch(&self) -> Option<usize> {
        None
    }

    fn deviations(
        &mut self,
        context: &Context<'_>,
        sample: &PrecisionSample<'_>,
    ) -> Result<Vec<f64>, PredictError> {
        let PrecisionSample { reference, group, samples, workers } = sample;
        let (network, margin) = (self.dense.scoring(), TileMargin::Reach);
        let mut less =
            self.dense.load_samples(context, &context.engine, network, *workers, margin)?;
        let mut exact = self.dense.load_samples(context, reference, network, *workers, margin)?;
        let (preparation, classes, tiles) = (&context.preparation, context.classes(), less.tiles);
        let calibration = &self.calibrated.calibration;
        let pairs = less.sessions.iter_mut().zip(&mut exact.sessions);
        let workers = pairs.map(|(less, exact)| {
            move |one: &Sample<'_>| {
                let patch = one.prepared(one.whole(), preparation, group.normalizer.as_ref())?;
                let tile = tiles.tile_around(&one.points);
                let (Some(patch), Some(tile)) = (patch, tile) else { return Ok(Vec::new()) };
                let scores = |session: &mut Box<dyn DenseSession>| {
                    let (session, width) = (session.as_mut(), classes.count);
                    let mut worker = DenseWorker { session, preparation, tiles, width };
                    let scored = worker.scores(&patch, &tile);
                    let mut scores = scored.map_err(|source| sample.failed(source))?.scores;
                    calibration.apply(&mut scores);
                    Ok::<_, PredictError>(scores)
                };
                Ok(differences(classes, &scores(less)?, &scores(exact)?))
            }
        });
        let differences: Result<_, PredictError> = map(samples.iter(), workers);
        Ok(differences?.concat())
    }

    fn score(
        &mut self,
        context: &Context<'_>,
        work: GroupWork<'_>,
        todo: &[Vec<NumberedPoint>],
    ) -> Result<(), Stopped> {
        self.run(context, work, todo, &mut |scored| work.enter(scored))
    }
}

/// The input of one run of the network.
struct DensePiece {
    patch: Arc<PreparedPatch>,
    tile: DenseTile,
    /// Number of each of the tile's points.
    numbers: Vec<usize>,
}

/// Cuts patches into images for the dense network.
struct DenseCut {
    tiles: DenseTiles,
    /// Whether the sessions take images that are smaller than a tile.
    smaller: bool,
    first_window_px: u32,
}

impl Cut for DenseCut {
    type Piece = DensePiece;

    fn cut(&mut self, patch: &Arc<PreparedPatch>, points: &[NumberedPoint]) -> Vec<DensePiece> {
        let places: Vec<LatticePoint> = points.iter().map(|numbered| numbered.point).collect();
        let mut tiles = self.tiles.tiles_of(&places, self.first_window_px);
        if self.smaller {
            tiles = tiles.iter().flat_map(|tile| self.tiles.cover(tile)).collect();
        }
        let piece = |tile: DenseTile| {
            let numbers = tile.points.iter().map(|&at| points[at].number).collect();
            DensePiece { patch: Arc::clone(patch), tile, numbers }
        };
        tiles.into_iter().map(piece).collect()
    }

    fn rest(&mut self) -> Option<DensePiece> {
        None
    }
}
