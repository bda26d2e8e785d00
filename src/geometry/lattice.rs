//! The score lattice: which points of a slide are scored, and where their windows lie in
//! the patches.

use ndarray::ArrayView2;

use super::{PatchCoord, Tiling};

/// The points of a working plane that can be scored.
///
/// Point `(r, c)` is the pixel `x = c * stride`, `y = r * stride`, for
/// `r in 0..ceil(height / stride)` and `c in 0..ceil(width / stride)`.
///
/// The score of a point is the network's output for the window
/// `[x - w/2, x + w/2) x [y - w/2, y + w/2)`, where `w` is the window's side. A point is
/// scored if and only if its pixel lies in a tissue tile, so the lattice of stride `k * s`
/// is the lattice of stride `s` subsampled `[::k, ::k]`, for tiles of any size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lattice {
    stride_px: u32,
    cols: u32,
    rows: u32,
}

/// One window to score.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LatticePoint {
    /// Lattice row.
    pub row: i32,
    /// Lattice column.
    pub col: i32,
    /// Left edge of the window, px from the left edge of its patch.
    pub patch_x_px: u32,
    /// Top edge of the window, px from the top edge of its patch.
    pub patch_y_px: u32,
}

impl Lattice {
    /// The lattice over a working plane of `width_px` x `height_px`. A `stride_px` of 0
    /// counts as 1.
    pub fn new(width_px: u32, height_px: u32, stride_px: u32) -> Self {
        let stride_px = stride_px.max(1);
        Self { stride_px, cols: width_px.div_ceil(stride_px), rows: height_px.div_ceil(stride_px) }
    }

    /// Distance between neighbouring points, working px.
    pub fn stride_px(&self) -> u32 {
        self.stride_px
    }

    /// (rows, columns).
    pub fn shape(&self) -> (usize, usize) {
        (self.rows as usize, self.cols as usize)
    }

    /// Points scored from one patch, row by row.
    ///
    /// `tissue` holds the tiles of the patch's block, `[tile row, tile col]`, `[B, B]`,
    /// non-zero = tissue. A point belongs to the block that its pixel lies in, so no two
    /// patches score the same point. Its window starts at the pixel's offset in
    /// the block plus [`Tiling::first_window_px`].
    pub fn points_of(
        &self,
        tiling: &Tiling,
        patch: &PatchCoord,
        tissue: ArrayView2<'_, u8>,
    ) -> Vec<LatticePoint> {
        let tile_px = i64::from(tiling.tile_px());
        let block_px = i64::from(tiling.block_px());
        let (left_px, top_px) = (patch.tile_col * tile_px, patch.tile_row * tile_px);
        let first_px = i64::from(tiling.first_window_px());
        let mut points = Vec::new();
        for row in indices_within(top_px, block_px, self.stride_px, self.rows) {
            let local_y = i64::from(row) * i64::from(self.stride_px) - top_px;
            for col in indices_within(left_px, block_px, self.stride_px, self.cols) {
                let local_x = i64::from(col) * i64::from(self.stride_px) - left_px;
                if tissue[[to_usize(local_y / tile_px), to_usize(local_x / tile_px)]] != 0 {
                    points.push(LatticePoint {
                        row,
                        col,
                        patch_x_px: to_u32(local_x + first_px),
                        patch_y_px: to_u32(local_y + first_px),
                    });
                }
            }
        }
        points
    }
}

/// Lattice indices whose pixel lies in `[start_px, start_px + len_px)`.
fn indices_within(start_px: i64, len_px: i64, stride_px: u32, count: u32) -> std::ops::Range<i32> {
    let stride = i64::from(stride_px);
    let first = (start_px + stride - 1).div_euclid(stride).max(0);
    let end = (start_px + len_px + stride - 1).div_euclid(stride).min(i64::from(count));
    to_i32(first)..to_i32(end.max(first))
}

fn to_i32(value: i64) -> i32 {
    i32::try_from(value).expect("a lattice index fits i32: slides have fewer than 2^31 px per side")
}

fn to_u32(value: i64) -> u32 {
    u32::try_from(value).expect("a block offset fits u32")
}

