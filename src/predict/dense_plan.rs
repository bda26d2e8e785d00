//! Chooses how many workers run a dense network, and the size of their images. Pure.

use crate::geometry::dense_tiles::DenseTiles;

/// The sizes of a network and of the patches that it runs over.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sizes {
    pub(super) window_px: u32,
    pub(super) stride_px: u32,
    pub(super) reach_px: u32,
    pub(super) block_px: u32,
    pub(super) tile_px: u32,
}

/// The margin around the windows of an image of one tile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TileMargin {
    /// As wide as the network's reach, so that scores are those of whole patches.
    Reach,
    /// No margin: scores near the border of the image differ a little from those of whole patches,
    /// and an image takes a fraction of the time.
    None,
}

impl Sizes {
    /// Images of one tissue tile, as the calibration takes them.
    pub(super) fn one_tile(self, margin: TileMargin) -> DenseTiles {
        let reach_px = match margin {
            TileMargin::Reach => self.reach_px,
            TileMargin::None => 0,
        };
        DenseTiles::new(self.window_px, self.stride_px, reach_px, self.tile_px, |_| true)
    }
}

/// The number of workers and the images that they run over.
#[derive(Debug, Clone, Copy)]
pub(super) struct Planned {
    pub(super) workers: usize,
    pub(super) tiles: DenseTiles,
}

/// Chooses at most `threads` workers and their images so that the most points are scored per
/// unit of time, while the maps of all workers together take at most `most_bytes`. Small images
/// have more margin for their area, few workers leave cores idle. The time of an image is taken
/// as proportional to its area.
///
/// `map_bytes` returns the bytes of the maps of an image with that many outputs along a side.
///
/// # Errors
/// The bytes that the image of one tissue tile takes, if they are more than `most_bytes`.
pub(super) fn plan(
    sizes: Sizes,
    threads: usize,
    most_bytes: u64,
    map_bytes: impl Fn(u32) -> u64,
) -> Result<Planned, u64> {
    let tile_bytes = map_bytes(sizes.one_tile(TileMargin::Reach).grid());
    if tile_bytes > most_bytes {
        return Err(tile_bytes);
    }
    let candidates = (1..=threads.max(1)).rev().filter_map(|workers| {
        let fits = |grid: u32| map_bytes(grid) <= most_bytes / workers as u64;
        let Sizes { window_px, stride_px, reach_px, block_px, .. } = sizes;
        let tiles = DenseTiles::new(window_px, stride_px, reach_px, block_px, fits);
        fits(tiles.grid()).then_some(Planned { workers, tiles })
    });
    let points = |Planned { workers, tiles }: Planned| {
        let used = f64::from(tiles.grid() - 2 * tiles.margin());
        workers as f64 * (used / f64::from(tiles.side_px())).powi(2)
    };
    // Ties go to the larger number of workers.
    let best =
        candidates.reduce(|best, next| if points(next) > points(best) { next } else { best });
    best.ok_or(tile_bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SIZES: Sizes =
        Sizes { window_px: 224, stride_px: 16, reach_px: 180, block_px: 1792, tile_px: 224 };

    /// Like GoogLeNet: 430 MB for 136 outputs.
    fn map_bytes(grid: u32) -> u64 {
        let side_px = u64::from((grid - 1) * 16 + 224);
        75 * side_px * side_px
    }

    #[test]
    fn one_worker_takes_whole_patches_and_two_take_quarters() {
        let workers_and_side_px = |threads| {
            let Planned { workers, tiles } = plan(SIZES, threads, 450_000_000, map_bytes).unwrap();
            (workers, tiles.side_px())
        };
        assert_eq!(workers_and_side_px(1), (1, 2384));
        assert_eq!(workers_and_side_px(2), (2, 1488));
    }

    #[test]
    fn many_threads_do_not_cut_images_to_nothing_but_margin() {
        // 64 workers would have 7 MB each: not one window with its margin.
        let Planned { workers, tiles } = plan(SIZES, 64, 450_000_000, map_bytes).unwrap();
        assert!(workers > 2 && tiles.grid() > 4 * tiles.margin(), "{workers} {tiles:?}");
        assert!(map_bytes(tiles.grid()) * workers as u64 <= 450_000_000);
    }

    #[test]
    fn the_error_holds_what_one_tile_needs() {
        let far = Sizes { reach_px: 1279, ..SIZES };
        assert_eq!(plan(far, 1, 450_000_000, map_bytes).unwrap_err(), map_bytes(14 + 2 * 80));
    }

    proptest! {
        #[test]
        fn maps_of_all_workers_fit(
            threads in 1usize..200, reach_px in 0u32..1500, blocks in 1u32..12, most_mb in 1u64..2000,
        ) {
            let sizes = Sizes { reach_px, block_px: 224 * blocks, ..SIZES };
            let most = most_mb * 1_000_000;
            match plan(sizes, threads, most, map_bytes) {
                Ok(Planned { workers, tiles }) => {
                    prop_assert!((1..=threads).contains(&workers));
                    prop_assert!(map_bytes(tiles.grid()) * workers as u64 <= most);
                }
                Err(needed) => prop_assert!(needed > most),
            }
        }
    }
}
