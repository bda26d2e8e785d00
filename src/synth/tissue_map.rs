//! Makes the tissue map of a slide, which is written beside the truth.
//!
//! A pixel of the map is a square of 16 x 16 level-0 px, here called a block. Depth in the
//! tissue and fat are computed at the corners of the blocks and interpolated between them,
//! in the same way as for drawing. The map therefore agrees with the drawn slide without
//! reading any of its pixels.

use image::GrayImage;
use rayon::ThreadPool;
use rayon::prelude::*;

use super::noise::lerp;
use super::render::{STEP, Scene};

/// Value of a block of which less than half lies in tissue.
pub(super) const GLASS_VALUE: u8 = 0;
/// Value of a block of tissue of which at least half is fat, which is white except for thin
/// walls.
pub(super) const FAT_VALUE: u8 = 128;
/// Value of any other block of tissue.
pub(super) const TISSUE_VALUE: u8 = 255;

/// Number of blocks along the side of the squares in which a band is drawn, and in the height
/// of a band. Threads draw one band at a time.
const SQUARE: usize = 32;

/// The map of `scene`, `width_px` x `height_px` px at level 0: `ceil(width_px / 16)` x
/// `ceil(height_px / 16)` pixels of [`GLASS_VALUE`], [`FAT_VALUE`] or [`TISSUE_VALUE`].
/// Of a block at the right or bottom edge, only the part on the slide counts. The map does not
/// depend on the number of threads in `pool`.
pub(super) fn draw(scene: &Scene, width_px: u32, height_px: u32, pool: &ThreadPool) -> GrayImage {
    let size = SlideExtent { width: width_px as usize, height: height_px as usize };
    let (columns, rows) = (size.width.div_ceil(STEP), size.height.div_ceil(STEP));
    let mut pixels = vec![GLASS_VALUE; columns * rows];
    pool.install(|| {
        let bands = pixels.par_chunks_mut(SQUARE * columns).with_max_len(1).enumerate();
        bands.for_each(|(band, pixels)| {
            let top = band * SQUARE;
            for left in (0..columns).step_by(SQUARE) {
                square(scene, left, top, size, pixels);
            }
        });
    });
    let side = |blocks: usize| u32::try_from(blocks).expect("a slide has fewer than 2^32 blocks");
    GrayImage::from_raw(side(columns), side(rows), pixels).expect("one pixel per block")
}

/// A size in px.
#[derive(Debug, Clone, Copy)]
struct SlideExtent {
    width: usize,
    height: usize,
}

/// What is known of a corner of blocks.
#[derive(Debug, Clone, Copy)]
struct BlockCorner {
    /// Depth in the tissue, negative outside.
    depth_um: f32,
    /// Fat, 0 to 1.
    fat: f32,
}

/// Draws the square whose first block is (`left`, `top`) into its band of the map.
fn square(scene: &Scene, left: usize, top: usize, slide: SlideExtent, band: &mut [u8]) {
    let columns = slide.width.div_ceil(STEP);
    if scene.is_clear(left * STEP, top * STEP, SQUARE * STEP) {
        return;
    }
    let across = SQUARE.min(columns - left);
    let corner = |column: usize, row: usize| {
        let (depth_um, fat) = scene.cover(column * STEP, row * STEP);
        BlockCorner { depth_um, fat }
    };
    let line = |row: usize| (left..=left + across).map(|column| corner(column, row)).collect();
    let mut north: Vec<BlockCorner> = line(top);
    for (below, blocks) in band.chunks_mut(columns).enumerate() {
        let row = top + below;
        let south: Vec<BlockCorner> = line(row + 1);
        for at in 0..across {
            let size = SlideExtent {
                width: STEP.min(slide.width - (left + at) * STEP),
                height: STEP.min(slide.height - row * STEP),
            };
            let corners = [north[at], north[at + 1], south[at], south[at + 1]];
            blocks[left + at] = block(corners, size);
        }
        north = south;
    }
}

