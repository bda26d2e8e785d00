//! The images that a dense network runs over, cut from patches, and the lattice point that
//! each output belongs to.

use std::collections::BTreeMap;

use super::lattice::LatticePoint;

/// Sizes of a dense run.
///
/// An image of [`DenseTiles::side_px`] gives `windows + 2 * margin` outputs along a side.
/// The inner `windows` are used; the others depend on the image's border.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DenseTiles {
    window_px: u32,
    stride_px: u32,
    /// Outputs along a side that are used.
    windows: u32,
    /// Outputs on each side that are not used.
    margin: u32,
}

/// Number of outputs of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GridSize {
    /// Outputs along y.
    pub rows: u32,
    /// Outputs along x.
    pub cols: u32,
}

/// An output of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GridPlace {
    /// From 0 at the top.
    pub row: u32,
    /// From 0 at the left.
    pub col: u32,
}

/// One dense run over a part of a patch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DenseTile {
    /// Left edge of the image, px from the patch's; negative where only unused outputs
    /// depend on the pixels outside the patch.
    pub x_px: i64,
    /// Top edge of the image, px from the patch's; negative likewise.
    pub y_px: i64,
    /// Outputs of the image.
    pub grid: GridSize,
    /// The output that is the score of each point.
    pub places: Vec<GridPlace>,
    /// Index of each point in the list that the tile was made from.
    pub points: Vec<usize>,
}

impl DenseTiles {
    /// Divides a block of `block_px` into the fewest equal parts whose runs fit.
    ///
    /// `reach_px` is how far beyond a window its output depends on pixels. `fits` tells
    /// whether memory holds a run with that many outputs along a side. Where no run fits,
    /// each run gives one window.
    pub(crate) fn new(
        window_px: u32,
        stride_px: u32,
        reach_px: u32,
        block_px: u32,
        fits: impl Fn(u32) -> bool,
    ) -> Self {
        let stride_px = stride_px.max(1);
        let margin = reach_px.div_ceil(stride_px);
        let most = block_px.div_ceil(stride_px).max(1);
        let parts = (1..=most).find(|parts| fits(most.div_ceil(*parts) + 2 * margin));
        let windows = most.div_ceil(parts.unwrap_or(most));
        Self { window_px, stride_px, windows, margin }
    }

    /// Side of a run's largest image, px.
    pub(crate) fn side_px(&self) -> u32 {
        self.side_for_px(self.grid())
    }

    /// Side of the image that gives `outputs` outputs along it, px.
    pub(crate) fn side_for_px(&self, outputs: u32) -> u32 {
        (outputs.max(1) - 1) * self.stride_px + self.window_px
    }

    /// Area of the image that gives `grid` outputs, px.
    pub(crate) fn area_px(&self, grid: GridSize) -> u64 {
        u64::from(self.side_for_px(grid.cols)) * u64::from(self.side_for_px(grid.rows))
    }

    /// Outputs on each side of the image that are not used.
    pub(crate) fn margin(&self) -> u32 {
        self.margin
    }

    /// Distance between neighbouring outputs, px.
    pub(crate) fn stride_px(&self) -> u32 {
        self.stride_px
    }

    /// Outputs along a side of the largest image, the unused ones included.
    pub(crate) fn grid(&self) -> u32 {
        self.windows + 2 * self.margin
    }

    fn largest_grid(&self) -> GridSize {
        GridSize { rows: self.grid(), cols: self.grid() }
    }

    /// One run for points that lie within one part of the block that [`DenseTiles::new`]
    /// divides, wherever in the patch that is; `None` without points.
    pub(crate) fn tile_around(&self, points: &[LatticePoint]) -> Option<DenseTile> {
        let (stride, margin) = (self.stride_px, self.margin);
        let left = points.iter().map(|point| point.patch_x_px).min()?;
        let top = points.iter().map(|point| point.patch_y_px).min()?;
        let place = |point: &LatticePoint| GridPlace {
            row: (point.patch_y_px - top) / stride + margin,
            col: (point.patch_x_px - left) / stride + margin,
        };
        let before_px = i64::from(margin * stride);
        Some(DenseTile {
            x_px: i64::from(left) - before_px,
            y_px: i64::from(top) - before_px,
            grid: self.largest_grid(),
            places: points.iter().map(place).collect(),
            points: (0..points.len()).collect(),
        })
    }

