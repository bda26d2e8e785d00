//! A pyramidal, tiled BigTIFF, written front to back: tiles first, directories
//! at the end, one pointer in the header filled in last.
//!
//! Layout after the BigTIFF design (<http://bigtiff.org>) and TIFF 6.0 with
//! Technical Notes 1 (trees of directories, tag 330) and 2 (JPEG, compression 7:
//! every tile is a whole JPEG stream, YCbCr 4:2:0, so no shared tables are
//! needed).

mod directory;

use std::io::{self, Write};
use std::path::Path;

use directory::{Entry, IFD8};

use crate::staged::{StageError, StagedStream};

/// Side of a tile, px.
pub(crate) const TILE_PX: u32 = 512;

/// Where a tile's bytes are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct TileLocation {
    offset: u64,
    bytes: u32,
}

/// One resolution level.
#[derive(Debug)]
pub(crate) struct Level {
    /// Width, px.
    pub(crate) width: u32,
    /// Height, px.
    pub(crate) height: u32,
    tiles: Vec<TileLocation>,
}

impl Level {
    /// A level without tiles yet.
    pub(crate) fn new(width: u32, height: u32) -> Self {
        let mut level = Self { width, height, tiles: Vec::new() };
        level.tiles = vec![TileLocation::default(); (level.columns() * level.rows()) as usize];
        level
    }

    /// Tile columns.
    pub(crate) fn columns(&self) -> u32 {
        self.width.div_ceil(TILE_PX)
    }

    /// Tile rows.
    pub(crate) fn rows(&self) -> u32 {
        self.height.div_ceil(TILE_PX)
    }
}

/// What a tile's bytes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pixels {
    /// A JPEG stream, YCbCr 4:2:0, of 8-bit RGB.
    JpegRgb,
    /// One little-endian f32 a pixel in a zlib stream.
    DeflatedF32(DeflateCode),
}

/// Two numbers for the same compression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DeflateCode {
    /// 8, of TIFF's Technical Note: what is written today.
    Adobe,
    /// 32946, older: the only one ASAP takes.
    Old,
}

/// How directories hang together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DirectoryLinks {
    /// One after the other.
    Successive,
    /// Lower resolutions below the first directory (tag 330), as OME-TIFF has it.
    SubIfds,
}

/// What directories say besides where tiles are.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tags<'a> {
    pub(crate) pixels: Pixels,
    pub(crate) chain: DirectoryLinks,
    /// Micrometres per pixel of level 0, x and y.
    pub(crate) um_per_px: Option<[f64; 2]>,
    /// Empty: none. With [`DirectoryLinks::SubIfds`] in the first directory alone.
    pub(crate) description: &'a str,
    /// Least and largest value that are to be told apart.
    pub(crate) range: Option<[f64; 2]>,
}

/// The file being written.
#[derive(Debug)]
pub(crate) struct BigTiff {
    out: StagedStream,
    at: u64,
    levels: Vec<Level>,
}

impl BigTiff {
    /// Starts a file that will become `target`.
    pub(crate) fn create(target: &Path, levels: Vec<Level>) -> Result<Self, StageError> {
        let mut out = StagedStream::new(target)?;
        // Its last eight bytes are where the first directory is to be pointed to.
        let written = out.write_all(b"II\x2B\0\x08\0\0\0\0\0\0\0\0\0\0\0");
        written.map_err(|e| out.failed("write it", e))?;
        Ok(Self { out, at: 16, levels })
    }

    pub(crate) fn levels(&self) -> &[Level] {
        &self.levels
    }

    /// Appends one compressed tile and returns where it went.
    pub(crate) fn store(&mut self, tile: &[u8]) -> io::Result<TileLocation> {
        let bytes = u32::try_from(tile.len()).map_err(io::Error::other)?;
        let stored = TileLocation { offset: self.at, bytes };
        self.append(tile)?;
        Ok(stored)
    }

    /// Says which stored bytes show tile (`column`, `row`) of `level`. Several
    /// tiles may show the same ones: empty glass is stored once.
    pub(crate) fn place(&mut self, level: usize, column: u32, row: u32, stored: TileLocation) {
        let columns = self.levels[level].columns();
        self.levels[level].tiles[(row * columns + column) as usize] = stored;
    }