/// The value of a block, from its corners north-west, north-east, south-west and south-east,
/// and from the size of what of it lies on the slide.
fn block(corners: [BlockCorner; 4], SlideExtent { width, height }: SlideExtent) -> u8 {
    if corners.iter().all(|corner| corner.depth_um < 0.0) {
        return GLASS_VALUE;
    }
    let [nw, ne, sw, se] = corners;
    let (mut tissue, mut fat) = (0, 0);
    for y in 0..height {
        let ty = y as f32 / STEP as f32;
        let between = |north: BlockCorner, south: BlockCorner| BlockCorner {
            depth_um: lerp(north.depth_um, south.depth_um, ty),
            fat: lerp(north.fat, south.fat, ty),
        };
        let (west, east) = (between(nw, sw), between(ne, se));
        for x in 0..width {
            let tx = x as f32 / STEP as f32;
            if lerp(west.depth_um, east.depth_um, tx) >= 0.0 {
                tissue += 1;
                fat += usize::from(lerp(west.fat, east.fat, tx) >= 0.5);
            }
        }
    }
    match () {
        () if 2 * tissue < width * height => GLASS_VALUE,
        () if 2 * fat >= tissue => FAT_VALUE,
        () => TISSUE_VALUE,
    }
}

#[cfg(test)]
mod tests {
    use super::super::anatomy::field::{DEPTH, FAT, PEN, TUMOR};
    use super::*;

    #[test]
    fn a_block_is_tissue_from_half_its_pixels_on() {
        // Depth rises by 1 per px from west to east; px `x` is tissue if `x >= -start`.
        let size = |width, height| SlideExtent { width, height };
        let rising = |start: f32, fat: f32| {
            let corner = |depth_um| BlockCorner { depth_um, fat };
            let (west, east) = (corner(start), corner(start + 16.0));
            [west, east, west, east]
        };
        assert_eq!(block(rising(-8.0, 0.0), size(16, 16)), TISSUE_VALUE);
        assert_eq!(block(rising(-9.0, 0.0), size(16, 16)), GLASS_VALUE);
        assert_eq!(block(rising(-8.0, 0.5), size(16, 16)), FAT_VALUE);
        assert_eq!(block(rising(-9.0, 1.0), size(16, 16)), GLASS_VALUE);
        // The slide ends after 8 px, of which four are tissue.
        assert_eq!(block(rising(-4.0, 0.0), size(8, 16)), TISSUE_VALUE);
        assert_eq!(block(rising(-5.0, 0.0), size(8, 3)), GLASS_VALUE);
    }

    #[test]
    fn the_map_agrees_with_the_drawing_and_a_pen_is_not_tissue() {
        let pool = crate::threads::pool(1);
        let (mut strokes, mut fat, mut lesions) = (0, 0, 0);
        for seed in 0..30 {
            let scene = Scene::new(seed, 3000, 3000, 0.5, true);
            let map = draw(&scene, 3000, 3000, &pool);
            for (column, row, pixel) in map.enumerate_pixels() {
                let (x, y) = (column as f32 * 8.0, row as f32 * 8.0);
                let site = scene.anatomy.site(x, y);
                let cover = scene.cover(column as usize * STEP, row as usize * STEP);
                assert_eq!((site[DEPTH], site[FAT]), cover, "seed {seed} at {x}, {y}");
                fat += u32::from(site[FAT] > 0.5);
                lesions += u32::from(site[TUMOR] > 0.0);
                if site[PEN] > 5.0 && site[DEPTH] < -20.0 {
                    strokes += 1;
                    assert_eq!(pixel.0, [GLASS_VALUE]);
                }
            }
        }
        let all = (strokes, fat, lesions);
        assert!(strokes > 100 && fat > 10_000 && lesions > 1000, "{all:?}");
    }
}
