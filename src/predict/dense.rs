//! Patch after patch through the dense network.
//!
//! One thread reads and prepares patches, the workers run the network over each
//! or over parts of it. All workers' maps together may take what the engine can hold
//! within a gigabyte; patches that would take more are parted.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Sender, bounded};

use super::batch::Numbered;
use super::calibrate::Calibrated;
use super::dense_plan::{Sizes, plan};
use super::ledger::Ledger;
use super::prepare::{Buffers, Preparation, PreparedPatch};
use super::windows::{Source, Stopped};
use super::{PredictError, Predictor};
use crate::geometry::dense_tiles::{DenseTile, DenseTiles};
use crate::geometry::lattice::LatticePoint;
use crate::geometry::{Lattice, Tiling};
use crate::hdf5_file::FormatError;
use crate::model::{
    DenseNetwork, DenseSession, DenseUse, EngineError, Model, SelectedEngine, densify,
};
use crate::progress::Task;

/// The dense network, loaded into one session a worker.
pub(super) struct Dense {
    pub(super) network: DenseNetwork,
    pub(super) tiles: DenseTiles,
    sizes: Sizes,
    pub(super) sessions: Vec<Box<dyn DenseSession>>,
}

impl Dense {
    fn load(
        (engine, model): (&SelectedEngine, &Model),
        stride_px: u32,
        tiling: Tiling,
        threads: usize,
    ) -> Result<Self, PredictError> {
        let network = densify(model, stride_px)?;
        let (window_px, reach_px) = (network.window_px, network.reach_px);
        let (block_px, tile_px) = (tiling.block_px(), tiling.tile_px());
        let sizes = Sizes { window_px, stride_px, reach_px, block_px, tile_px };
        let most_bytes = engine.engine.dense_map_bytes();
        let planned = plan(sizes, threads, most_bytes, |grid| network.map_bytes(grid));
        let (workers, tiles) = planned.map_err(|needs| PredictError::DenseMemory {
            path: model.path.clone(),
            needs_mb: needs / 1_000_000,
            most_mb: most_bytes / 1_000_000,
            reach_px,
        })?;
        let sessions =
            load(engine, model, &network, (tiles.side_px(), workers), DenseUse::Scoring)?;
        Ok(Self { network, tiles, sizes, sessions })
    }
}

/// One session a worker, for images of one size.
fn load(
    engine: &SelectedEngine,
    model: &Model,
    network: &DenseNetwork,
    (side_px, threads): (u32, usize),
    used_for: DenseUse,
) -> Result<Vec<Box<dyn DenseSession>>, PredictError> {
    let load = |_| engine.engine.load_dense(model, network, side_px, used_for);
    let sessions = (0..threads).map(load);
    sessions.collect::<Result<_, EngineError>>().map_err(|source| PredictError::Engine {
        what: format!("{} made dense", model.path.display()),
        source,
    })
}

impl Predictor<'_> {
    /// Sessions of `engine` for images of one tile: what calibrating takes. At most
    /// `count`, and as many as can hold their maps.
    pub(super) fn load_samples(
        &self,
        engine: &SelectedEngine,
        dense: &Dense,
        count: usize,
    ) -> Result<(DenseTiles, Vec<Box<dyn DenseSession>>), PredictError> {
        let network = &dense.network;
        let tiles = dense.sizes.one_tile();
        let room = engine.engine.dense_map_bytes() / network.map_bytes(tiles.grid()).max(1);
        let count = count.min(usize::try_from(room).unwrap_or(usize::MAX)).max(1);
        let sizes = (tiles.side_px(), count);
        let sessions = load(engine, &self.model, network, sizes, DenseUse::Sampling)?;
        Ok((tiles, sessions))
    }

    /// Makes ready to run over patches of `tiling`.
    pub(super) fn load_dense(&mut self, tiling: Tiling) -> Result<&mut Dense, PredictError> {
        let block_px = tiling.block_px();
        let fits = self.dense.as_ref().is_some_and(|dense| dense.sizes.block_px == block_px);
        if !fits {
            self.dense = None;
            let stride_px = self.config.config.predict.stride;
            let parts = (&self.engine, &self.model);
            self.dense = Some(Dense::load(parts, stride_px, tiling, self.threads)?);
        }
        Ok(self.dense.as_mut().expect("it was just loaded"))
    }
}

/// A group to run over.
#[derive(Clone, Copy)]
pub(super) struct Job<'j> {
    pub(super) source: Source<'j>,
    pub(super) tiling: Tiling,
    pub(super) lattice: &'j Lattice,
    pub(super) calibrated: &'j Calibrated,
    pub(super) ledger: &'j Ledger<'j>,
    pub(super) task: &'j Task<'j>,
}

/// One run on its way to a worker.
struct Part {
    patch: Arc<PreparedPatch>,
    tile: DenseTile,
    numbers: Vec<usize>,
}

/// What takes calibrated scores: numbers of windows, `[window, class]`, time spent
/// in the network.
pub(super) type Sink<'s> = dyn Fn(&[usize], &[f32], Duration) + Sync + 's;

