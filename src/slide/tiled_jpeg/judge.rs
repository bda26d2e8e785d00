//! Whether a level decoded here is the one OpenSlide shows.

use super::TiledJpegSlide;
use super::level::TileLevel;
use crate::slide::Slide;

/// Compares sample tiles with OpenSlide's pixels, bit for bit. Tiles neither
/// reader can decode say nothing; one tile at least must be the same in both.
pub(super) fn agrees(slide: &TiledJpegSlide, index: usize) -> bool {
    let Some(tiles) = &slide.levels[index] else { return false };
    let verdicts: Vec<bool> = samples(tiles)
        .into_iter()
        .filter_map(|(column, row)| tile_agrees(slide, tiles, index, column, row))
        .collect();
    !verdicts.is_empty() && verdicts.iter().all(|same| *same)
}

/// Columns and rows of the first, the middle, the last and the largest stored
/// tile and of the last ones at the right and bottom edges. The largest shows
/// the most: plain glass is the same however it is decoded.
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

/// `None` when this reader leaves the tile to OpenSlide anyway.
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
    let mut shown = vec![0; 3 * width as usize * height as usize];
    let read = slide.slide.read_region(index, x.into(), y.into(), width, height, &mut shown);
    let same = || {
        let lines = shown.chunks_exact(3 * width as usize);
        lines.zip(decoded.chunks_exact(line)).all(|(shown, decoded)| decoded.starts_with(shown))
    };
    Some(read.is_ok() && same())
}
