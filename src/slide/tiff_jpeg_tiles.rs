//! Finds the levels of a TIFF or BigTIFF file that are grids of JPEG tiles.
//!
//! The formats are TIFF 6.0, its Technical Note 2 (JPEG, compression 7) and the BigTIFF
//! design (<http://bigtiff.org>). Anything unusual is an error, and OpenSlide alone then
//! reads the file.

use std::fs::File;
use std::io;

use super::tiff_file::{
    BITS_PER_SAMPLE, COMPRESSION, HEIGHT, JPEG_TABLES, PHOTOMETRIC, PLANAR, SAMPLES_PER_PIXEL,
    TILE_BYTES, TILE_HEIGHT, TILE_OFFSETS, TILE_WIDTH, Tiff, TiffTag, WIDTH,
};

/// The position of a tile's JPEG stream in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct StreamLocation {
    pub(super) offset: u64,
    /// Length of the stream; 0 for a tile that the scanner did not store.
    pub(super) bytes: u64,
}

/// A directory whose picture is stored in JPEG tiles: YCbCr, three interleaved samples of
/// 8 bits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TiledJpeg {
    pub(super) width_px: u32,
    pub(super) height_px: u32,
    pub(super) tile_width_px: u32,
    pub(super) tile_height_px: u32,
    /// The tiles, row by row.
    pub(super) tiles: Vec<StreamLocation>,
    /// SOI and the JPEG tables that all tiles share, which replace the SOI of each tile's
    /// stream; empty when the streams hold their own tables.
    pub(super) prefix: Vec<u8>,
}

/// All directories of the file that hold a picture in JPEG tiles.
pub(super) fn tiled_jpegs(file: &File) -> io::Result<Vec<TiledJpeg>> {
    let (tiff, first) = Tiff::open(file)?;
    let mut found = Vec::new();
    for entries in tiff.directories(first)? {
        found.extend(tiled_jpeg(&tiff, &entries)?);
    }
    Ok(found)
}

/// The tiles of a directory; `None` if they are not JPEG tiles of the supported kind.
fn tiled_jpeg(tiff: &Tiff<'_>, entries: &[TiffTag]) -> io::Result<Option<TiledJpeg>> {
    let tiled = entries.iter().any(|entry| entry.tag == TILE_OFFSETS);
    let compression = tiff.numbers(entries, COMPRESSION)?;
    let is_supported = tiled
        && compression == [7]
        && tiff.numbers(entries, BITS_PER_SAMPLE)? == [8; 3]
        && tiff.numbers(entries, PHOTOMETRIC)? == [6]
        && tiff.numbers(entries, SAMPLES_PER_PIXEL)? == [3]
        && tiff.numbers(entries, PLANAR)?.iter().all(|planar| *planar == 1);
    if !is_supported {
        return Ok(None);
    }
    let side = |tag| -> io::Result<u32> {
        let side = tiff.numbers(entries, tag)?.first().copied().unwrap_or(0);
        u32::try_from(side).map_err(io::Error::other)
    };
    let [width_px, height_px] = [side(WIDTH)?, side(HEIGHT)?];
    let [tile_width_px, tile_height_px] = [side(TILE_WIDTH)?, side(TILE_HEIGHT)?];
    let offsets = tiff.numbers(entries, TILE_OFFSETS)?;
    let counts = tiff.numbers(entries, TILE_BYTES)?;
    // JPEG allows sides of up to 65,535 px, but such tiles would fill the memory.
    let is_usual = |side: u32| (1..=8192).contains(&side);
    if !is_usual(tile_width_px) || !is_usual(tile_height_px) {
        return Ok(None);
    }
    let columns = u64::from(width_px.div_ceil(tile_width_px));
    let expected = columns * u64::from(height_px.div_ceil(tile_height_px));
    if offsets.len() as u64 != expected || counts.len() != offsets.len() {
        return Ok(None);
    }
    let location = |(&offset, &bytes)| StreamLocation { offset, bytes };
    let tiles = offsets.iter().zip(&counts).map(location).collect();
    let tables = tiff.value(entries, JPEG_TABLES)?.map(|(bytes, _)| bytes);
    let prefix = match tables {
        None => Vec::new(),
        Some(tables) if tables.starts_with(&SOI) => {
            tables.strip_suffix(&EOI).unwrap_or(&tables).to_vec()
        }
        Some(_) => return Ok(None),
    };
    let found = TiledJpeg { width_px, height_px, tile_width_px, tile_height_px, tiles, prefix };
    Ok(Some(found))
}

