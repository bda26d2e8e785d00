//! The dense network, loaded for patches of one size.
//!
//! The maps of all workers together take at most `predict.dense_map_mb`, or else what the engine
//! can hold within a gigabyte; patches that would take more are cut into several images.

use std::time::{Duration, Instant};

use super::context::Context;
use super::dense_plan::{Sizes, TileMargin, plan};
use super::error::PredictError;
use super::prepare::{PatchArea, Preparation, PreparedPatch};
use crate::geometry::Tiling;
use crate::geometry::dense_tiles::{DenseTile, DenseTiles};
use crate::model::{
    DenseNetwork, DenseSession, DenseUse, EngineError, HeadFit, SelectedEngine, densify,
};

/// The dense network, its plan and, once loaded, its sessions.
pub(super) struct LoadedDense {
    /// The network with its own head.
    pub(super) network: DenseNetwork,
    pub(super) tiles: DenseTiles,
    sizes: Sizes,
    workers: usize,
    scoring: Option<Scoring>,
}

/// The network that scores a slide, loaded into one session per worker.
struct Scoring {
    network: DenseNetwork,
    sessions: Vec<Box<dyn DenseSession>>,
}

impl LoadedDense {
    /// Plans the dense network for patches of `tiling`.
    ///
    /// # Errors
    /// [`PredictError`] when the network has no dense form, or the maps of a single tissue
    /// tile take too much memory.
    pub(super) fn load(context: &Context<'_>, tiling: Tiling) -> Result<Self, PredictError> {
        let stride_px = context.keys().stride;
        let network = densify(&context.model, stride_px)?;
        let (window_px, reach_px) = (network.window_px, network.reach_px);
        let (block_px, tile_px) = (tiling.block_px(), tiling.tile_px());
        let sizes = Sizes { window_px, stride_px, reach_px, block_px, tile_px };
        let most_bytes = context.dense_map_bytes();
        let planned = plan(sizes, context.workers(), most_bytes, |grid| network.map_bytes(grid));
        let planned = planned.map_err(|needs| PredictError::DenseMemory {
            path: context.model.path.clone(),
            needs_mb: needs / 1_000_000,
            most_mb: most_bytes / 1_000_000,
            reach_px,
        })?;
        let (workers, tiles) = (planned.workers, planned.tiles);
        Ok(Self { network, tiles, sizes, workers, scoring: None })
    }

    /// Loads the network with a fitted head, or with its own head, into one session per worker.
    /// Nothing is loaded if that network is loaded already.
    ///
    /// # Errors
    /// [`PredictError`] when a session does not load.
    pub(super) fn load_head(
        &mut self,
        context: &Context<'_>,
        head: Option<&HeadFit>,
    ) -> Result<(), PredictError> {
        let network = head.map_or_else(|| self.network.clone(), |fit| self.network.refitted(fit));
        let loaded = self.scoring.as_ref().map(|scoring| scoring.network.variant());
        if loaded == Some(network.variant()) {
            return Ok(());
        }
        // The old network is freed first, so that only one takes memory.
        self.scoring = None;
        let (side_px, count) = (self.tiles.side_px(), self.workers);
        let engine = &context.engine;
        let sessions = load_sessions(context, engine, &network, side_px, count, DenseUse::Scoring)?;
        self.scoring = Some(Scoring { network, sessions });
        Ok(())
    }

    /// Number of workers that run the network.
    pub(super) fn workers(&self) -> usize {
        self.workers
    }

    /// The sessions of the network that scores, one per worker; empty before
    /// [`Self::load_head`].
    pub(super) fn sessions(&mut self) -> &mut [Box<dyn DenseSession>] {
        self.scoring.as_mut().map_or(&mut [], |scoring| &mut scoring.sessions)
    }

    /// The network that scores.
    pub(super) fn scoring(&self) -> &DenseNetwork {
        self.scoring.as_ref().map_or(&self.network, |scoring| &scoring.network)
    }

    /// Whether the network is loaded for patches of `tiling`.
    pub(super) fn fits(&self, tiling: Tiling) -> bool {
        self.sizes.block_px == tiling.block_px()
    }

    /// Loads sessions of `engine` that run `network` on images of one tile, as the calibration
    /// takes them: at most `count`, and no more than can hold their maps.
    pub(super) fn load_samples(
        &self,
        context: &Context<'_>,
        engine: &SelectedEngine,
        network: &DenseNetwork,
        count: usize,
        margin: TileMargin,
    ) -> Result<SampleSessions, PredictError> {
        let tiles = self.sizes.one_tile(margin);
        let room = context.dense_map_bytes() / network.map_bytes(tiles.grid()).max(1);
        let count = count.min(usize::try_from(room).expect("a pointer has 64 bits")).max(1);
        let side_px = tiles.side_px();
        let sessions = load_sessions(context, engine, network, side_px, count, DenseUse::Sampling)?;
        Ok(SampleSessions { tiles, sessions })
    }
}

/// Sessions for images of one tile.
pub(super) struct SampleSessions {
    pub(super) tiles: DenseTiles,
    pub(super) sessions: Vec<Box<dyn DenseSession>>,
}

/// Loads `count` sessions for images of `side_px` x `side_px`.
fn load_sessions(
    context: &Context<'_>,
    engine: &SelectedEngine,
    network: &DenseNetwork,
    side_px: u32,
    count: usize,
    used_for: DenseUse,
) -> Result<Vec<Box<dyn DenseSession>>, PredictError> {
    let model = &context.model;
    let load = |_| engine.engine.load_dense(model, network, side_px, used_for);
    let sessions = (0..count).map(load);
    sessions.collect::<Result<_, EngineError>>().map_err(|source| PredictError::Engine {
        what: format!("{} made dense", model.path.display()),
        source,
    })
}

/// A dense session and what prepares its images.
pub(super) struct DenseWorker<'w> {
    pub(super) session: &'w mut dyn DenseSession,
    pub(super) preparation: &'w Preparation,
    pub(super) tiles: DenseTiles,
    /// Number of outputs per window.
    pub(super) width: usize,
}

/// Scores of a tile's points before calibration.
pub(super) struct TileScores {
    /// `[point, number]`
    pub(super) scores: Vec<f32>,
    /// Time spent preparing the image.
    pub(super) filling: Duration,
}

impl DenseWorker<'_> {
    /// Scores a tile of a patch.
    pub(super) fn scores(
        &mut self,
        patch: &PreparedPatch,
        tile: &DenseTile,
    ) -> Result<TileScores, EngineError> {
        let mut scores = vec![0.0; tile.places.len() * self.width];
        let mut filling = Duration::ZERO;
        let mut fill = |image: &mut [f32]| {
            let started = Instant::now();
            let side = |outputs: u32| self.tiles.side_for_px(outputs) as usize;
            let (width_px, height_px) = (side(tile.grid.cols), side(tile.grid.rows));
            let area = PatchArea { x_px: tile.x_px, y_px: tile.y_px, width_px, height_px };
            self.preparation.area(patch, area, image);
            filling = started.elapsed();
        };
        self.session.run(tile.grid, &mut fill, &tile.places, &mut scores)?;
        Ok(TileScores { scores, filling })
    }
}
