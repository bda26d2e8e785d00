//! Reads the directories of a TIFF or BigTIFF file, to find the levels that are grids of
//! JPEG tiles.
//!
//! The formats are TIFF 6.0, its Technical Note 2 (JPEG, compression 7) and the BigTIFF
//! design (<http://bigtiff.org>). Anything unusual is an error, and OpenSlide alone then
//! reads the file.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// Largest number of directories. No slide has more, so more mean that the links run in a
/// circle.
const MAX_DIRECTORIES: usize = 1000;

/// Largest number of entries of a directory, twenty times what slides have.
const MAX_ENTRIES: u64 = 4096;

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
    let (tiff, mut at) = Tiff::open(file)?;
    let mut found = Vec::new();
    let mut read = 0;
    while at != 0 {
        read += 1;
        if read > MAX_DIRECTORIES {
            return Err(invalid("the links between directories run in a circle"));
        }
        let (entries, next) = tiff.entries(at)?;
        found.extend(tiff.tiled_jpeg(&entries)?);
        at = next;
    }
    Ok(found)
}

/// The ICC profile (tag 34675) of the first directory that has one.
pub(in crate::slide) fn icc_profile(file: &File) -> io::Result<Option<Vec<u8>>> {
    let (tiff, mut at) = Tiff::open(file)?;
    for _ in 0..MAX_DIRECTORIES {
        if at == 0 {
            break;
        }
        let (entries, next) = tiff.entries(at)?;
        if let Some((profile, 1)) = tiff.value(&entries, ICC_PROFILE)? {
            return Ok(Some(profile).filter(|profile| !profile.is_empty()));
        }
        at = next;
    }
    Ok(None)
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// A tag with its type and count; `value` is the stored field, which holds the value or its
/// offset.
struct Entry {
    tag: u16,
    kind: u16,
    count: u64,
    value: Vec<u8>,
}

struct Tiff<'a> {
    file: &'a File,
    len: u64,
    big_endian: bool,
    big: bool,
}

impl<'a> Tiff<'a> {
    /// Reads the header, and returns the offset of the first directory too.
    fn open(file: &'a File) -> io::Result<(Self, u64)> {
        let mut head = [0; 16];
        file.read_exact_at(&mut head[..8], 0)?;
        let big_endian = match &head[..2] {
            b"II" => false,
            b"MM" => true,
            _ => return Err(invalid("no TIFF header")),
        };
        let mut tiff = Self { file, len: file.metadata()?.len(), big_endian, big: false };
        match tiff.number(&head[2..4]) {
            42 => {
                let first = tiff.number(&head[4..8]);
                Ok((tiff, first))
            }
            43 => {
                tiff.big = true;
                file.read_exact_at(&mut head, 0)?;
                let first = tiff.number(&head[8..16]);
                Ok((tiff, first))
            }
            _ => Err(invalid("no TIFF header")),
        }
    }

    /// The unsigned number in up to 8 bytes.
    fn number(&self, bytes: &[u8]) -> u64 {
        let join = |number: u64, byte: &u8| number << 8 | u64::from(*byte);
        if self.big_endian { bytes.iter().fold(0, join) } else { bytes.iter().rev().fold(0, join) }
    }

    fn bytes(&self, at: u64, count: u64) -> io::Result<Vec<u8>> {
        if at.checked_add(count).is_none_or(|end| end > self.len) {
            return Err(invalid("a value lies beyond the end of the file"));
        }
        let count = usize::try_from(count).map_err(io::Error::other)?;
        let mut bytes = vec![0; count];
        self.file.read_exact_at(&mut bytes, at)?;
        Ok(bytes)
    }

    /// The entries of the directory at `at`, and the offset of the next directory.
    fn entries(&self, at: u64) -> io::Result<(Vec<Entry>, u64)> {
        let (count_len, link_len) = if self.big { (8, 8) } else { (2, 4) };
        let entry_len = 4 + 2 * link_len;
        let value_at = 4 + link_len;
        let count = self.number(&self.bytes(at, count_len)?);
        if count > MAX_ENTRIES {
            return Err(invalid("a directory has too many entries"));
        }
        let body = self.bytes(at + count_len, count * entry_len as u64 + link_len as u64)?;
        let (entries, link) = body.split_at(body.len() - link_len);
        let entry = |bytes: &[u8]| Entry {
            tag: u16::try_from(self.number(&bytes[..2])).unwrap_or(0),
            kind: u16::try_from(self.number(&bytes[2..4])).unwrap_or(0),
            count: self.number(&bytes[4..value_at]),
            value: bytes[value_at..].to_vec(),
        };
        Ok((entries.chunks_exact(entry_len).map(entry).collect(), self.number(link)))
    }