    /// The runs that score `points`, all of one patch, in row-major order.
    ///
    /// `first_window_px` is where the window of the block's first pixel begins in the patch.
    pub(crate) fn tiles_of(&self, points: &[LatticePoint], first_window_px: u32) -> Vec<DenseTile> {
        let (stride, first_window_px) = (i64::from(self.stride_px), i64::from(first_window_px));
        let (windows, margin) = (i64::from(self.windows), i64::from(self.margin));
        let mut tiles: BTreeMap<(i64, i64), DenseTile> = BTreeMap::new();
        for (index, point) in points.iter().enumerate() {
            // Along each axis: the part, the left or top edge of its image, the output in it.
            let along = |patch_px: u32| {
                let offset = i64::from(patch_px) - first_window_px;
                let (number, first) = (offset.div_euclid(stride), offset.rem_euclid(stride));
                let part = number.div_euclid(windows);
                let start = first_window_px + first + (part * windows - margin) * stride;
                (part, start, number - part * windows + margin)
            };
            let (col_part, x_px, col) = along(point.patch_x_px);
            let (row_part, y_px, row) = along(point.patch_y_px);
            let place = |at: i64| u32::try_from(at).expect("an output lies in the grid");
            let tile = tiles.entry((row_part, col_part)).or_insert_with(|| DenseTile {
                x_px,
                y_px,
                grid: self.largest_grid(),
                places: Vec::new(),
                points: Vec::new(),
            });
            tile.places.push(GridPlace { row: place(row), col: place(col) });
            tile.points.push(index);
        }
        tiles.into_values().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::{BlockPlan, Lattice, Tiling};
    use super::*;
    use ndarray::Array2;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_point_is_scored_once_by_its_own_window(
            tile in 1u32..40, block in 1u32..5, window in 1u32..60, stride in 1u32..50,
            reach in 0u32..40, limit in 1u32..30,
        ) {
            let tiling = Tiling::new(tile, block, window).unwrap().with_margin(reach).unwrap();
            let side = 2 * tiling.block_px();
            let tiles = DenseTiles::new(window, stride, reach, tiling.block_px(), |n| n <= limit);
            let plan = BlockPlan::new(tiling, Array2::ones((2 * block as usize, 2 * block as usize)));
            let lattice = Lattice::new(side, side, stride);
            for patch in plan.patches() {
                let points = lattice.points_of(&tiling, patch, plan.tissue_of(patch).view());
                let mut seen = vec![0; points.len()];
                for tile in tiles.tiles_of(&points, tiling.first_window_px()) {
                    for (&GridPlace { row, col }, &index) in tile.places.iter().zip(&tile.points) {
                        seen[index] += 1;
                        prop_assert!(row < tiles.grid() && col < tiles.grid());
                        let left = tile.x_px + i64::from(col * stride);
                        let top = tile.y_px + i64::from(row * stride);
                        prop_assert_eq!(left, i64::from(points[index].patch_x_px));
                        prop_assert_eq!(top, i64::from(points[index].patch_y_px));
                        // The pixels that the output depends on lie in image and patch.
                        let (from, to) = (left - i64::from(reach), left + i64::from(window + reach));
                        prop_assert!(from >= tile.x_px.max(0));
                        prop_assert!(to <= tile.x_px + i64::from(tiles.side_px()));
                        prop_assert!(to <= patch.side_px);
                    }
                }
                prop_assert!(seen.iter().all(|&count| count == 1));
            }
        }
    }

