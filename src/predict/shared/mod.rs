//! Single windows at less than their price, where they lie close together: what
//! neighbours have in common is computed once ([`TrunkHead`]). The scores are those of the
//! windows alone, but for rounding.
//!
//! Memory: of each worker the maps of one region; the more workers, the smaller.

mod maps;
mod part;
mod region;

use std::sync::Arc;

use rayon::ThreadPool;
use rayon::prelude::*;

use super::batch::Numbered;
use super::prepare::{Preparation, PreparedPatch};
use crate::geometry::dense_tiles::{DenseTile, DenseTiles};
use crate::geometry::lattice::LatticePoint;
use crate::model::{
    EngineError, LoadedTrunkHead, Model, SelectedEngine, Trunk, TrunkHead, TrunkHeadEngine,
};
use part::{PARTS, Part};
use region::{Region, Scored};

/// Whether so many workers may take so many bytes each.
fn affordable(threads: usize, bytes: u64) -> bool {
    threads as u64 * bytes <= MOST_BYTES
}

/// What windows move over along a side of a region, px: of all workers together, and
/// least and most of one. Below, regions are mostly border; above, nothing is gained.
const REGION_PX: (u32, u32, u32) = (1024, 256, 512);

/// What all workers may take for it, beside what single windows need: with it `predict`
/// stays within a gigabyte, the model and a group.
const MOST_BYTES: u64 = 450_000_000;

/// How windows are shared.
#[derive(Debug)]
pub(super) struct Sharing {
    trunk: Trunk,
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
        engine: &SelectedEngine,
        model: &Model,
        stride_px: u32,
        (batch, threads): (usize, usize),
        pool: &ThreadPool,
    ) -> Result<Option<(Self, Vec<LoadedTrunkHead>)>, EngineError> {
        let Some(engine) = engine.engine.trunk_head() else { return Ok(None) };
        let Some(parts) = TrunkHead::cut(model, stride_px) else { return Ok(None) };
        let (window_px, region_px) = (model.card.window_px, region_px(threads));
        let tiles = DenseTiles::new(window_px, stride_px, 0, region_px, |_| true);
        if !affordable(threads, parts.bytes(tiles.side_px())) {
            return Ok(None);
        }
        let loaded = load_all(engine, model, &parts, (batch, threads), pool)?;
        Ok(Some((Self { trunk: parts.trunk, tiles, window_px, stride_px }, loaded)))
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
        let map = &self.trunk.map;
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
                images * self.trunk.cost(sides_px.0, sides_px.1)
            })
            .sum();
        together < windows * self.trunk.cost(self.window_px, self.window_px)
    }

    /// Scores the windows of one region.
    ///
    /// # Errors
    /// [`EngineError`] naming the model.
    pub(super) fn score(
        &self,
        loaded: &mut LoadedTrunkHead,
        (preparation, shared): (&Preparation, &Shared),
        classes: usize,
        scored: &mut Scored<'_>,
    ) -> Result<(), EngineError> {
        let region = Region {
            preparation,
            patch: &shared.patch,
            tile: &shared.tile,
            map: &self.trunk.map,
            window_px: self.window_px,
            stride_px: self.stride_px,
            run_px: self.tiles.side_px().pow(2),
        };
        region.score(loaded, classes, scored)
    }
}

/// What windows move over along a side of a region of one of so many workers.
fn region_px(threads: usize) -> u32 {
    let (all_px, least_px, most_px) = REGION_PX;
    let threads = u32::try_from(threads.max(1)).unwrap_or(u32::MAX);
    (all_px / threads).clamp(least_px, most_px)
}

/// Once a worker, side by side, since loading takes a second.
fn load_all(
    engine: &dyn TrunkHeadEngine,
    model: &Model,
    parts: &TrunkHead,
    (batch, threads): (usize, usize),
    pool: &ThreadPool,
) -> Result<Vec<LoadedTrunkHead>, EngineError> {
    pool.install(|| {
        let workers = (0..threads).into_par_iter().with_max_len(1);
        workers.map(|_| engine.load_trunk_head(model, parts, batch)).collect()
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use proptest::prelude::*;

    use super::*;

    fn parts() -> TrunkHead {
        let card = Path::new(env!("CARGO_MANIFEST_DIR")).join("configs/models/demo-padded.toml");
        TrunkHead::cut(&Model::load(&card).unwrap(), 16).unwrap()
    }

    fn sharing(threads: usize) -> Sharing {
        let tiles = DenseTiles::new(224, 16, 0, region_px(threads), |_| true);
        Sharing { trunk: parts().trunk, tiles, window_px: 224, stride_px: 16 }
    }

    fn points(places: impl Iterator<Item = (u32, u32)>) -> Vec<Numbered> {
        let point = |(row, col): (u32, u32)| LatticePoint {
            row: i32::try_from(row).unwrap(),
            col: i32::try_from(col).unwrap(),
            patch_x_px: 16 * col,
            patch_y_px: 16 * row,
        };
        let points = places.map(point).enumerate();
        points.map(|(at, point)| Numbered { number: 7 * at, point }).collect()
    }

    #[test]
    fn more_workers_take_smaller_regions_until_it_is_too_much() {
        assert_eq!([1, 2, 3, 4, 64].map(region_px), [512, 512, 341, 256, 256]);
        let parts = parts();
        let asks = |threads: usize| parts.bytes(region_px(threads) + 208);
        assert!(affordable(2, asks(2)) && affordable(16, asks(16)));
        assert!(!affordable(1_000, asks(1_000)));
    }

    #[test]
    fn windows_in_a_heap_share_and_scattered_ones_do_not() {
        let sharing = sharing(1);
        let heap = points((0..40).flat_map(|row| (0..40).map(move |col| (row, col))));
        let (regions, alone) = sharing.parted(&heap);
        assert!(alone.is_empty() && regions.len() >= 4, "{}", regions.len());
        let scattered = points((0..9).map(|at| (40 * (at / 3), 40 * (at % 3))));
        let (regions, alone) = sharing.parted(&scattered);
        assert!(regions.is_empty());
        assert_eq!(alone, scattered);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn every_window_is_scored_once_where_it_lies(
            places in prop::collection::btree_set((0u32..90, 0u32..90), 0..400),
        ) {
            let (sharing, given) = (sharing(4), points(places.into_iter()));
            let (regions, alone) = sharing.parted(&given);
            let mut seen: BTreeSet<(usize, u32, u32)> = alone
                .iter()
                .map(|numbered| (numbered.number, numbered.point.patch_x_px, numbered.point.patch_y_px))
                .collect();
            for (tile, numbers) in &regions {
                for (&(row, col), &number) in tile.places.iter().zip(numbers) {
                    let px = |start_px: i64, at: u32| u32::try_from(start_px).unwrap() + 16 * at;
                    prop_assert!(seen.insert((number, px(tile.x_px, col), px(tile.y_px, row))));
                }
            }
            let expected: BTreeSet<_> = given
                .iter()
                .map(|numbered| (numbered.number, numbered.point.patch_x_px, numbered.point.patch_y_px))
                .collect();
            prop_assert_eq!(seen, expected);
        }
    }
}
