//! Reads the directories of TIFF and BigTIFF files: tags, types and values.
//!
//! The formats are TIFF 6.0 and the BigTIFF design (<http://bigtiff.org>). Every offset is
//! checked against the length of the file before anything is allocated.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use super::icc::PROFILE_BYTES;

/// Largest number of directories. No slide has more, so more mean that the links run in a
/// circle.
const MAX_DIRECTORIES: usize = 1000;

/// Largest number of entries of a directory, twenty times what slides have.
const MAX_ENTRIES: u64 = 4096;

/// The ICC profile (tag 34675) of the first directory that has one.
pub(in crate::slide) fn icc_profile(file: &File) -> io::Result<Option<Vec<u8>>> {
    let (tiff, first) = Tiff::open(file)?;
    for entries in tiff.directories(first)? {
        if tiff.length(&entries, ICC_PROFILE) > PROFILE_BYTES as u64 {
            // What is larger is not used, whatever it holds.
            return Ok(Some(vec![0; PROFILE_BYTES + 1]));
        }
        if let Some((profile, 1)) = tiff.value(&entries, ICC_PROFILE)? {
            return Ok(Some(profile).filter(|profile| !profile.is_empty()));
        }
    }
    Ok(None)
}

/// The JPEG streams of the strips or tiles of directory `index`, each with the tables that they
/// share (TIFF Technical Note 2). Parts without data are left out.
pub(super) fn jpeg_streams(
    file: &File,
    index: usize,
) -> io::Result<impl Iterator<Item = io::Result<Vec<u8>>>> {
    let (tiff, first) = Tiff::open(file)?;
    let directories = tiff.directories(first)?;
    let entries = directories.get(index).ok_or_else(|| invalid("there is no such directory"))?;
    let numbers = |tiles, strips| -> io::Result<Vec<u64>> {
        let found = tiff.numbers(entries, tiles)?;
        if found.is_empty() { tiff.numbers(entries, strips) } else { Ok(found) }
    };
    let offsets = numbers(TILE_OFFSETS, STRIP_OFFSETS)?;
    let counts = numbers(TILE_BYTES, STRIP_BYTES)?;
    let tables = tiff.value(entries, JPEG_TABLES)?.map(|(bytes, _)| bytes).unwrap_or_default();
    let tables = tables.strip_suffix(&[0xFF, 0xD9]).unwrap_or(&tables).to_vec();
    let parts = offsets.into_iter().zip(counts).filter(|(_, count)| *count > 0);
    Ok(parts.map(move |(offset, count)| {
        let stream = tiff.bytes(offset, count)?;
        // The tables begin with the marker SOI, which the stream then has twice.
        let own = if tables.is_empty() { &stream[..] } else { stream.get(2..).unwrap_or_default() };
        Ok([&tables, own].concat())
    }))
}

pub(super) fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// A tag with its type and count; `value` is the stored field, which holds the value or its
/// offset.
pub(super) struct TiffTag {
    pub(super) tag: u16,
    kind: u16,
    count: u64,
    value: Vec<u8>,
}

/// An open TIFF or BigTIFF file.
pub(super) struct Tiff<'a> {
    file: &'a File,
    len: u64,
    big_endian: bool,
    big: bool,
}

