//! Checks that a level decoded by libturbojpeg has the pixels that OpenSlide returns.

use super::level::TileLevel;
use super::tiled_slide::TiledJpegSlide;
use crate::slide::{Region, Slide};

/// Whether sample tiles of a level equal OpenSlide's pixels bit for bit. Tiles that
/// libturbojpeg cannot decode do not count; at least one tile must have been compared.
pub(super) fn agrees(slide: &TiledJpegSlide, index: usize) -> bool {
    let Some(tiles) = &slide.levels[index] else { return false };
    let verdicts: Vec<bool> = samples(tiles)
        .into_iter()
        .filter_map(|(column, row)| tile_agrees(slide, tiles, index, column, row))
        .collect();
    !verdicts.is_empty() && verdicts.iter().all(|same| *same)
}

/// (column, row) of the sample tiles: the first, the middle, the last and the largest
/// stored tile, and the last ones at the right and at the bottom edge. The largest tile has
/// the most detail; plain glass has the same pixels however it is decoded.
fn samples(tiles: &TileLevel) -> Vec<(u32, u32)> {
    let [columns, rows] = tiles.grid();
    let bytes = |&(column, row): &(u32, u32)| tiles.bytes(tiles.number(column, row));
    let stored: Vec<(u32, u32)> = (0..rows)
        .flat_map(|row| (0..columns).map(move |column| (column, row)))
        .filter(|tile| bytes(tile) > 0)
        .collect();
    let edge = |wanted: &dyn Fn(u32, u32) -> bool| {
        stored.iter().rev().find(|&&(column, row)| wanted(column, row))
    };
    let wanted = [
        stored.first(),
        stored.get(stored.len() / 2),
        stored.last(),
        stored.iter().max_by_key(|tile| bytes(tile)),
        edge(&|column, row| column + 1 == columns && row + 1 < rows),
        edge(&|column, row| column + 1 < columns && row + 1 == rows),
    ];
    let mut found: Vec<_> = wanted.into_iter().flatten().copied().collect();
    found.sort_unstable();
    found.dedup();
    found
}

/// Whether a tile equals OpenSlide's pixels; `None` when libturbojpeg cannot decode the
/// tile, which OpenSlide then reads.
fn tile_agrees(
    slide: &TiledJpegSlide,
    tiles: &TileLevel,
    index: usize,
    column: u32,
    row: u32,
) -> Option<bool> {
    let [tile_width, tile_height] = tiles.tile_px();
    let line = 3 * tile_width as usize;
    let mut decoded = vec![0; line * tile_height as usize];
    tiles.decode(slide.turbo, &slide.file, tiles.number(column, row), &mut decoded, line)?;
    let level = slide.slide.levels()[index];
    let (x, y) = (column * tile_width, row * tile_height);
    let (width, height) =
        (tile_width.min(level.width_px - x), tile_height.min(level.height_px - y));
    let mut expected = vec![0; 3 * width as usize * height as usize];
    let region = Region::new(x.into(), y.into(), width, height);
    let read = slide.slide.read_region(index, region, &mut expected);
    let same = || {
        let lines = expected.chunks_exact(3 * width as usize);
        lines
            .zip(decoded.chunks_exact(line))
            .all(|(expected, decoded)| decoded.starts_with(expected))
    };
    Some(read.is_ok() && same())
}