    proptest! {
        /// The images of a cover hold each point once, with the pixels that its output
        /// depends on, and have no more pixels than the image of the run.
        #[test]
        fn a_cover_keeps_every_point_and_its_pixels(
            window in 1u32..60, stride in 1u32..50, reach in 0u32..40, side in 1u32..30,
            chosen in proptest::collection::hash_set((0u32..30, 0u32..30), 1..60),
        ) {
            let tiles = DenseTiles::new(window, stride, reach, side * stride, |_| true);
            let chosen: Vec<(u32, u32)> =
                chosen.into_iter().map(|(row, col)| (row % side, col % side)).collect();
            let points: Vec<LatticePoint> = chosen
                .iter()
                .map(|&(row, col)| LatticePoint {
                    row: 0,
                    col: 0,
                    patch_x_px: 100 + col * stride,
                    patch_y_px: 200 + row * stride,
                })
                .collect();
            let whole = tiles.tile_around(&points).unwrap();
            let covers = tiles.cover(&whole);
            let mut seen = vec![0; points.len()];
            let px = |tile: &DenseTile| {
                u64::from(tiles.side_for_px(tile.grid.rows)) * u64::from(tiles.side_for_px(tile.grid.cols))
            };
            for cover in &covers {
                let (bottom, right) = (tiles.side_for_px(cover.grid.rows), tiles.side_for_px(cover.grid.cols));
                for (&GridPlace { row, col }, &index) in cover.places.iter().zip(&cover.points) {
                    seen[index] += 1;
                    let (x, y) = (col * stride, row * stride);
                    prop_assert_eq!(cover.x_px + i64::from(x), i64::from(points[index].patch_x_px));
                    prop_assert_eq!(cover.y_px + i64::from(y), i64::from(points[index].patch_y_px));
                    prop_assert!(x >= reach && y >= reach);
                    prop_assert!(x + window + reach <= right && y + window + reach <= bottom);
                }
            }
            prop_assert!(seen.iter().all(|&count| count == 1));
            prop_assert!(covers.iter().map(px).sum::<u64>() <= px(&whole));
        }
    }

    #[test]
    fn points_in_two_corners_take_two_small_images() {
        let tiles = DenseTiles::new(224, 16, 63, 1792, |_| true);
        let point =
            |patch_x_px, patch_y_px| LatticePoint { row: 0, col: 0, patch_x_px, patch_y_px };
        let whole = tiles.tile_around(&[point(64, 64), point(80, 64), point(1840, 1840)]).unwrap();
        let covers = tiles.cover(&whole);
        let found: Vec<_> =
            covers.iter().map(|cover| (cover.grid, cover.x_px, &cover.points)).collect();
        let grid = |rows, cols| GridSize { rows, cols };
        assert_eq!(found, [(grid(9, 10), 0, &vec![0, 1]), (grid(9, 9), 1776, &vec![2])]);
    }

    #[test]
    fn a_tile_around_points_starts_a_margin_before_them() {
        let tiles = DenseTiles::new(64, 10, 15, 30, |_| true);
        let point =
            |patch_x_px, patch_y_px| LatticePoint { row: 0, col: 0, patch_x_px, patch_y_px };
        let tile = tiles.tile_around(&[point(37, 60), point(27, 80)]).unwrap();
        assert_eq!((tile.x_px, tile.y_px), (7, 40));
        assert_eq!(tile.places, [GridPlace { row: 2, col: 3 }, GridPlace { row: 4, col: 2 }]);
        assert!(tile.places.iter().all(|at| at.row.max(at.col) + 2 < tiles.grid()));
        assert_eq!(tiles.tile_around(&[]), None);
    }

    #[test]
    fn a_block_has_the_fewest_parts_that_fit() {
        let whole = DenseTiles::new(224, 16, 0, 896, |_| true);
        assert_eq!((whole.windows, whole.side_px()), (56, 1104));
        let halves = DenseTiles::new(224, 16, 20, 896, |grid| grid <= 32);
        assert_eq!((halves.windows, halves.margin, halves.grid()), (28, 2, 32));
        let hopeless = DenseTiles::new(224, 16, 20, 896, |_| false);
        assert_eq!((hopeless.windows, hopeless.side_px()), (1, 4 * 16 + 224));
    }
}
