//! A pyramidal, tiled, JPEG-compressed BigTIFF, written front to back: tiles
//! first, directories at the end, one pointer in the header filled in last.
//!
//! Layout after the BigTIFF design (<http://bigtiff.org>) and TIFF 6.0 with
//! Technical Note 2 (JPEG, compression 7): every tile is a whole JPEG stream,
//! YCbCr 4:2:0, so no shared tables are needed.

use std::fs::File;
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::Path;

/// Side of a tile, px.
pub(super) const TILE_PX: u32 = 512;

const SHORT: u16 = 3;
const LONG: u16 = 4;
const RATIONAL: u16 = 5;
const ASCII: u16 = 2;
const LONG8: u16 = 16;

/// Where a tile's bytes are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Stored {
    offset: u64,
    bytes: u32,
}

/// One resolution level.
#[derive(Debug)]
pub(super) struct Level {
    /// Width, px.
    pub(super) width: u32,
    /// Height, px.
    pub(super) height: u32,
    tiles: Vec<Stored>,
}

impl Level {
    /// Tile columns.
    pub(super) fn columns(&self) -> u32 {
        self.width.div_ceil(TILE_PX)
    }

    /// Tile rows.
    pub(super) fn rows(&self) -> u32 {
        self.height.div_ceil(TILE_PX)
    }
}

/// The sizes of all levels: halved until a level fits one tile.
pub(super) fn levels(width: u32, height: u32) -> Vec<Level> {
    let mut all = Vec::new();
    let (mut w, mut h) = (width, height);
    loop {
        let mut level = Level { width: w, height: h, tiles: Vec::new() };
        level.tiles = vec![Stored::default(); (level.columns() * level.rows()) as usize];
        all.push(level);
        if w.max(h) <= TILE_PX {
            return all;
        }
        (w, h) = ((w / 2).max(1), (h / 2).max(1));
    }
}

/// The file being written.
#[derive(Debug)]
pub(super) struct BigTiff {
    out: BufWriter<File>,
    at: u64,
    levels: Vec<Level>,
}

impl BigTiff {
    pub(super) fn create(path: &Path, levels: Vec<Level>) -> io::Result<Self> {
        let mut out = BufWriter::with_capacity(1 << 20, File::create(path)?);
        out.write_all(b"II\x2B\0\x08\0\0\0")?;
        out.write_all(&0u64.to_le_bytes())?;
        Ok(Self { out, at: 16, levels })
    }

    pub(super) fn levels(&self) -> &[Level] {
        &self.levels
    }

    /// Appends one JPEG stream and returns where it went.
    pub(super) fn store(&mut self, jpeg: &[u8]) -> io::Result<Stored> {
        let bytes = u32::try_from(jpeg.len()).map_err(io::Error::other)?;
        let stored = Stored { offset: self.at, bytes };
        self.append(jpeg)?;
        Ok(stored)
    }

    /// Says which stored stream shows tile (`column`, `row`) of `level`. Several
    /// tiles may show the same one: empty glass is stored once.
    pub(super) fn place(&mut self, level: usize, column: u32, row: u32, stored: Stored) {
        let columns = self.levels[level].columns();
        self.levels[level].tiles[(row * columns + column) as usize] = stored;
    }

    /// Writes the directories. `um_per_px`: resolution of level 0.
    pub(super) fn finish(mut self, um_per_px: f64, description: &str) -> io::Result<()> {
        let levels = std::mem::take(&mut self.levels);
        let mut pointer_at = 8;
        for (number, level) in levels.iter().enumerate() {
            if level.tiles.iter().any(|tile| tile.bytes == 0) {
                return Err(io::Error::other(format!("level {number} has a tile never drawn")));
            }
            let scale = f64::from(levels[0].width) / f64::from(level.width);
            let entries = self.entries(number, level, um_per_px * scale, description)?;
            let start = self.at;
            self.patch(pointer_at, start)?;
            self.append(&(entries.len() as u64).to_le_bytes())?;
            for entry in &entries {
                self.append(entry)?;
            }
            pointer_at = self.at;
            self.append(&0u64.to_le_bytes())?;
        }
        self.out.flush()
    }

    /// Fills in a directory pointer and returns to the end.
    fn patch(&mut self, pointer_at: u64, value: u64) -> io::Result<()> {
        self.out.seek(SeekFrom::Start(pointer_at))?;
        self.out.write_all(&value.to_le_bytes())?;
        self.out.seek(SeekFrom::Start(self.at))?;
        Ok(())
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.out.write_all(bytes)?;
        self.at += bytes.len() as u64;
        Ok(())
    }

