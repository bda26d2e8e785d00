//! Single windows at less than their price, where they lie close together: what
//! neighbours have in common is computed once ([`Halves`]). The scores are those of the
//! windows alone, but for rounding.
//!
//! Memory: of each worker the maps of one region; the more workers, the smaller.

mod maps;
mod part;
mod region;

use std::sync::Arc;

use super::batch::Numbered;
use super::prepare::{Preparation, PreparedPatch};
use crate::geometry::dense_tiles::{DenseTile, DenseTiles};
use crate::geometry::lattice::LatticePoint;
use crate::model::{EngineError, Halves, LoadedHalves, Model, Selected};
use part::{PARTS, Part};
use region::{Region, Scored};

/// What windows move over along a side of a region, px: of all workers together, and
/// least and most of one. Below, regions are mostly border; above, nothing is gained.
const REGION_PX: (usize, usize, usize) = (1024, 256, 512);

/// What all workers may take for it, beside what single windows need: with it `predict`
/// stays within a gigabyte, the model and a group.
const MOST_BYTES: u64 = 450_000_000;

/// How windows are shared.
#[derive(Debug)]
pub(super) struct Sharing {
    halves: Halves,
    tiles: DenseTiles,
    window_px: u32,
    stride_px: u32,
}

/// Windows of a patch that share their first layers.
pub(super) struct Shared {
    pub(super) patch: Arc<PreparedPatch>,
    pub(super) tile: DenseTile,
    /// Of each of the tile's points.
    pub(super) numbers: Vec<usize>,
}

impl Sharing {
    /// For `model`, and loaded once a worker; `None` where windows share nothing, the
    /// engine cannot run it, or it takes too much memory.
    ///
    /// # Errors
    /// [`EngineError`] naming the model.
    pub(super) fn load(
        engine: &Selected,
        model: &Model,
        stride_px: u32,
        (batch, threads): (usize, usize),
    ) -> Result<Option<(Self, Vec<LoadedHalves>)>, EngineError> {
        let Some(halves) = Halves::of(model, stride_px) else { return Ok(None) };
        let window_px = model.card.window_px;
        let (all_px, least_px, most_px) = REGION_PX;
        let side_px = u32::try_from((all_px / threads.max(1)).clamp(least_px, most_px));
        let side_px = side_px.unwrap_or(u32::MAX);
        let tiles = DenseTiles::new(window_px, stride_px, 0, side_px, |_| true);
        if threads as u64 * halves.bytes(tiles.side_px()) > MOST_BYTES {
            return Ok(None);
        }
        let loaded = load_all(engine, model, &halves, (batch, threads))?;
        Ok(loaded.map(|loaded| (Self { halves, tiles, window_px, stride_px }, loaded)))
    }

    /// Parts a patch's windows into regions where sharing pays, and the others.
    pub(super) fn parted(
        &self,
        points: &[Numbered],
    ) -> (Vec<(DenseTile, Vec<usize>)>, Vec<Numbered>) {
        let places: Vec<LatticePoint> = points.iter().map(|numbered| numbered.point).collect();
        let tiles = self.tiles.tiles_of(&places, 0);
        let boxes = tiles.iter().flat_map(|tile| self.tiles.cover(tile));
        let (shared, alone): (Vec<DenseTile>, Vec<DenseTile>) =
            boxes.partition(|tile| self.pays(tile));
        let numbered = |tile: DenseTile| {
            let numbers = tile.points.iter().map(|&point| points[point].number).collect();
            (tile, numbers)
        };
        let mut alone: Vec<usize> = alone.into_iter().flat_map(|tile| tile.points).collect();
        alone.sort_unstable();
        let alone = alone.into_iter().map(|point| points[point]).collect();
        (shared.into_iter().map(numbered).collect(), alone)
    }

    /// Whether the first layers cost less for all of a tile's windows together.
    fn pays(&self, tile: &DenseTile) -> bool {
        let count = |mut lines: Vec<u32>| {
            lines.sort_unstable();
            lines.dedup();
            lines.len() as u64
        };
        let rows = count(tile.places.iter().map(|place| place.0).collect());
        let cols = count(tile.places.iter().map(|place| place.1).collect());
        let side_px = |outputs: u32| self.tiles.side_for_px(outputs);
        let (high_px, wide_px) = (side_px(tile.grid.0), side_px(tile.grid.1));
        let windows = tile.places.len() as u64;
        let map = &self.halves.map;
        let length_px = |part: Part, shared_px: u32| match part {
            Part::Before => map.before_px,
            Part::Shared => shared_px,
            Part::After => map.after_px,
        };
        let pairs = PARTS.iter().flat_map(|&down| PARTS.map(|across| (down, across)));
        let together: u64 = pairs
            .map(|(down, across)| {
                let images = match (down, across) {
                    (Part::Shared, Part::Shared) => 1,
                    (_, Part::Shared) => rows,
                    (Part::Shared, _) => cols,
                    _ => windows,
                };
                let sides_px = (length_px(down, high_px), length_px(across, wide_px));
                if sides_px.0.min(sides_px.1) == 0 {
                    return 0;
                }
                images * self.halves.cost(sides_px.0, sides_px.1)
            })
            .sum();
        together < windows * self.halves.cost(self.window_px, self.window_px)
    }

    /// Scores the windows of one region.
    ///
    /// # Errors
    /// [`EngineError`] naming the model.
    pub(super) fn score(
        &self,
        loaded: &mut LoadedHalves,
        (preparation, shared): (&Preparation, &Shared),
        classes: usize,
        scored: &mut Scored<'_>,
    ) -> Result<(), EngineError> {
        let region = Region {
            preparation,
            patch: &shared.patch,
            tile: &shared.tile,
            map: &self.halves.map,
            window_px: self.window_px,
            stride_px: self.stride_px,
            run_px: self.tiles.side_px().pow(2),
        };
        region.score(loaded, classes, scored)
    }
}

/// Once a worker, side by side, since loading takes a second; `None` from an engine
/// that cannot run them.
fn load_all(
    engine: &Selected,
    model: &Model,
    halves: &Halves,
    (batch, threads): (usize, usize),
) -> Result<Option<Vec<LoadedHalves>>, EngineError> {
    let load = || engine.engine.load_halves(model, halves, batch);
    std::thread::scope(|scope| {
        let loading: Vec<_> = (0..threads).map(|_| scope.spawn(load)).collect();
        let loaded = loading
            .into_iter()
            .map(|t| t.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        loaded.collect()
    })
}
