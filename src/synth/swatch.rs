//! Makes a square of nothing but tissue, with the pixels that a slide's decoder would return;
//! measurements of compression and of speed use it.

use super::anatomy::field;
use super::canvas::SIDE;
use super::pyramid;
use super::render::{Brush, Scene};

/// Side of the scene in which tissue is searched for, px.
const SCENE_PX: u32 = 20_000;

/// Resolution, um per px.
const UM_PER_PX: f32 = 0.25;

/// A square of tissue stained like H&E, `[row, col, rgb]`, of side `side_px`. The square
/// consists of tiles of 512 px that were encoded as JPEG and decoded, so that its pixels
/// compress like those of a slide.
///
/// # Panics
/// Panics when `side_px` is not a multiple of 512 or exceeds 8,192.
#[must_use]
pub(crate) fn tissue(seed: u64, side_px: usize) -> Vec<u8> {
    assert!(side_px.is_multiple_of(SIDE) && side_px <= 16 * SIDE, "{side_px} px of tissue");
    let scene = Scene::new(seed, SCENE_PX, SCENE_PX, f64::from(UM_PER_PX), true);
    let across = side_px / SIDE;
    let tiles = SCENE_PX / u32::try_from(SIDE).expect("a tile is small");
    let places = (0..tiles * tiles).map(|place| (place % tiles, place / tiles));
    let places: Vec<_> = places.filter(|&(column, row)| is_tissue(&scene, column, row)).collect();
    let (mut rgb, mut tile) = (vec![0; side_px * side_px * 3], vec![0; SIDE * SIDE * 3]);
    let mut brush = Brush::new();
    for place in 0..across * across {
        // The tiles are spread over the whole scene, because its compartments differ. A scene
        // with too few tissue tiles would repeat some.
        let Some(&(column, row)) = places.get(place * places.len() / (across * across)) else {
            continue;
        };
        scene.draw(column, row, &mut brush, &mut tile);
        let once_jpeg = pyramid::through_jpeg(&tile);
        let (left, top) = (place % across * SIDE, place / across * SIDE);
        for (y, line) in once_jpeg.chunks_exact(SIDE * 3).enumerate() {
            let at = ((top + y) * side_px + left) * 3;
            rgb[at..at + line.len()].copy_from_slice(line);
        }
    }
    rgb
}

/// Whether a tile's corners and centre lie in tissue that is not fat. Fat is nearly as empty
/// as glass.
fn is_tissue(scene: &Scene, column: u32, row: u32) -> bool {
    [(0.0, 0.0), (1.0, 0.0), (0.5, 0.5), (0.0, 1.0), (1.0, 1.0)].into_iter().all(|(dx, dy)| {
        let um = |tile: u32, part: f32| (tile as f32 + part) * SIDE as f32 * UM_PER_PX;
        let site = scene.anatomy.site(um(column, dx), um(row, dy));
        site[field::DEPTH] > 0.0 && site[field::FAT] < 0.05
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_square_is_stained_everywhere_and_no_two_of_its_tiles_are_equal() {
        let rgb = tissue(3, 2 * SIDE);
        assert_eq!(rgb, tissue(3, 2 * SIDE));
        let mean = |left: usize, top: usize, channel: usize| {
            let rows = rgb.chunks_exact(2 * SIDE * 3).skip(top).take(SIDE);
            let row = |line: &[u8]| -> u64 {
                let pixels = line.chunks_exact(3).skip(left).take(SIDE);
                pixels.map(|pixel| u64::from(pixel[channel])).sum()
            };
            rows.map(row).sum::<u64>() as f64 / (SIDE * SIDE) as f64
        };
        let mut greens = Vec::new();
        for (left, top) in [(0, 0), (SIDE, 0), (0, SIDE), (SIDE, SIDE)] {
            let [red, green, blue] = [0, 1, 2].map(|channel| mean(left, top, channel));
            assert!(green < 215.0 && green < red && green < blue, "{red} {green} {blue}");
            greens.push(green.to_bits());
        }
        greens.sort_unstable();
        greens.dedup();
        assert_eq!(greens.len(), 4);
        // Patch files of synthetic slides shrink to 0.77 of their size (docs/benchmarks.md).
        let stored = crate::patches::compress_patch(&rgb, 1).len() as f64 / rgb.len() as f64;
        assert!((0.6..0.95).contains(&stored), "{stored}");
    }
}
