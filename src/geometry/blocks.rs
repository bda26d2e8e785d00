//! The blocks of a slide that are stored, and the places of their patches.

use ndarray::{Array2, ArrayView2, s};

use super::Tiling;

/// The place of a patch: one row of a patch file's `coord`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PatchCoord {
    /// Tile column of the block's first tile.
    pub tile_col: i64,
    /// Tile row of the block's first tile.
    pub tile_row: i64,
    /// Left edge of the patch, working px; negative where the halo leaves the slide.
    pub x_px: i64,
    /// Top edge of the patch, working px; negative where the halo leaves the slide.
    pub y_px: i64,
    /// Side of the patch, working px.
    pub side_px: i64,
}

impl PatchCoord {
    /// The patch of the block whose first tile is (`tile_col`, `tile_row`).
    pub fn of_block(tiling: &Tiling, tile_col: u32, tile_row: u32) -> Self {
        let (tile_px, halo_px) = (i64::from(tiling.tile_px()), i64::from(tiling.halo_px()));
        let (tile_col, tile_row) = (i64::from(tile_col), i64::from(tile_row));
        Self {
            tile_col,
            tile_row,
            x_px: tile_col * tile_px - halo_px,
            y_px: tile_row * tile_px - halo_px,
            side_px: i64::from(tiling.patch_px()),
        }
    }

    /// The row as stored: tile col, tile row, x, y, side.
    pub fn to_row(self) -> [i64; 5] {
        [self.tile_col, self.tile_row, self.x_px, self.y_px, self.side_px]
    }

    /// The place that a stored row of [`PatchCoord::to_row`]'s order gives.
    pub fn from_row(row: [i64; 5]) -> Self {
        let [tile_col, tile_row, x_px, y_px, side_px] = row;
        Self { tile_col, tile_row, x_px, y_px, side_px }
    }
}

/// The blocks of a slide that hold tissue, in row-major order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockPlan {
    tiling: Tiling,
    mask: Array2<u8>,
    blocks: Vec<PatchCoord>,
}

impl BlockPlan {
    /// Plans the blocks that have at least one tissue tile.
    ///
    /// `mask` is the slide's tissue mask, `[tile row, tile col]`, non-zero = tissue.
    pub fn new(tiling: Tiling, mask: Array2<u8>) -> Self {
        let step = tiling.block_tiles() as usize;
        let mut blocks = Vec::new();
        for row in (0..mask.nrows()).step_by(step) {
            for col in (0..mask.ncols()).step_by(step) {
                if block_view(&mask, row, col, step).iter().any(|&tile| tile != 0) {
                    let tile = |index: usize| u32::try_from(index).expect("a tile index fits u32");
                    blocks.push(PatchCoord::of_block(&tiling, tile(col), tile(row)));
                }
            }
        }
        Self { tiling, mask, blocks }
    }

    /// The tiling of the plan.
    pub fn tiling(&self) -> &Tiling {
        &self.tiling
    }

    /// The tissue mask of the whole slide, `[tile row, tile col]`.
    pub fn mask(&self) -> &Array2<u8> {
        &self.mask
    }

    /// The patches of the planned blocks, in row-major order of the blocks.
    pub fn patches(&self) -> &[PatchCoord] {
        &self.blocks
    }

    /// Tissue tiles of a patch's block, `[row, col]`, `[B, B]`; tiles outside
    /// the slide are 0.
    pub fn tissue_of(&self, patch: &PatchCoord) -> Array2<u8> {
        let side = self.tiling.block_tiles() as usize;
        let row = usize::try_from(patch.tile_row).expect("planned tile rows are not negative");
        let col = usize::try_from(patch.tile_col).expect("planned tile columns are not negative");
        let inside = block_view(&self.mask, row, col, side);
        let mut tissue = Array2::zeros((side, side));
        tissue
            .slice_mut(s![..inside.nrows(), ..inside.ncols()])
            .assign(&inside.mapv(|tile| u8::from(tile != 0)));
        tissue
    }
}

/// The part of a block that lies on the mask.
fn block_view(mask: &Array2<u8>, row: usize, col: usize, side: usize) -> ArrayView2<'_, u8> {
    let (rows, cols) = mask.dim();
    mask.slice(s![row..(row + side).min(rows), col..(col + side).min(cols)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_tissue_tile_is_in_exactly_one_block(
            rows in 1usize..20, cols in 1usize..20, block in 1u32..6, seed in any::<u64>(),
        ) {
            let mask = Array2::from_shape_fn((rows, cols), |(r, c)| {
                u8::from((seed.rotate_left((r * 7 + c * 13) as u32) & 3) == 0)
            });
            let plan = BlockPlan::new(Tiling::new(16, block, 8).unwrap(), mask.clone());
            let mut seen = Array2::<u8>::zeros((rows, cols));
            for patch in plan.patches() {
                let tissue = plan.tissue_of(patch);
                prop_assert!(tissue.iter().any(|&t| t == 1));
                for ((r, c), &t) in tissue.indexed_iter() {
                    if t == 1 {
                        seen[[patch.tile_row as usize + r, patch.tile_col as usize + c]] += 1;
                    }
                }
            }
            prop_assert_eq!(seen, mask);
        }
    }

    #[test]
    fn patches_start_a_halo_before_their_block() {
        let tiling = Tiling::new(224, 1, 224).unwrap();
        let patch = PatchCoord::of_block(&tiling, 0, 3);
        assert_eq!(patch.to_row(), [0, 3, -112, 560, 448]);
        assert_eq!(PatchCoord::from_row(patch.to_row()), patch);
    }
}
