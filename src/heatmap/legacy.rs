//! Results of the original HPC_DPAI code, placed on the whole-slide lattice.
//!
//! That code works on level 0 in tiles of 224 px with k = 224 / stride cells along the side of
//! a tile, and its maps cover only the bounding box of the tissue. Cell (R, C) of such a map
//! is the window centred at the level-0 pixel
//! `x = xmin * 224 + C * stride`, `y = ymin * 224 + R * stride`, which is exactly the lattice
//! point `(ymin * k + R, xmin * k + C)`.
//!
//! The original silently moves patches at the slide's edges inwards: those of tile column or
//! row 0 by 112 px, those at the right and bottom edge by as much as they reach beyond the
//! slide. The true places of their scores therefore lie further inside than the map shows, at
//! the left and top by up to 112 px. This module places the scores where the original does.

use ndarray::{ArrayView2, s};
use thiserror::Error;

use super::Heatmap;

/// Side of a tile of the original code, level-0 px.
pub(crate) const LEGACY_TILE_PX: u32 = 224;

/// Why a result is not one of the original code.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum LegacyError {
    /// The `dimensions` array does not describe a bounding box.
    #[error(
        "dimensions array {found:?}: expected 9 integers [rows, cols, 3, xmin, xmax, ymin, ymax, n_rows, n_cols] with the box inside the thumbnail ({why})"
    )]
    Dimensions {
        /// The integers of the array.
        found: Vec<i64>,
        /// The rule that they break.
        why: &'static str,
    },
    /// The heatmap is not a whole number of cells per tile.
    #[error(
        "the heatmap has {rows} x {cols} cells over {n_rows} x {n_cols} tiles; expected the same number of cells, a divisor of 224, for every tile: is this another slide's dimensions file?"
    )]
    Cells {
        /// Rows of the heatmap.
        rows: usize,
        /// Columns of the heatmap.
        cols: usize,
        /// Tile rows of the box.
        n_rows: usize,
        /// Tile columns of the box.
        n_cols: usize,
    },
}

/// The `dimensions` array of 9 integers: the place of the tissue's bounding box, in tiles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LegacyDimensions {
    /// Rows of the thumbnail, which are the slide's rows of tiles.
    pub thumb_rows: usize,
    /// Columns of the thumbnail, which are the slide's columns of tiles.
    pub thumb_cols: usize,
    /// First tile column of the box.
    pub xmin: usize,
    /// First tile row of the box.
    pub ymin: usize,
    /// Tile rows of the box.
    pub n_rows: usize,
    /// Tile columns of the box.
    pub n_cols: usize,
}

impl LegacyDimensions {
    /// Reads `[thumb_rows, thumb_cols, 3, xmin, xmax, ymin, ymax, n_rows, n_cols]`.
    ///
    /// # Errors
    /// [`LegacyError::Dimensions`] for another length or an impossible box.
    pub(crate) fn parse(values: &[i64]) -> Result<Self, LegacyError> {
        let fail = |why| LegacyError::Dimensions { found: values.to_vec(), why };
        let sizes: Result<Vec<usize>, _> = values.iter().map(|&v| usize::try_from(v)).collect();
        let sizes = sizes.map_err(|_| fail("none may be negative"))?;
        let &[thumb_rows, thumb_cols, channels, xmin, xmax, ymin, ymax, n_rows, n_cols] =
            sizes.as_slice()
        else {
            return Err(fail("there must be 9"));
        };
        if channels != 3 {
            return Err(fail("the third must be 3"));
        }
        // `xmax` and `ymax` are inclusive, unless the box is cut at the edge.
        let spans = |min: usize, max: usize, n: usize| {
            max.checked_sub(min).is_some_and(|span| n == span || n == span + 1)
        };
        if !spans(xmin, xmax, n_cols) || !spans(ymin, ymax, n_rows) {
            return Err(fail("n_rows and n_cols must be those of the box"));
        }
        let inside = |min: usize, n: usize, all| min.checked_add(n).is_some_and(|end| end <= all);
        if !inside(ymin, n_rows, thumb_rows) || !inside(xmin, n_cols, thumb_cols) {
            return Err(fail("the box must lie in the thumbnail"));
        }
        Ok(Self { thumb_rows, thumb_cols, xmin, ymin, n_rows, n_cols })
    }
}

/// A heatmap of the original code on the whole-slide lattice.
#[derive(Debug, Clone)]
pub(crate) struct PlacedHeatmap {
    /// The map; cells of tiles without tissue are NaN.
    pub heatmap: Heatmap,
    /// Number of scored cells whose pixel lies outside the slide, which the map cannot hold.
    /// They occur because the original's tile grid may be rounded up. Report the number if it
    /// is not 0.
    pub cells_outside: usize,
}

