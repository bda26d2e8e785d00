//! Measures the colours of a slide from pixels on their way to the patch file, so that nothing
//! is read twice.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use crate::geometry::{BlockPlan, PatchCoord, WorkingPlane};
use crate::normalize::{ColourEstimate, ColourMethod};
use crate::patches::SlideColours;

/// Number of sampled pixels of a slide with enough tissue.
const SAMPLE_PX: usize = 1_000_000;

/// Fewest and most sampled pixels of a tile: a slide with few tiles is sampled densely, and one
/// with a hundred thousand still in every tile.
const TILE_SAMPLE_PX: std::ops::RangeInclusive<usize> = 36..=12_544;

/// Collects pixels of tissue tiles, on a fixed lattice in each. The sample does not depend on
/// threads, blocks or groups.
pub(super) struct Sampler<'a> {
    method: ColourMethod,
    plan: &'a BlockPlan,
    plane: &'a WorkingPlane,
    step_px: usize,
    /// Sampled pixels, `[pixel, rgb]`, by row and column of the tile.
    tiles: Mutex<BTreeMap<(i64, i64), Vec<u8>>>,
}

impl<'a> Sampler<'a> {
    pub(super) fn new(method: ColourMethod, plan: &'a BlockPlan, plane: &'a WorkingPlane) -> Self {
        let tissue = plan.mask().iter().filter(|&&tile| tile != 0).count().max(1);
        let tile_px = plan.tiling().tile_px() as usize;
        let wanted = (SAMPLE_PX / tissue).clamp(*TILE_SAMPLE_PX.start(), *TILE_SAMPLE_PX.end());
        // An odd step visits all places of JPEG's blocks of 8 px.
        let step_px = (tile_px * tile_px / wanted).isqrt().max(1) | 1;
        Self { method, plan, plane, step_px, tiles: Mutex::new(BTreeMap::new()) }
    }

    /// Samples the tissue tiles of a patch; `rgb`: `[row, col, rgb]`.
    pub(super) fn take(&self, patch: &PatchCoord, rgb: &[u8]) {
        let tiling = self.plan.tiling();
        let (tile_px, side_px) = (tiling.tile_px() as usize, tiling.patch_px() as usize);
        let halo_px = (side_px - tiling.block_px() as usize) / 2;
        for ((row, col), &tissue) in self.plan.tissue_of(patch).indexed_iter() {
            if tissue == 0 {
                continue;
            }
            let tile = (patch.tile_row + row as i64, patch.tile_col + col as i64);
            // Pixels beyond the slide's edge are filled white and are not glass.
            let inside = |tile: i64, limit_px: u32| {
                let left = i64::from(limit_px) - tile * tile_px as i64;
                usize::try_from(left).unwrap_or(0).min(tile_px)
            };
            let (rows, cols) =
                (inside(tile.0, self.plane.height_px), inside(tile.1, self.plane.width_px));
            let mut pixels = Vec::new();
            for y in (self.step_px / 2..rows).step_by(self.step_px) {
                for x in (self.step_px / 2..cols).step_by(self.step_px) {
                    let at = (halo_px + row * tile_px + y) * side_px + halo_px + col * tile_px + x;
                    pixels.extend_from_slice(&rgb[3 * at..3 * at + 3]);
                }
            }
            self.tiles.lock().unwrap_or_else(PoisonError::into_inner).insert(tile, pixels);
        }
    }

    /// Estimates the colours from the sampled pixels.
    pub(super) fn colours(self) -> SlideColours {
        let tiles = self.tiles.into_inner().unwrap_or_else(PoisonError::into_inner);
        let pixels = tiles.into_values().flatten().collect::<Vec<u8>>();
        let estimate = self.method.estimate(&pixels).map(ColourEstimate::rounded);
        SlideColours { method: self.method, estimate: estimate.map_err(|e| e.to_string()) }
    }
}
