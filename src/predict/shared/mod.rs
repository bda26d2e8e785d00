//! Scores single windows that lie close together at a lower cost: the trunk, a network's first
//! layers, runs once over what neighbouring windows share ([`TrunkHead`]). The scores are those
//! of the windows alone, except for rounding.
//!
//! Memory: each worker holds the maps of one region. The more workers, the smaller the regions.

mod maps;
mod part;
mod region;

use std::sync::Arc;
use std::time::Duration;

use rayon::prelude::*;

use super::batch::{Batch, Batcher, NumberedPoint};
use super::context::Context;
use super::error::PredictError;
use super::prepare::{Preparation, PreparedPatch};
use super::scored::Scored;
use super::stream::Cut;
use crate::geometry::dense_tiles::{DenseTile, DenseTiles};
use crate::geometry::lattice::LatticePoint;
use crate::interrupt::Interrupt;
use crate::model::{EngineError, LoadedTrunkHead, Trunk, TrunkHead};
use crate::pipeline::Outlet;
use part::{AxisPart, PartPair};
use region::SharedRegion;

/// Whether `threads` workers that take `bytes` each stay within [`MOST_BYTES`].
fn affordable(threads: usize, bytes: u64) -> bool {
    threads as u64 * bytes <= MOST_BYTES
}

/// Side of a region's windows in pixels: total over all workers, smallest and largest
/// for one. Smaller regions are mostly border; larger ones gain nothing.
const REGION_PX: RegionSides = RegionSides { all_px: 1024, min_px: 256, max_px: 512 };

/// See [`REGION_PX`].
struct RegionSides {
    all_px: u32,
    min_px: u32,
    max_px: u32,
}

/// Bytes that all workers together may take for shared maps, besides what single windows need.
/// This bound keeps `predict` within a gigabyte plus the model and a group.
const MOST_BYTES: u64 = 450_000_000;

/// How windows share their first layers.
#[derive(Debug)]
struct Sharing {
    trunk: Trunk,
    tiles: DenseTiles,
    window_px: u32,
    stride_px: u32,
}

/// The trunk and the head of a network, loaded once per worker, and how windows share the
/// trunk.
pub(super) struct SharedWindows {
    sharing: Sharing,
    networks: Vec<LoadedTrunkHead>,
}

impl SharedWindows {
    /// Loads the trunk and the head. Returns `None` if windows share nothing, if the engine
    /// cannot run the two, or if their maps take too much memory.
    ///
    /// # Errors
    /// [`PredictError::Engine`] naming the model.
    pub(super) fn load(context: &Context<'_>) -> Result<Option<Self>, PredictError> {
        let (model, workers, stride_px) =
            (&context.model, context.workers(), context.keys().stride);
        let Some(engine) = context.engine.engine.trunk_head() else { return Ok(None) };
        let Some(parts) = TrunkHead::cut(model, stride_px) else { return Ok(None) };
        let (window_px, region_px) = (model.card.window_px, region_px(workers));
        let tiles = DenseTiles::new(window_px, stride_px, 0, region_px, |_| true);
        if !affordable(workers, parts.bytes(tiles.side_px())) {
            return Ok(None);
        }
        // In parallel, since loading takes about a second.
        let loaded: Result<_, EngineError> = context.pool.install(|| {
            let workers = (0..workers).into_par_iter().with_max_len(1);
            workers.map(|_| engine.load_trunk_head(model, &parts, context.batch)).collect()
        });
        let loaded = loaded.map_err(|source| context.model_failed(source))?;
        let sharing = Sharing { trunk: parts.trunk, tiles, window_px, stride_px };
        Ok(Some(Self { sharing, networks: loaded }))
    }

    /// Returns the cutter of patches and, per worker, a scorer of regions.
    pub(super) fn parts<'w>(
        &'w mut self,
        context: &'w Context<'_>,
        batcher: Batcher,
    ) -> (SharedCut<'w>, impl Iterator<Item = RegionWorker<'w>>) {
        let Self { sharing, networks } = self;
        let sharing = &*sharing;
        let workers = networks.iter_mut().map(move |network| RegionWorker {
            sharing,
            network,
            preparation: &context.preparation,
            classes: context.classes().count,
            interrupt: &context.interrupt,
        });
        (SharedCut { sharing, batcher }, workers)
    }
}

/// The work that a worker takes at a time.
pub(super) enum SharedPiece {
    /// Windows that share nothing.
    Alone(Batch),
    Region(RegionWindows),
}

