//! Finds directories of a TIFF that cannot be true, before a library believes them.
//!
//! Libraries allocate what a directory states. GLib, which OpenSlide uses, ends the program when a
//! tile is said to have more bytes than there is memory, and a level that is said to be millions
//! of pixels wide is read for hours.

use std::fs::File;
use std::io;

use super::tiff_file::{
    HEIGHT, PLANAR, SAMPLES_PER_PIXEL, STRIP_BYTES, TILE_BYTES, TILE_HEIGHT, TILE_OFFSETS,
    TILE_WIDTH, Tiff, TiffTag, WIDTH,
};

/// Largest number of pixels of a tile, that of 8192 x 8192. Readers hold whole tiles at 4 bytes
/// per pixel, and OpenSlide ends the process if it cannot.
const MAX_TILE_PX: u64 = 1 << 26;

/// What the first directory that cannot be true states, and what would be true, as a clause for a
/// message. `None` for a file of which all directories can be true, or that this parser does not
/// understand.
pub(super) fn impossible(file: &File) -> Option<String> {
    let (tiff, first) = Tiff::open(file).ok()?;
    let len = file.metadata().ok()?.len();
    let directories = tiff.directories(first).ok()?;
    directories.iter().enumerate().find_map(|(number, entries)| {
        let found = directory(&tiff, entries, len).ok()??;
        Some(format!("its directory {} states {found}", number + 1))
    })
}

fn directory(tiff: &Tiff<'_>, entries: &[TiffTag], len: u64) -> io::Result<Option<String>> {
    let number = |tag| Ok::<_, io::Error>(tiff.numbers(entries, tag)?.first().copied());
    // The size of tiles is checked first: the other tags may be unreadable.
    let tile_px = number(TILE_WIDTH)?.zip(number(TILE_HEIGHT)?);
    if let Some((width, height)) = tile_px
        && width.saturating_mul(height) > MAX_TILE_PX
    {
        return Ok(Some(format!("tiles of {width} x {height} px, expected at most 8192 x 8192")));
    }
    for (tag, what) in [(TILE_BYTES, "tile"), (STRIP_BYTES, "strip")] {
        let counts = tiff.numbers(entries, tag)?;
        if let Some(index) = counts.iter().position(|count| *count > len) {
            let count = counts[index];
            return Ok(Some(format!(
                "{count} bytes for {what} {}, expected fewer than the file has, {len}",
                index + 1
            )));
        }
    }
    let Some((tile_width, tile_height)) = tile_px else { return Ok(None) };
    let (width, height) = (number(WIDTH)?.unwrap_or(0), number(HEIGHT)?.unwrap_or(0));
    if tile_width == 0 || tile_height == 0 {
        return Ok(None);
    }
    let is_planar = number(PLANAR)? == Some(2);
    let planes = if is_planar { number(SAMPLES_PER_PIXEL)?.unwrap_or(1) } else { 1 };
    let tiles = width.div_ceil(tile_width).saturating_mul(height.div_ceil(tile_height));
    let expected = tiles.saturating_mul(planes);
    for (tag, what) in [(TILE_OFFSETS, "positions"), (TILE_BYTES, "lengths")] {
        let found = tiff.count(entries, tag);
        if let Some(found) = found.filter(|found| *found < expected) {
            return Ok(Some(format!(
                "{width} x {height} px in tiles of {tile_width} x {tile_height} px and {found} {what} of tiles, expected {expected}"
            )));
        }
    }
    Ok(None)
}
