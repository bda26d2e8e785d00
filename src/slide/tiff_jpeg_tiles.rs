//! The directories of a TIFF or BigTIFF file, as far as tiles of JPEG need.
//!
//! After TIFF 6.0, its Technical Note 2 (JPEG, compression 7) and the BigTIFF
//! design (<http://bigtiff.org>). Anything unusual is an error here: the file
//! is then read by OpenSlide alone.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// More directories than any slide has: the links must run in a circle.
const MAX_DIRECTORIES: usize = 1000;

/// Most entries of a directory, twenty times what slides have.
const MAX_ENTRIES: u64 = 4096;

/// Where a tile's JPEG stream is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct StreamLocation {
    pub(super) offset: u64,
    /// 0 where the scanner stored nothing.
    pub(super) bytes: u64,
}

/// A picture in JPEG tiles, YCbCr, 8 bits, three interleaved samples.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TiledJpeg {
    pub(super) width_px: u32,
    pub(super) height_px: u32,
    pub(super) tile_width_px: u32,
    pub(super) tile_height_px: u32,
    /// Row-major.
    pub(super) tiles: Vec<StreamLocation>,
    /// What a tile's stream lacks: SOI and the tables all tiles share, or
    /// nothing. Takes the place of the stream's own SOI.
    pub(super) prefix: Vec<u8>,
}

/// All directories of the file that are tiled JPEG.
pub(super) fn tiled_jpegs(file: &File) -> io::Result<Vec<TiledJpeg>> {
    let (tiff, mut at) = Tiff::open(file)?;
    let mut found = Vec::new();
    let mut read = 0;
    while at != 0 {
        read += 1;
        if read > MAX_DIRECTORIES {
            return Err(invalid("directories without end"));
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

/// A tag with its type, count, and value or offset as stored.
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
    /// Reads the header; also gives where the first directory is.
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

    /// An unsigned number of up to 8 bytes.
    fn number(&self, bytes: &[u8]) -> u64 {
        let join = |number: u64, byte: &u8| number << 8 | u64::from(*byte);
        if self.big_endian { bytes.iter().fold(0, join) } else { bytes.iter().rev().fold(0, join) }
    }

    fn bytes(&self, at: u64, count: u64) -> io::Result<Vec<u8>> {
        if at.checked_add(count).is_none_or(|end| end > self.len) {
            return Err(invalid("a value beyond the end of the file"));
        }
        let count = usize::try_from(count).map_err(io::Error::other)?;
        let mut bytes = vec![0; count];
        self.file.read_exact_at(&mut bytes, at)?;
        Ok(bytes)
    }

    /// The entries of the directory at `at`, and where the next directory is.
    fn entries(&self, at: u64) -> io::Result<(Vec<Entry>, u64)> {
        let (count_len, link_len) = if self.big { (8, 8) } else { (2, 4) };
        let entry_len = 4 + 2 * link_len;
        let value_at = 4 + link_len;
        let count = self.number(&self.bytes(at, count_len)?);
        if count > MAX_ENTRIES {
            return Err(invalid("a directory without end"));
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
            _ => return Err(invalid("a tag of unexpected type")),
        };
        let bytes = entry.count.checked_mul(size.into()).ok_or_else(|| invalid("a huge tag"))?;
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

    /// What a directory says about its tiles, if they are JPEG as wanted.
    fn tiled_jpeg(&self, entries: &[Entry]) -> io::Result<Option<TiledJpeg>> {
        let tiled = entries.iter().any(|entry| entry.tag == TILE_OFFSETS);
        let compression = self.numbers(entries, COMPRESSION)?;
        let wanted = tiled
            && compression == [7]
            && self.numbers(entries, BITS_PER_SAMPLE)? == [8; 3]
            && self.numbers(entries, PHOTOMETRIC)? == [6]
            && self.numbers(entries, SAMPLES_PER_PIXEL)? == [3]
            && self.numbers(entries, PLANAR)?.iter().all(|planar| *planar == 1);
        if !wanted {
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
        // JPEG's own limit is 65,535 px; tiles of that size would fill the memory.
        let usual = |side: u32| (1..=8192).contains(&side);
        if !usual(tile_width_px) || !usual(tile_height_px) {
            return Ok(None);
        }
        let columns = u64::from(width_px.div_ceil(tile_width_px));
        let expected = columns * u64::from(height_px.div_ceil(tile_height_px));
        if offsets.len() as u64 != expected || counts.len() != offsets.len() {
            return Ok(None);
        }
        let stored = |(&offset, &bytes)| StreamLocation { offset, bytes };
        let tiles = offsets.iter().zip(&counts).map(stored).collect();
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

/// Start of a JPEG stream.
pub(super) const SOI: [u8; 2] = [0xFF, 0xD8];
/// Its end.
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

    /// One tile of 16 px with tables, in either byte order and size.
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
    fn both_sizes_and_byte_orders_are_read() {
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
        // One directory of one entry: 5 bytes of type 7, stored behind it.
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
    fn links_in_a_circle_and_beyond_the_end_are_errors() {
        let first = 8 + 16;
        assert!(tiled_jpegs(&file(false, false, first)).is_err());
        assert!(tiled_jpegs(&file(false, false, 1 << 20)).is_err());
    }
}
