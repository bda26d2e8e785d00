//! The tiles of a slide.

use ndarray::{ArrayBase, Data, Ix2};

/// Number of tiles of a slide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TileGrid {
    /// Rows of tiles.
    pub rows: usize,
    /// Columns of tiles.
    pub cols: usize,
}

impl TileGrid {
    /// The tiles of a mask, `[tile row, tile col]`.
    pub(super) fn from_mask<S: Data>(mask: &ArrayBase<S, Ix2>) -> Self {
        let (rows, cols) = mask.dim();
        Self { rows, cols }
    }

    pub(super) fn shape(self) -> [usize; 2] {
        [self.rows, self.cols]
    }
}