/// Scores `points`, or as many as there is time for; returns the time spent
/// reading.
pub(super) fn run(
    predictor: &mut Predictor<'_>,
    job: &Job<'_>,
    points: &[Vec<Numbered>],
    sink: &Sink<'_>,
) -> Result<Duration, Stopped> {
    let (preparation, interrupt) = (&predictor.preparation, &predictor.interrupt);
    let classes = predictor.model.card.classes.len();
    let dense = predictor.dense.as_mut().expect("loaded for the calibration");
    let tiles = dense.tiles;
    let smaller = dense.sessions.iter().all(|session| session.takes_smaller());
    let (sender, receiver) = bounded::<Part>(dense.sessions.len());
    let (read, worked) = std::thread::scope(|scope| {
        let cutting = Cutting { preparation, tiles, smaller };
        let reading = scope.spawn(move || read_patches(job, points, cutting, &sender));
        let workers: Vec<_> = dense
            .sessions
            .iter_mut()
            .map(|session| {
                let parts = receiver.clone();
                scope.spawn(move || {
                    let mut worker =
                        Worker { session: session.as_mut(), preparation, tiles, classes };
                    for part in parts.into_iter().take_while(|_| interrupt.requested().is_none()) {
                        let started = Instant::now();
                        let (mut scores, filling) = worker.scores(&part.patch, &part.tile)?;
                        job.calibrated.calibration.apply(&mut scores);
                        sink(&part.numbers, &scores, started.elapsed().saturating_sub(filling));
                    }
                    Ok(())
                })
            })
            .collect();
        drop(receiver);
        let worked: Vec<Result<(), EngineError>> = workers
            .into_iter()
            .map(|w| w.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect();
        let read = reading.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        (read, worked)
    });
    worked.into_iter().collect::<Result<Vec<()>, _>>().map_err(Stopped::Engine)?;
    read.map_err(Stopped::Read)
}

/// How patches become images.
#[derive(Clone, Copy)]
struct Cutting<'c> {
    preparation: &'c Preparation,
    tiles: DenseTiles,
    /// Images may be smaller than a tile.
    smaller: bool,
}

impl Cutting<'_> {
    fn images(&self, places: &[LatticePoint], margin_px: u32) -> Vec<DenseTile> {
        let tiles = self.tiles.tiles_of(places, margin_px);
        if !self.smaller {
            return tiles;
        }
        tiles.iter().flat_map(|tile| self.tiles.cover(tile)).collect()
    }
}

/// Reads and prepares patch after patch, and parts them.
fn read_patches(
    job: &Job<'_>,
    points: &[Vec<Numbered>],
    cutting: Cutting<'_>,
    sender: &Sender<Part>,
) -> Result<Duration, FormatError> {
    let side_px = job.source.reader.patch_px();
    let mut rgb = vec![0; side_px * side_px * 3];
    let mut buffers = Buffers::default();
    let mut spent = Duration::ZERO;
    for (index, points) in points.iter().enumerate().filter(|(_, points)| !points.is_empty()) {
        let started = Instant::now();
        if !job.source.read(index, points.len(), &mut rgb, (job.ledger, job.task))? {
            continue;
        }
        let patch = buffers.prepared(|patch| cutting.preparation.prepare(&rgb, side_px, patch));
        spent += started.elapsed();
        let places: Vec<LatticePoint> = points.iter().map(|numbered| numbered.point).collect();
        for tile in cutting.images(&places, job.tiling.margin_px()) {
            let numbers = tile.points.iter().map(|&at| points[at].number).collect();
            if sender.send(Part { patch: Arc::clone(&patch), tile, numbers }).is_err() {
                // Every worker has stopped; they say why.
                return Ok(spent);
            }
        }
    }
    Ok(spent)
}

/// A dense session and what its images are made with.
pub(super) struct Worker<'w> {
    pub(super) session: &'w mut dyn DenseSession,
    pub(super) preparation: &'w Preparation,
    pub(super) tiles: DenseTiles,
    pub(super) classes: usize,
}

impl Worker<'_> {
    /// Scores of a tile's points, `[point, class]`, as the network gives them, and
    /// the time it took to make the image.
    pub(super) fn scores(
        &mut self,
        patch: &PreparedPatch,
        tile: &DenseTile,
    ) -> Result<(Vec<f32>, Duration), EngineError> {
        let mut scores = vec![0.0; tile.places.len() * self.classes];
        let mut filling = Duration::ZERO;
        let mut fill = |image: &mut [f32]| {
            let started = Instant::now();
            let side = |outputs: u32| self.tiles.side_for_px(outputs) as usize;
            let sides_px = (side(tile.grid.1), side(tile.grid.0));
            self.preparation.area(patch, (tile.x_px, tile.y_px), sides_px, image);
            filling = started.elapsed();
        };
        self.session.run(tile.grid, &mut fill, &tile.places, &mut scores)?;
        Ok((scores, filling))
    }
}