/// Places a heatmap of the original code on the lattice of the slide.
///
/// `cells` is `[n_rows * k, n_cols * k]`, as `np.load` gives it. A tile whose cells are all
/// exactly 0 has no tissue. `width_px` and `height_px` are the slide's size at level 0. The
/// result has stride 224 / k.
///
/// # Errors
/// [`LegacyError::Cells`] if the map does not fit its dimensions.
pub(crate) fn place(
    cells: ArrayView2<'_, f32>,
    dimensions: &LegacyDimensions,
    width_px: u32,
    height_px: u32,
) -> Result<PlacedHeatmap, LegacyError> {
    let (rows, cols) = cells.dim();
    let (n_rows, n_cols) = (dimensions.n_rows, dimensions.n_cols);
    let per_tile = rows.checked_div(n_rows).unwrap_or(0);
    let fits = rows == n_rows * per_tile && cols == n_cols * per_tile;
    let stride_px = stride_of(per_tile).filter(|_| fits).ok_or(LegacyError::Cells {
        rows,
        cols,
        n_rows,
        n_cols,
    })?;
    let (lattice_rows, lattice_cols) =
        (height_px.div_ceil(stride_px) as usize, width_px.div_ceil(stride_px) as usize);
    let mut heatmap = Heatmap::new(lattice_rows, lattice_cols, stride_px);
    let mut cells_outside = 0;
    for (tile_row, tile_col) in ndarray::indices((n_rows, n_cols)) {
        let (top, left) = (tile_row * per_tile, tile_col * per_tile);
        let tile = cells.slice(s![top..top + per_tile, left..left + per_tile]);
        if tile.iter().all(|&score| score == 0.0) {
            continue;
        }
        for ((dy, dx), &score) in tile.indexed_iter() {
            let row = dimensions.ymin * per_tile + top + dy;
            let col = dimensions.xmin * per_tile + left + dx;
            match heatmap.score.get_mut((row, col)) {
                Some(slot) => *slot = score,
                None => cells_outside += 1,
            }
        }
    }
    Ok(PlacedHeatmap { heatmap, cells_outside })
}

/// The stride of `per_tile` cells along the side of a tile, if that stride is whole.
///
/// The original accepts other strides, but its two programs then disagree about the number of
/// cells, and their maps cannot be trusted.
fn stride_of(per_tile: usize) -> Option<u32> {
    let per_tile = u32::try_from(per_tile).ok().filter(|&k| k > 0)?;
    LEGACY_TILE_PX.is_multiple_of(per_tile).then_some(LEGACY_TILE_PX / per_tile)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;

    /// The arrays that the original ships for tumor_026 and tumor_091.
    const TUMOR_026: [i64; 9] = [985, 434, 3, 42, 424, 57, 927, 871, 383];
    const TUMOR_091: [i64; 9] = [240, 274, 3, 46, 274, 30, 240, 210, 228];

    #[test]
    fn dimensions_of_the_original_are_read() {
        let dimensions = LegacyDimensions::parse(&TUMOR_026).unwrap();
        assert_eq!((dimensions.xmin, dimensions.ymin), (42, 57));
        assert_eq!((dimensions.n_rows, dimensions.n_cols), (871, 383));
        let cut = LegacyDimensions::parse(&TUMOR_091).unwrap();
        assert_eq!((cut.n_rows, cut.n_cols), (210, 228));
    }

    #[test]
    fn errors_name_the_rule_that_dimensions_break() {
        let fail = |edit: &dyn Fn(&mut Vec<i64>)| {
            let mut values = TUMOR_026.to_vec();
            edit(&mut values);
            LegacyDimensions::parse(&values).unwrap_err().to_string()
        };
        assert!(fail(&|v| v.truncate(7)).contains("there must be 9"));
        assert!(fail(&|v| v[2] = 4).contains("third"));
        assert!(fail(&|v| v[3] = -1).contains("negative"));
        assert!(fail(&|v| v[7] = 12).contains("n_rows"));
        assert!(fail(&|v| v[4] = 3).contains("n_cols"));
        assert!(fail(&|v| v[0] = 900).contains("in the thumbnail"));
    }

    /// A slide of 6 x 5 tiles with a box of 3 x 2 tiles at tile (col 2, row 1), k = 2.
    fn small() -> (LegacyDimensions, Array2<f32>) {
        let dimensions = LegacyDimensions::parse(&[6, 5, 3, 2, 3, 1, 3, 3, 2]).unwrap();
        let mut cells = Array2::zeros((6, 4));
        cells.slice_mut(s![2..4, 0..2]).assign(&ndarray::arr2(&[[0.5, 0.0], [0.25, 1.0]]));
        (dimensions, cells)
    }

    #[test]
    fn a_cell_is_placed_at_its_pixel() {
        let (dimensions, cells) = small();
        let placed = place(cells.view(), &dimensions, 5 * 224 + 100, 6 * 224 + 1).unwrap();
        let map = &placed.heatmap;
        assert_eq!((map.stride_px, map.score.dim()), (112, (13, 11)));
        // Tile (row 1, col 0) of the box is tile (row 2, col 2) of the slide; k is 2.
        assert_eq!(map.score[[4, 4]], 0.5);
        assert_eq!(map.score[[4, 5]], 0.0);
        assert_eq!(map.score[[5, 5]], 1.0);
        assert_eq!((map.scored(), placed.cells_outside), (4, 0));
    }

    #[test]
    fn cells_beyond_the_slide_are_counted() {
        let (dimensions, cells) = small();
        let placed = place(cells.view(), &dimensions, 5 * 112, 6 * 224).unwrap();
        assert_eq!((placed.heatmap.scored(), placed.cells_outside), (2, 2));
    }

    #[test]
    fn maps_of_another_size_are_refused() {
        let (dimensions, _) = small();
        for shape in [(6, 5), (7, 4), (0, 0), (3 * 9, 2 * 9)] {
            let cells = Array2::zeros(shape);
            let error = place(cells.view(), &dimensions, 1120, 1344).unwrap_err();
            assert!(error.to_string().contains("3 x 2 tiles"), "{shape:?}");
        }
    }
}
