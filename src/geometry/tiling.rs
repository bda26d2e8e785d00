//! The sizes that cut a working plane into patches: tile, block, window and halo.

use thiserror::Error;

/// Why sizes do not make a tiling.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum TilingError {
    /// A size is zero.
    #[error("{name} is 0, expected at least 1")]
    Zero {
        /// The configuration key.
        name: &'static str,
    },
    /// A patch would be too large to address.
    #[error(
        "a block of {block_tiles} tiles of {tile_px} px with a window of {window_px} px makes patches of {patch_px} px, expected at most {limit} px: use a smaller block"
    )]
    TooLarge {
        /// Tiles along a block's side.
        block_tiles: u32,
        /// Tile side.
        tile_px: u32,
        /// Window side.
        window_px: u32,
        /// Resulting patch side.
        patch_px: u64,
        /// Largest patch side.
        limit: u64,
    },
}

/// Largest patch side, px: the bytes of such a patch still fit a signed 32-bit count.
const PATCH_LIMIT_PX: u64 = 26_754;

/// Tile, block, window and margin of a run, and the sizes that follow from them.
///
/// A block is `block_tiles` x `block_tiles` tiles. Tiles and blocks are aligned to the
/// plane's origin. A patch is a block and `halo_px` more on each side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tiling {
    tile_px: u32,
    block_tiles: u32,
    window_px: u32,
    margin_px: u32,
}

impl Tiling {
    /// Checks the three sizes and makes a tiling without a margin.
    ///
    /// # Errors
    /// [`TilingError`] when one is zero, or patches would be larger than can be addressed.
    pub fn new(tile_px: u32, block_tiles: u32, window_px: u32) -> Result<Self, TilingError> {
        for (name, value) in [("tile", tile_px), ("block", block_tiles), ("window", window_px)] {
            if value == 0 {
                return Err(TilingError::Zero { name });
            }
        }
        let tiling = Self { tile_px, block_tiles, window_px, margin_px: 0 };
        tiling.with_margin(0)
    }

    /// The same tiling with a halo of half a window plus `margin_px`, as a dense run over
    /// the patch needs.
    ///
    /// # Errors
    /// [`TilingError`] when patches would be larger than can be addressed.
    pub fn with_margin(self, margin_px: u32) -> Result<Self, TilingError> {
        let Self { tile_px, block_tiles, window_px, .. } = self;
        let patch_px = u64::from(tile_px) * u64::from(block_tiles)
            + 2 * u64::from(window_px.div_ceil(2))
            + 2 * u64::from(margin_px);
        if patch_px > PATCH_LIMIT_PX {
            return Err(TilingError::TooLarge {
                block_tiles,
                tile_px,
                window_px,
                patch_px,
                limit: PATCH_LIMIT_PX,
            });
        }
        Ok(Self { margin_px, ..self })
    }

    /// Side of a tile, working px.
    pub fn tile_px(&self) -> u32 {
        self.tile_px
    }

    /// Tiles along a block's side.
    pub fn block_tiles(&self) -> u32 {
        self.block_tiles
    }

    /// Side of the network's window, working px.
    pub fn window_px(&self) -> u32 {
        self.window_px
    }

    /// Side of a block, working px.
    pub fn block_px(&self) -> u32 {
        self.tile_px * self.block_tiles
    }

    /// Width of the halo, px: what a patch has beyond its block on each side. Half a window,
    /// rounded up, and the margin.
    pub fn halo_px(&self) -> u32 {
        self.window_px.div_ceil(2) + self.margin_px
    }

    /// Where the window of the block's first pixel begins, px from the patch's edge.
    ///
    /// The window of the pixel x covers `[x - floor(w/2), x - floor(w/2) + w)`, so an odd window
    /// begins one pixel after the margin.
    pub fn first_window_px(&self) -> u32 {
        self.halo_px() - self.window_px / 2
    }

    /// The part of the halo beyond half a window, px.
    pub fn margin_px(&self) -> u32 {
        self.margin_px
    }

    /// Side of a patch, working px: `P = B * tile + 2 * halo`.
    pub fn patch_px(&self) -> u32 {
        self.block_px() + 2 * self.halo_px()
    }

    /// Bytes of a patch's RGB pixels.
    pub fn patch_bytes(&self) -> u64 {
        u64::from(self.patch_px()).pow(2) * 3
    }

    /// Tiles needed to cover `width_px` x `height_px`: (columns, rows). Tiles that reach
    /// beyond the right or bottom edge count.
    pub fn grid(&self, width_px: u32, height_px: u32) -> (u32, u32) {
        (width_px.div_ceil(self.tile_px), height_px.div_ceil(self.tile_px))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_tile_blocks_give_the_papers_patches() {
        let paper = Tiling::new(224, 1, 224).unwrap();
        assert_eq!(paper.patch_px(), 448);
        assert_eq!(paper.patch_bytes(), 602_112);
        assert_eq!(Tiling::new(224, 4, 224).unwrap().patch_px(), 1120);
    }

    #[test]
    fn odd_windows_begin_half_a_window_rounded_down_before_their_pixel() {
        let odd = Tiling::new(224, 4, 299).unwrap().with_margin(7).unwrap();
        assert_eq!((odd.halo_px(), odd.first_window_px(), odd.patch_px()), (157, 8, 1210));
        let even = Tiling::new(224, 4, 298).unwrap();
        assert_eq!((even.halo_px(), even.first_window_px()), (149, 0));
    }

    #[test]
    fn zero_sizes_and_oversized_patches_are_refused() {
        assert_eq!(Tiling::new(0, 1, 224), Err(TilingError::Zero { name: "tile" }));
        assert!(matches!(Tiling::new(224, 1000, 224), Err(TilingError::TooLarge { .. })));
    }

    #[test]
    fn a_margin_widens_the_halo() {
        let tiling = Tiling::new(224, 4, 224).unwrap().with_margin(30).unwrap();
        assert_eq!((tiling.halo_px(), tiling.patch_px(), tiling.margin_px()), (142, 1180, 30));
        let far = Tiling::new(224, 4, 224).unwrap().with_margin(13_000);
        assert!(matches!(far, Err(TilingError::TooLarge { .. })));
    }

    #[test]
    fn tiles_that_reach_beyond_the_edge_count() {
        let tiling = Tiling::new(224, 4, 224).unwrap();
        assert_eq!(tiling.grid(448, 449), (2, 3));
        assert_eq!(tiling.grid(1, 0), (1, 0));
    }
}