/// Windows of a patch that share their first layers.
pub(super) struct RegionWindows {
    patch: Arc<PreparedPatch>,
    tile: DenseTile,
    /// Number of each of the tile's points.
    numbers: Vec<usize>,
}

/// Cuts patches into regions where sharing pays, and batches of the other windows.
pub(super) struct SharedCut<'s> {
    sharing: &'s Sharing,
    batcher: Batcher,
}

impl Cut for SharedCut<'_> {
    type Piece = SharedPiece;

    fn cut(&mut self, patch: &Arc<PreparedPatch>, points: &[NumberedPoint]) -> Vec<SharedPiece> {
        let DividedWindows { regions, alone } = self.sharing.divided(points);
        let regions = regions.into_iter().map(|NumberedTile { tile, numbers }| {
            SharedPiece::Region(RegionWindows { patch: Arc::clone(patch), tile, numbers })
        });
        let batches = self.batcher.cut(patch, &alone).into_iter().map(SharedPiece::Alone);
        regions.chain(batches).collect()
    }

    fn rest(&mut self) -> Option<SharedPiece> {
        self.batcher.rest().map(SharedPiece::Alone)
    }
}

/// Scores regions by the trunk and the head of the network.
pub(super) struct RegionWorker<'w> {
    sharing: &'w Sharing,
    network: &'w mut LoadedTrunkHead,
    preparation: &'w Preparation,
    /// Number of classes.
    classes: usize,
    interrupt: &'w Interrupt,
}

impl RegionWorker<'_> {
    /// Scores the windows of a region; an interrupt ends the region early.
    ///
    /// # Errors
    /// [`EngineError`] naming the model.
    pub(super) fn score(
        &mut self,
        windows: &RegionWindows,
        outlet: &Outlet<'_, Scored>,
    ) -> Result<(), EngineError> {
        let region = SharedRegion {
            preparation: self.preparation,
            patch: &windows.patch,
            tile: &windows.tile,
            map: &self.sharing.trunk.map,
            window_px: self.sharing.window_px,
            stride_px: self.sharing.stride_px,
            run_px: self.sharing.tiles.side_px().pow(2),
        };
        let window_area_px = u64::from(self.sharing.window_px).pow(2);
        let mut send = |points: &[usize], scores: &[f32], infer: Duration| {
            let numbers = points.iter().map(|&point| windows.numbers[point]).collect();
            let scores = scores.to_vec();
            let computed_px = points.len() as u64 * window_area_px;
            let scored = Scored { numbers, scores, infer, computed_px, shared: true };
            outlet.send(scored).is_ok() && self.interrupt.requested().is_none()
        };
        region.score(self.network, self.classes, &mut send)
    }
}

/// A tile of a patch and the numbers of its points.
#[derive(Debug)]
struct NumberedTile {
    tile: DenseTile,
    numbers: Vec<usize>,
}

/// The windows of a patch, divided into those that share their first layers and the others.
#[derive(Debug)]
struct DividedWindows {
    /// Regions in which sharing costs less.
    regions: Vec<NumberedTile>,
    alone: Vec<NumberedPoint>,
}

impl Sharing {
    /// Divides the windows of a patch into regions in which sharing costs less, and the others.
    fn divided(&self, points: &[NumberedPoint]) -> DividedWindows {
        let places: Vec<LatticePoint> = points.iter().map(|numbered| numbered.point).collect();
        let tiles = self.tiles.tiles_of(&places, 0);
        let boxes = tiles.iter().flat_map(|tile| self.tiles.cover(tile));
        let (shared, alone): (Vec<DenseTile>, Vec<DenseTile>) =
            boxes.partition(|tile| self.pays(tile));
        let numbered = |tile: DenseTile| {
            let numbers = tile.points.iter().map(|&point| points[point].number).collect();
            NumberedTile { tile, numbers }
        };
        let mut alone: Vec<usize> = alone.into_iter().flat_map(|tile| tile.points).collect();
        alone.sort_unstable();
        let alone = alone.into_iter().map(|point| points[point]).collect();
        DividedWindows { regions: shared.into_iter().map(numbered).collect(), alone }
    }