impl<'a> Tiff<'a> {
    /// Reads the header, and returns the offset of the first directory too.
    pub(super) fn open(file: &'a File) -> io::Result<(Self, u64)> {
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
    pub(super) fn number(&self, bytes: &[u8]) -> u64 {
        let join = |number: u64, byte: &u8| number << 8 | u64::from(*byte);
        if self.big_endian { bytes.iter().fold(0, join) } else { bytes.iter().rev().fold(0, join) }
    }

    pub(super) fn bytes(&self, at: u64, count: u64) -> io::Result<Vec<u8>> {
        if at.checked_add(count).is_none_or(|end| end > self.len) {
            return Err(invalid("a value lies beyond the end of the file"));
        }
        let count = usize::try_from(count).map_err(io::Error::other)?;
        let mut bytes = vec![0; count];
        self.file.read_exact_at(&mut bytes, at)?;
        Ok(bytes)
    }

    /// The entries of the directory at `at`, and the offset of the next directory.
    pub(super) fn entries(&self, at: u64) -> io::Result<(Vec<TiffTag>, u64)> {
        let (count_len, link_len) = if self.big { (8, 8) } else { (2, 4) };
        let entry_len = 4 + 2 * link_len;
        let value_at = 4 + link_len;
        let count = self.number(&self.bytes(at, count_len)?);
        if count > MAX_ENTRIES {
            return Err(invalid("a directory has too many entries"));
        }
        let body = self.bytes(at + count_len, count * entry_len as u64 + link_len as u64)?;
        let (entries, link) = body.split_at(body.len() - link_len);
        let entry = |bytes: &[u8]| TiffTag {
            tag: u16::try_from(self.number(&bytes[..2])).expect("two bytes"),
            kind: u16::try_from(self.number(&bytes[2..4])).expect("two bytes"),
            count: self.number(&bytes[4..value_at]),
            value: bytes[value_at..].to_vec(),
        };
        Ok((entries.chunks_exact(entry_len).map(entry).collect(), self.number(link)))
    }

    /// The number of items of a tag; 0 without the tag.
    fn length(&self, entries: &[TiffTag], tag: u16) -> u64 {
        entries.iter().find(|entry| entry.tag == tag).map_or(0, |entry| entry.count)
    }

    /// The bytes of a tag's value and the size of one of its items.
    pub(super) fn value(
        &self,
        entries: &[TiffTag],
        tag: u16,
    ) -> io::Result<Option<(Vec<u8>, usize)>> {
        let Some(entry) = entries.iter().find(|entry| entry.tag == tag) else { return Ok(None) };
        let size: u8 = match entry.kind {
            1 | 2 | 7 => 1,
            3 => 2,
            4 | 13 => 4,
            5 | 16 | 18 => 8,
            _ => return Err(invalid("a tag has an unexpected type")),
        };
        let bytes =
            entry.count.checked_mul(size.into()).ok_or_else(|| invalid("a tag is too large"))?;
        let value = if bytes <= entry.value.len() as u64 {
            entry.value[..usize::try_from(bytes).expect("a usize has 64 bits")].to_vec()
        } else {
            self.bytes(self.number(&entry.value), bytes)?
        };
        Ok(Some((value, size.into())))
    }

    pub(super) fn numbers(&self, entries: &[TiffTag], tag: u16) -> io::Result<Vec<u64>> {
        let Some((bytes, size)) = self.value(entries, tag)? else { return Ok(Vec::new()) };
        Ok(bytes.chunks_exact(size).map(|item| self.number(item)).collect())
    }

    /// The number of values of a tag.
    pub(super) fn count(&self, entries: &[TiffTag], tag: u16) -> Option<u64> {
        entries.iter().find(|entry| entry.tag == tag).map(|entry| entry.count)
    }

    /// The text of an ASCII tag; bytes that are not UTF-8 are replaced.
    pub(super) fn text(&self, entries: &[TiffTag], tag: u16) -> io::Result<Option<String>> {
        let bytes = self.value(entries, tag)?.map(|(bytes, _)| bytes);
        Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).trim_end_matches('\0').to_owned()))
    }

    /// The first RATIONAL of a tag.
    pub(super) fn rational(&self, entries: &[TiffTag], tag: u16) -> io::Result<Option<f64>> {
        let Some((bytes, 8)) = self.value(entries, tag)? else { return Ok(None) };
        let Some((numerator, denominator)) = bytes.get(..8).map(|value| value.split_at(4)) else {
            return Ok(None);
        };
        Ok(Some(self.number(numerator) as f64 / self.number(denominator) as f64))
    }

    /// The entries of every directory in the chain, first to last.
    pub(super) fn directories(&self, first: u64) -> io::Result<Vec<Vec<TiffTag>>> {
        let (mut at, mut found) = (first, Vec::new());
        while at != 0 {
            if found.len() == MAX_DIRECTORIES {
                return Err(invalid("the links between directories run in a circle"));
            }
            let (entries, next) = self.entries(at)?;
            found.push(entries);
            at = next;
        }
        Ok(found)
    }
}

pub(super) const SUBFILE_TYPE: u16 = 254;
pub(super) const DESCRIPTION: u16 = 270;
pub(super) const X_RESOLUTION: u16 = 282;
pub(super) const Y_RESOLUTION: u16 = 283;
pub(super) const RESOLUTION_UNIT: u16 = 296;
pub(super) const EXTRA_SAMPLES: u16 = 338;
pub(super) const SAMPLE_FORMAT: u16 = 339;
pub(super) const WIDTH: u16 = 256;
pub(super) const HEIGHT: u16 = 257;
pub(super) const BITS_PER_SAMPLE: u16 = 258;
pub(super) const COMPRESSION: u16 = 259;
pub(super) const PHOTOMETRIC: u16 = 262;
pub(super) const STRIP_OFFSETS: u16 = 273;
pub(super) const SAMPLES_PER_PIXEL: u16 = 277;
pub(super) const STRIP_BYTES: u16 = 279;
pub(super) const PLANAR: u16 = 284;
pub(super) const TILE_WIDTH: u16 = 322;
pub(super) const TILE_HEIGHT: u16 = 323;
pub(super) const TILE_OFFSETS: u16 = 324;
pub(super) const TILE_BYTES: u16 = 325;
pub(super) const JPEG_TABLES: u16 = 347;
pub(super) const ICC_PROFILE: u16 = 34675;

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

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
        let mut beyond = tempfile::tempfile().unwrap();
        beyond.write_all(b"II\x2a\x00\xff\xff\xff\x00").unwrap();
        assert!(icc_profile(&beyond).is_err());
    }
}
