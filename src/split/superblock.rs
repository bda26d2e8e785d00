//! The order in which blocks are read: neighbours together, each pixel once.
//!
//! Patches overlap by their halos. Reading them one by one decodes a pixel
//! four times at B = 1; a superblock of blocks is read once into a canvas and
//! its patches are cut from that.

use crate::geometry::{BlockPlan, PatchCoord};

/// Longest side of a superblock without its halo. Halos are read twice where
/// superblocks meet, 8 % of the pixels; a third more would save 2 % of them for
/// 100 MB of memory.
const SUPERBLOCK_PX: u32 = 6144;

/// Side of the cells a canvas is read in: a multiple of what slides are tiled
/// by, so that a source tile is seldom decoded twice.
pub(super) const CELL_PX: i64 = 512;

/// An area of the working plane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Area {
    pub(super) x_px: i64,
    pub(super) y_px: i64,
    pub(super) width_px: i64,
    pub(super) height_px: i64,
}

impl Area {
    pub(super) fn of_patch(patch: &PatchCoord) -> Self {
        Self {
            x_px: patch.x_px,
            y_px: patch.y_px,
            width_px: patch.side_px,
            height_px: patch.side_px,
        }
    }

    pub(super) fn right_px(&self) -> i64 {
        self.x_px + self.width_px
    }

    pub(super) fn bottom_px(&self) -> i64 {
        self.y_px + self.height_px
    }

    /// The common part, if there is one.
    pub(super) fn intersection(&self, other: &Self) -> Option<Self> {
        let (x_px, y_px) = (self.x_px.max(other.x_px), self.y_px.max(other.y_px));
        let width_px = self.right_px().min(other.right_px()) - x_px;
        let height_px = self.bottom_px().min(other.bottom_px()) - y_px;
        (width_px > 0 && height_px > 0).then_some(Self { x_px, y_px, width_px, height_px })
    }

    fn union(&self, other: &Self) -> Self {
        let (x_px, y_px) = (self.x_px.min(other.x_px), self.y_px.min(other.y_px));
        Self {
            x_px,
            y_px,
            width_px: self.right_px().max(other.right_px()) - x_px,
            height_px: self.bottom_px().max(other.bottom_px()) - y_px,
        }
    }
}

/// Patches that are read together.
#[derive(Debug)]
pub(super) struct Superblock {
    /// Indices of the patches in the slide's order.
    pub(super) patches: Vec<usize>,
    /// What they cover together.
    pub(super) area: Area,
}

/// Parts the plan's patches into superblocks, row by row.
pub(super) fn superblocks(plan: &BlockPlan) -> Vec<Superblock> {
    let tiling = plan.tiling();
    let blocks = (SUPERBLOCK_PX / tiling.block_px()).max(1);
    let side_tiles = i64::from(blocks * tiling.block_tiles());
    let mut keyed: Vec<((i64, i64), usize)> = plan
        .patches()
        .iter()
        .enumerate()
        .map(|(index, p)| ((p.tile_row / side_tiles, p.tile_col / side_tiles), index))
        .collect();
    keyed.sort();
    keyed
        .chunk_by(|a, b| a.0 == b.0)
        .map(|chunk| {
            let patches: Vec<usize> = chunk.iter().map(|(_, index)| *index).collect();
            let areas = patches.iter().map(|&index| Area::of_patch(&plan.patches()[index]));
            let area = areas.reduce(|a, b| a.union(&b)).expect("a chunk is not empty");
            Superblock { patches, area }
        })
        .collect()
}

/// Cells of a superblock that some patch needs, row by row.
pub(super) fn cells(superblock: &Superblock, plan: &BlockPlan) -> Vec<Area> {
    let needs: Vec<Area> =
        superblock.patches.iter().map(|&index| Area::of_patch(&plan.patches()[index])).collect();
    let area = superblock.area;
    let starts = |from: i64, to: i64| {
        (from.div_euclid(CELL_PX)..=(to - 1).div_euclid(CELL_PX)).map(|cell| cell * CELL_PX)
    };
    let mut cells = Vec::new();
    for y_px in starts(area.y_px, area.bottom_px()) {
        for x_px in starts(area.x_px, area.right_px()) {
            let cell = Area { x_px, y_px, width_px: CELL_PX, height_px: CELL_PX };
            let needed =
                needs.iter().filter_map(|need| need.intersection(&cell)).reduce(|a, b| a.union(&b));
            cells.extend(needed);
        }
    }
    cells
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::Tiling;
    use ndarray::Array2;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn cells_cover_every_patch_and_do_not_overlap(
            rows in 1usize..12, cols in 1usize..12, block in 1u32..4, seed in any::<u64>(),
        ) {
            let mask = Array2::from_shape_fn((rows, cols), |(r, c)| {
                u8::from(seed.rotate_left((r * 5 + c * 17) as u32) & 3 == 0)
            });
            let plan = BlockPlan::new(Tiling::new(100, block, 64).unwrap(), mask);
            let mut patches = 0;
            for superblock in superblocks(&plan) {
                let cells = cells(&superblock, &plan);
                for (i, a) in cells.iter().enumerate() {
                    prop_assert!(cells[i + 1..].iter().all(|b| a.intersection(b).is_none()));
                }
                for &index in &superblock.patches {
                    let patch = Area::of_patch(&plan.patches()[index]);
                    let covered: i64 = cells.iter()
                        .filter_map(|cell| cell.intersection(&patch))
                        .map(|part| part.width_px * part.height_px)
                        .sum();
                    prop_assert_eq!(covered, patch.width_px * patch.height_px);
                }
                patches += superblock.patches.len();
            }
            prop_assert_eq!(patches, plan.patches().len());
        }
    }
}