    /// The bytes of a tag's value and the size of one of its items.
    fn value(&self, entries: &[Entry], tag: u16) -> io::Result<Option<(Vec<u8>, usize)>> {
        let Some(entry) = entries.iter().find(|entry| entry.tag == tag) else { return Ok(None) };
        let size: u8 = match entry.kind {
            1 | 7 => 1,
            3 => 2,
            4 => 4,
            16 => 8,
            _ => return Err(invalid("a tag has an unexpected type")),
        };
        let bytes =
            entry.count.checked_mul(size.into()).ok_or_else(|| invalid("a tag is too large"))?;
        let value = if bytes <= entry.value.len() as u64 {
            entry.value[..usize::try_from(bytes).unwrap_or(0)].to_vec()
        } else {
            self.bytes(self.number(&entry.value), bytes)?
        };
        Ok(Some((value, size.into())))
    }

    fn numbers(&self, entries: &[Entry], tag: u16) -> io::Result<Vec<u64>> {
        let Some((bytes, size)) = self.value(entries, tag)? else { return Ok(Vec::new()) };
        Ok(bytes.chunks_exact(size).map(|item| self.number(item)).collect())
    }

    /// The tiles of a directory; `None` if they are not JPEG tiles of the supported kind.
    fn tiled_jpeg(&self, entries: &[Entry]) -> io::Result<Option<TiledJpeg>> {
        let tiled = entries.iter().any(|entry| entry.tag == TILE_OFFSETS);
        let compression = self.numbers(entries, COMPRESSION)?;
        let is_supported = tiled
            && compression == [7]
            && self.numbers(entries, BITS_PER_SAMPLE)? == [8; 3]
            && self.numbers(entries, PHOTOMETRIC)? == [6]
            && self.numbers(entries, SAMPLES_PER_PIXEL)? == [3]
            && self.numbers(entries, PLANAR)?.iter().all(|planar| *planar == 1);
        if !is_supported {
            return Ok(None);
        }
        let side = |tag| -> io::Result<u32> {
            let side = self.numbers(entries, tag)?.first().copied().unwrap_or(0);
            u32::try_from(side).map_err(io::Error::other)
        };
        let [width_px, height_px] = [side(WIDTH)?, side(HEIGHT)?];
        let [tile_width_px, tile_height_px] = [side(TILE_WIDTH)?, side(TILE_HEIGHT)?];
        let offsets = self.numbers(entries, TILE_OFFSETS)?;
        let counts = self.numbers(entries, TILE_BYTES)?;
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
        let tables = self.value(entries, JPEG_TABLES)?.map(|(bytes, _)| bytes);
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
}

/// Marker at the start of a JPEG stream.
pub(super) const SOI: [u8; 2] = [0xFF, 0xD8];
/// Marker at the end of a JPEG stream.
const EOI: [u8; 2] = [0xFF, 0xD9];

const WIDTH: u16 = 256;
const HEIGHT: u16 = 257;
const BITS_PER_SAMPLE: u16 = 258;
const COMPRESSION: u16 = 259;
const PHOTOMETRIC: u16 = 262;
const SAMPLES_PER_PIXEL: u16 = 277;
const PLANAR: u16 = 284;
const TILE_WIDTH: u16 = 322;
const TILE_HEIGHT: u16 = 323;
const TILE_OFFSETS: u16 = 324;
const TILE_BYTES: u16 = 325;
const JPEG_TABLES: u16 = 347;
const ICC_PROFILE: u16 = 34675;

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
    fn a_profile_is_found_by_its_tag() {
        // The directory has one entry: 5 bytes of type 7, stored after the directory.
        let mut bytes = b"II\x2a\x00\x08\x00\x00\x00\x01\x00".to_vec();
        bytes.extend(ICC_PROFILE.to_le_bytes());
        bytes.extend([7, 0, 5, 0, 0, 0, 26, 0, 0, 0, 0, 0, 0, 0]);
        bytes.extend(b"icc!!");
        let mut with = tempfile::tempfile().unwrap();
        with.write_all(&bytes).unwrap();
        assert_eq!(icc_profile(&with).unwrap().unwrap(), b"icc!!");
        assert_eq!(icc_profile(&file(true, false, 0)).unwrap(), None);
        assert!(icc_profile(&file(false, false, 1 << 20)).is_err());
    }

    #[test]
    fn circular_links_and_offsets_beyond_the_end_are_errors() {
        let first = 8 + 16;
        assert!(tiled_jpegs(&file(false, false, first)).is_err());
        assert!(tiled_jpegs(&file(false, false, 1 << 20)).is_err());
    }
}