fn to_usize(value: i64) -> usize {
    usize::try_from(value).expect("a tile offset is not negative")
}

#[cfg(test)]
mod tests {
    use super::super::BlockPlan;
    use super::*;
    use ndarray::Array2;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn all_points(
        width: u32,
        height: u32,
        tiling: Tiling,
        mask: &Array2<u8>,
        stride: u32,
    ) -> Vec<(i32, i32)> {
        let lattice = Lattice::new(width, height, stride);
        let plan = BlockPlan::new(tiling, mask.clone());
        plan.patches()
            .iter()
            .flat_map(|p| lattice.points_of(&tiling, p, plan.tissue_of(p).view()))
            .map(|p| (p.row, p.col))
            .collect()
    }

    proptest! {
        #[test]
        fn a_point_is_scored_once_if_its_pixel_is_tissue_and_never_otherwise(
            width in 1u32..200, height in 1u32..200, tile in 1u32..40, block in 1u32..5,
            stride in 1u32..50, seed in any::<u64>(),
        ) {
            let tiling = Tiling::new(tile, block, 16).unwrap();
            let (cols, rows) = tiling.grid(width, height);
            let mask = Array2::from_shape_fn((rows as usize, cols as usize), |(r, c)| {
                u8::from(seed.rotate_left((r * 11 + c * 5) as u32) & 1 == 1)
            });
            let found = all_points(width, height, tiling, &mask, stride);
            let unique: BTreeSet<_> = found.iter().copied().collect();
            prop_assert_eq!(unique.len(), found.len());
            let mut expected = BTreeSet::new();
            for (r, y) in (0..height).step_by(stride as usize).enumerate() {
                for (c, x) in (0..width).step_by(stride as usize).enumerate() {
                    if mask[[(y / tile) as usize, (x / tile) as usize]] == 1 {
                        expected.insert((r as i32, c as i32));
                    }
                }
            }
            prop_assert_eq!(unique, expected);
        }

        #[test]
        fn windows_stay_inside_their_patch(
            tile in 1u32..60, block in 1u32..5, window in 1u32..80, stride in 1u32..70,
            margin in 0u32..30,
        ) {
            let tiling = Tiling::new(tile, block, window).unwrap();
            let tiling = tiling.with_margin(margin).unwrap();
            let lattice = Lattice::new(tile * block * 2, tile * block * 2, stride);
            let plan = BlockPlan::new(tiling, Array2::ones((2 * block as usize, 2 * block as usize)));
            for patch in plan.patches() {
                for point in lattice.points_of(&tiling, patch, plan.tissue_of(patch).view()) {
                    prop_assert!(point.patch_x_px + tiling.window_px() <= tiling.patch_px());
                    prop_assert!(point.patch_y_px + tiling.window_px() <= tiling.patch_px());
                    // The window begins half a window, rounded down, before the point's pixel.
                    let centre = patch.x_px + i64::from(point.patch_x_px + window / 2);
                    prop_assert_eq!(centre, i64::from(point.col) * i64::from(stride));
                }
            }
        }

        #[test]
        fn a_coarser_lattice_is_the_finer_one_subsampled(
            width in 1u32..300, height in 1u32..300, stride in 1u32..20, factor in 1u32..6,
        ) {
            let tiling = Tiling::new(32, 2, 16).unwrap();
            let (cols, rows) = tiling.grid(width, height);
            let mask = Array2::from_shape_fn((rows as usize, cols as usize), |(r, c)| u8::from((r + c) % 2 == 0));
            let fine: BTreeSet<_> = all_points(width, height, tiling, &mask, stride).into_iter().collect();
            let coarse: BTreeSet<_> = all_points(width, height, tiling, &mask, stride * factor).into_iter().collect();
            let factor = factor as i32;
            let sampled: BTreeSet<_> = fine
                .into_iter()
                .filter(|(r, c)| r % factor == 0 && c % factor == 0)
                .map(|(r, c)| (r / factor, c / factor))
                .collect();
            prop_assert_eq!(coarse, sampled);
        }
    }
}