/// Marker at the start of a JPEG stream.
pub(super) const SOI: [u8; 2] = [0xFF, 0xD8];
/// Marker at the end of a JPEG stream.
const EOI: [u8; 2] = [0xFF, 0xD9];

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    /// A file of one tile of 16 px with shared tables, as TIFF or BigTIFF in either byte
    /// order. `next` is the offset of the next directory.
    fn file(big: bool, big_endian: bool, next: u64) -> File {
        let put = |value: u64, size: usize| {
            let bytes = value.to_le_bytes()[..size].to_vec();
            if big_endian { bytes.into_iter().rev().collect() } else { bytes }
        };
        let link = if big { 8 } else { 4 };
        let mut bytes: Vec<u8> = if big_endian { b"MM".to_vec() } else { b"II".to_vec() };
        bytes.extend(put(if big { 43 } else { 42 }, 2));
        if big {
            bytes.extend([put(8, 2), put(0, 2)].concat());
        }
        let start = bytes.len() as u64 + link as u64;
        bytes.extend(put(start + 16, link));
        bytes.extend([put(8, 2), put(8, 2), put(8, 2)].concat()); // bits, at `start`
        bytes.extend([0xFF, 0xD8, 1, 2, 3, 4, 5, 6, 0xFF, 0xD9]); // tables
        let short = |tag, value| (tag, 3, 1, put(value, 2));
        let bits = if big { [put(8, 2), put(8, 2), put(8, 2)].concat() } else { put(start, 4) };
        let entries = [
            short(WIDTH, 15),
            short(HEIGHT, 14),
            (BITS_PER_SAMPLE, 3, 3, bits),
            short(COMPRESSION, 7),
            short(PHOTOMETRIC, 6),
            short(SAMPLES_PER_PIXEL, 3),
            short(TILE_WIDTH, 16),
            short(TILE_HEIGHT, 16),
            (TILE_OFFSETS, 4, 1, put(77, 4)),
            (TILE_BYTES, 4, 1, put(99, 4)),
            (JPEG_TABLES, 7, 10, put(start + 6, link)),
        ];
        bytes.extend(put(entries.len() as u64, if big { 8 } else { 2 }));
        for (tag, kind, count, mut value) in entries {
            value.resize(link, 0);
            bytes.extend([put(tag.into(), 2), put(kind, 2), put(count, link), value].concat());
        }
        bytes.extend(put(next, link));
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&bytes).unwrap();
        file
    }

    #[test]
    fn tiff_and_bigtiff_of_both_byte_orders_are_read() {
        for (big, big_endian) in [(false, false), (false, true), (true, false), (true, true)] {
            let found = tiled_jpegs(&file(big, big_endian, 0)).unwrap();
            let expected = TiledJpeg {
                width_px: 15,
                height_px: 14,
                tile_width_px: 16,
                tile_height_px: 16,
                tiles: vec![StreamLocation { offset: 77, bytes: 99 }],
                prefix: vec![0xFF, 0xD8, 1, 2, 3, 4, 5, 6],
            };
            assert_eq!(found, [expected], "{big} {big_endian}");
        }
    }

    #[test]
    fn circular_links_and_offsets_beyond_the_end_are_errors() {
        let first = 8 + 16;
        assert!(tiled_jpegs(&file(false, false, first)).is_err());
        assert!(tiled_jpegs(&file(false, false, 1 << 20)).is_err());
    }
}