    /// Whether the first layers cost less for all windows of a tile together than one by one.
    fn pays(&self, tile: &DenseTile) -> bool {
        let count = |mut lines: Vec<u32>| {
            lines.sort_unstable();
            lines.dedup();
            lines.len() as u64
        };
        let rows = count(tile.places.iter().map(|place| place.row).collect());
        let cols = count(tile.places.iter().map(|place| place.col).collect());
        let side_px = |outputs: u32| self.tiles.side_for_px(outputs);
        let (high_px, wide_px) = (side_px(tile.grid.rows), side_px(tile.grid.cols));
        let windows = tile.places.len() as u64;
        let map = &self.trunk.map;
        let length_px = |part: AxisPart, shared_px: u32| match part {
            AxisPart::Before => map.before_px,
            AxisPart::Shared => shared_px,
            AxisPart::After => map.after_px,
        };
        let together: u64 = PartPair::all()
            .map(|PartPair { down, across }| {
                let images = match (down, across) {
                    (AxisPart::Shared, AxisPart::Shared) => 1,
                    (_, AxisPart::Shared) => rows,
                    (AxisPart::Shared, _) => cols,
                    _ => windows,
                };
                let (rows_px, cols_px) = (length_px(down, high_px), length_px(across, wide_px));
                if rows_px.min(cols_px) == 0 {
                    return 0;
                }
                images * self.trunk.cost(rows_px, cols_px)
            })
            .sum();
        together < windows * self.trunk.cost(self.window_px, self.window_px)
    }
}

/// Side of a region in pixels for each of `threads` workers ([`REGION_PX`]).
fn region_px(threads: usize) -> u32 {
    let RegionSides { all_px, min_px, max_px } = REGION_PX;
    // More threads than u32 counts get the smallest region, as u32::MAX threads do.
    let threads = u32::try_from(threads.max(1)).unwrap_or(u32::MAX);
    (all_px / threads).clamp(min_px, max_px)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use proptest::prelude::*;

    use super::*;
    use crate::geometry::dense_tiles::GridPlace;
    use crate::model::Model;

    fn parts() -> TrunkHead {
        let card = Path::new(env!("CARGO_MANIFEST_DIR")).join("configs/models/demo-padded.toml");
        TrunkHead::cut(&Model::load(&card).unwrap(), 16).unwrap()
    }

    fn sharing(threads: usize) -> Sharing {
        let tiles = DenseTiles::new(224, 16, 0, region_px(threads), |_| true);
        Sharing { trunk: parts().trunk, tiles, window_px: 224, stride_px: 16 }
    }

    fn points(places: impl Iterator<Item = (u32, u32)>) -> Vec<NumberedPoint> {
        let point = |(row, col): (u32, u32)| LatticePoint {
            row: i32::try_from(row).unwrap(),
            col: i32::try_from(col).unwrap(),
            patch_x_px: 16 * col,
            patch_y_px: 16 * row,
        };
        let points = places.map(point).enumerate();
        points.map(|(at, point)| NumberedPoint { number: 7 * at, point }).collect()
    }

    #[test]
    fn regions_shrink_with_more_workers_until_memory_runs_out() {
        assert_eq!([1, 2, 3, 4, 64].map(region_px), [512, 512, 341, 256, 256]);
        let parts = parts();
        let bytes = |threads: usize| parts.bytes(region_px(threads) + 208);
        assert!(affordable(2, bytes(2)) && affordable(16, bytes(16)));
        assert!(!affordable(1_000, bytes(1_000)));
    }

    #[test]
    fn clustered_windows_share_and_scattered_ones_do_not() {
        let sharing = sharing(1);
        let clustered = points((0..40).flat_map(|row| (0..40).map(move |col| (row, col))));
        let DividedWindows { regions, alone } = sharing.divided(&clustered);
        assert!(alone.is_empty() && regions.len() >= 4, "{}", regions.len());
        let scattered = points((0..9).map(|at| (40 * (at / 3), 40 * (at % 3))));
        let DividedWindows { regions, alone } = sharing.divided(&scattered);
        assert!(regions.is_empty());
        assert_eq!(alone, scattered);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn every_window_is_scored_once_at_its_place(
            places in prop::collection::btree_set((0u32..90, 0u32..90), 0..400),
        ) {
            let (sharing, given) = (sharing(4), points(places.into_iter()));
            let DividedWindows { regions, alone } = sharing.divided(&given);
            let mut seen: BTreeSet<(usize, u32, u32)> = alone
                .iter()
                .map(|numbered| (numbered.number, numbered.point.patch_x_px, numbered.point.patch_y_px))
                .collect();
            for NumberedTile { tile, numbers } in &regions {
                for (&GridPlace { row, col }, &number) in tile.places.iter().zip(numbers) {
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