    /// Writes the directories and gives the file its name.
    pub(crate) fn finish(mut self, tags: &Tags<'_>) -> Result<(), StageError> {
        self.write_directories(tags).map_err(|e| self.out.failed("write it", e))?;
        self.out.commit()
    }

    fn write_directories(&mut self, tags: &Tags<'_>) -> io::Result<()> {
        let levels = std::mem::take(&mut self.levels);
        for (number, level) in levels.iter().enumerate() {
            if level.tiles.iter().any(|tile| tile.bytes == 0) {
                return Err(io::Error::other(format!("level {number} has a tile never drawn")));
            }
        }
        let first = 8;
        match tags.chain {
            DirectoryLinks::Successive => {
                let mut pointer_at = first;
                for number in 0..levels.len() {
                    pointer_at = self.directory(&levels, number, tags, pointer_at, None)?;
                }
            }
            DirectoryLinks::SubIfds => {
                let mut below = Vec::new();
                for number in 1..levels.len() {
                    let tags = Tags { description: "", ..*tags };
                    below.push(self.write_directory(&levels, number, &tags, None)?.0);
                }
                self.directory(&levels, 0, tags, first, Some(&below))?;
            }
        }
        Ok(())
    }

    /// Writes the directory of a level, lets `pointer_at` point to it, and says
    /// where its own pointer to the next one is.
    fn directory(
        &mut self,
        levels: &[Level],
        number: usize,
        tags: &Tags<'_>,
        pointer_at: u64,
        below: Option<&[u64]>,
    ) -> io::Result<u64> {
        let (start, next_at) = self.write_directory(levels, number, tags, below)?;
        self.out.write_later(pointer_at, start.to_le_bytes());
        Ok(next_at)
    }

    fn write_directory(
        &mut self,
        levels: &[Level],
        number: usize,
        tags: &Tags<'_>,
        below: Option<&[u64]>,
    ) -> io::Result<(u64, u64)> {
        let mut entries = directory::entries(levels, number, tags);
        if let Some(below) = below.filter(|below| !below.is_empty()) {
            let offsets = below.iter().flat_map(|at| at.to_le_bytes()).collect();
            entries.push(Entry::new(330, IFD8, below.len() as u64, offsets));
            entries.sort_by_key(Entry::tag);
        }
        let fields: Vec<[u8; 20]> =
            entries.iter().map(|entry| self.field(entry)).collect::<io::Result<_>>()?;
        self.align()?;
        let start = self.at;
        self.append(&(fields.len() as u64).to_le_bytes())?;
        for field in &fields {
            self.append(field)?;
        }
        let next_at = self.at;
        self.append(&0u64.to_le_bytes())?;
        Ok((start, next_at))
    }

    /// An entry as it stands in a directory; values above 8 bytes are appended to
    /// the file.
    fn field(&mut self, entry: &Entry) -> io::Result<[u8; 20]> {
        let value = entry.value();
        let mut inline = [0u8; 8];
        if value.len() <= 8 {
            inline[..value.len()].copy_from_slice(value);
        } else {
            self.align()?;
            inline = self.at.to_le_bytes();
            self.append(value)?;
        }
        Ok(entry.field(inline))
    }

    fn align(&mut self) -> io::Result<()> {
        if self.at.is_multiple_of(8) {
            return Ok(());
        }
        let gap = 8 - self.at % 8;
        self.append(&[0u8; 8][..usize::try_from(gap).unwrap_or(0)])
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.out.write_all(bytes)?;
        self.at += bytes.len() as u64;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tile_never_drawn_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let levels = vec![Level::new(1000, 1000), Level::new(500, 500)];
        let tiff = BigTiff::create(&folder.path().join("x.tif"), levels).unwrap();
        let tags = Tags {
            pixels: Pixels::JpegRgb,
            chain: DirectoryLinks::Successive,
            um_per_px: Some([0.25; 2]),
            description: "test",
            range: None,
        };
        assert!(tiff.finish(&tags).unwrap_err().to_string().contains("level 0"));
    }
}