    /// The directory of one level, in ascending tag order as TIFF demands.
    fn entries(
        &mut self,
        number: usize,
        level: &Level,
        um_per_px: f64,
        description: &str,
    ) -> io::Result<Vec<[u8; 20]>> {
        let short =
            |values: &[u16]| -> Vec<u8> { values.iter().flat_map(|v| v.to_le_bytes()).collect() };
        let long = |value: u32| value.to_le_bytes().to_vec();
        let text = |value: &str| [value.as_bytes(), b"\0"].concat();
        let per_cm = resolution(um_per_px);
        let offsets = level.tiles.iter().flat_map(|t| t.offset.to_le_bytes()).collect::<Vec<u8>>();
        let counts = level.tiles.iter().flat_map(|t| t.bytes.to_le_bytes()).collect::<Vec<u8>>();
        let tiles = level.tiles.len() as u64;
        let software = concat!("slidegrid ", env!("CARGO_PKG_VERSION"));
        let description = text(description);
        Ok(vec![
            self.entry(254, LONG, 1, &long(u32::from(number > 0)))?, // reduced resolution
            self.entry(256, LONG, 1, &long(level.width))?,
            self.entry(257, LONG, 1, &long(level.height))?,
            self.entry(258, SHORT, 3, &short(&[8, 8, 8]))?,
            self.entry(259, SHORT, 1, &short(&[7]))?, // JPEG
            self.entry(262, SHORT, 1, &short(&[6]))?, // YCbCr
            self.entry(270, ASCII, description.len() as u64, &description)?,
            self.entry(277, SHORT, 1, &short(&[3]))?,
            self.entry(282, RATIONAL, 1, &per_cm)?,
            self.entry(283, RATIONAL, 1, &per_cm)?,
            self.entry(284, SHORT, 1, &short(&[1]))?, // interleaved
            self.entry(296, SHORT, 1, &short(&[3]))?, // centimetre
            self.entry(305, ASCII, software.len() as u64 + 1, &text(software))?,
            self.entry(322, LONG, 1, &long(TILE_PX))?,
            self.entry(323, LONG, 1, &long(TILE_PX))?,
            self.entry(324, LONG8, tiles, &offsets)?,
            self.entry(325, LONG, tiles, &counts)?,
            self.entry(530, SHORT, 2, &short(&[2, 2]))?, // 4:2:0
        ])
    }

    /// One directory entry; values above 8 bytes are appended to the file.
    fn entry(&mut self, tag: u16, kind: u16, count: u64, value: &[u8]) -> io::Result<[u8; 20]> {
        let mut field = [0u8; 8];
        if value.len() <= 8 {
            field[..value.len()].copy_from_slice(value);
        } else {
            if !self.at.is_multiple_of(8) {
                let gap = 8 - self.at % 8;
                self.append(&[0u8; 8][..usize::try_from(gap).unwrap_or(0)])?;
            }
            field = self.at.to_le_bytes();
            self.append(value)?;
        }
        let mut entry = [0u8; 20];
        entry[..2].copy_from_slice(&tag.to_le_bytes());
        entry[2..4].copy_from_slice(&kind.to_le_bytes());
        entry[4..12].copy_from_slice(&count.to_le_bytes());
        entry[12..].copy_from_slice(&field);
        Ok(entry)
    }
}

/// Pixels per centimetre as a TIFF rational, to seven digits.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "resolutions of 0.1 to 200 um give 50 to 100,000 per cm, times 10,000: below 2^32"
)]
fn resolution(um_per_px: f64) -> Vec<u8> {
    let numerator = (10_000.0 / um_per_px * 10_000.0).round() as u32;
    [numerator.to_le_bytes(), 10_000u32.to_le_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_halve_until_one_tile() {
        let sizes = |w, h| levels(w, h).iter().map(|l| (l.width, l.height)).collect::<Vec<_>>();
        assert_eq!(sizes(2000, 1025), [(2000, 1025), (1000, 512), (500, 256)]);
        assert_eq!(levels(100_000, 90_000).len(), 9);
    }

    #[test]
    fn a_tile_never_drawn_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let tiff = BigTiff::create(&folder.path().join("x.tif"), levels(1000, 1000)).unwrap();
        assert!(tiff.finish(0.25, "test").unwrap_err().to_string().contains("level 0"));
    }

    #[test]
    fn resolution_of_a_quarter_micrometre_is_40000_per_cm() {
        let bytes = resolution(0.25);
        assert_eq!(u32::from_le_bytes(bytes[..4].try_into().unwrap()), 400_000_000);
    }
}
