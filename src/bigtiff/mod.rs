//! A writer of pyramidal, tiled BigTIFF files, for exports and synthetic slides. The file
//! is written front to back: tiles first, then the directories; the pointer in the header
//! is filled in last.
//!
//! The layout follows the BigTIFF design (<http://bigtiff.org>) and TIFF 6.0 with its
//! Technical Notes 1 (trees of directories, tag 330) and 2 (JPEG, compression 7). Every
//! JPEG tile is a whole stream, YCbCr 4:2:0, so no shared tables are needed.

mod directory;

use std::io::{self, Write};
use std::path::Path;

use directory::{Entry, IFD8};

use crate::staged::{StageError, StagedStream};

/// Side of a tile, px.
pub(crate) const TILE_PX: u32 = 512;

/// The position of a tile's bytes in the file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct TileLocation {
    offset: u64,
    bytes: u32,
}

/// One level of the pyramid.
#[derive(Debug)]
pub(crate) struct Level {
    /// Width, px.
    pub(crate) width: u32,
    /// Height, px.
    pub(crate) height: u32,
    tiles: Vec<TileLocation>,
}

impl Level {
    /// A level whose tiles are not placed yet.
    pub(crate) fn new(width: u32, height: u32) -> Self {
        let mut level = Self { width, height, tiles: Vec::new() };
        level.tiles = vec![TileLocation::default(); (level.columns() * level.rows()) as usize];
        level
    }

    /// Number of tile columns.
    pub(crate) fn columns(&self) -> u32 {
        self.width.div_ceil(TILE_PX)
    }

    /// Number of tile rows.
    pub(crate) fn rows(&self) -> u32 {
        self.height.div_ceil(TILE_PX)
    }
}

/// The encoding of a tile's pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pixels {
    /// A JPEG stream, YCbCr 4:2:0, of 8-bit RGB.
    JpegRgb,
    /// A zlib stream of one little-endian f32 per pixel.
    DeflatedF32(DeflateCode),
}

/// The number that a directory states for deflate; the compression is the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DeflateCode {
    /// 8, from Adobe's Technical Notes, which programs write today.
    Adobe,
    /// 32946, the older number, and the only one that ASAP accepts.
    Legacy,
}

/// How the directories of the levels are linked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DirectoryLinks {
    /// Each directory points to that of the next level.
    Successive,
    /// The first directory points to those of all other levels (tag 330), as OME-TIFF
    /// requires.
    SubIfds,
}

/// What the directories state besides the positions of the tiles.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tags<'a> {
    pub(crate) pixels: Pixels,
    pub(crate) links: DirectoryLinks,
    /// Micrometres per pixel of level 0 along x and y.
    pub(crate) um_per_px: Option<[f64; 2]>,
    /// Text of tag 270; empty for none. With [`DirectoryLinks::SubIfds`] only the first
    /// directory has a description.
    pub(crate) description: &'a str,
    /// Smallest and largest sample value (tags 340 and 341).
    pub(crate) range: Option<[f64; 2]>,
}

/// Writer of a BigTIFF file.
#[derive(Debug)]
pub(crate) struct BigTiff {
    out: StagedStream,
    /// Number of bytes written so far.
    position: u64,
    levels: Vec<Level>,
}

impl BigTiff {
    /// Starts a file that will become `target`.
    pub(crate) fn create(target: &Path, levels: Vec<Level>) -> Result<Self, StageError> {
        let mut out = StagedStream::new(target)?;
        // The last eight bytes of the header become the offset of the first directory.
        let written = out.write_all(b"II\x2B\0\x08\0\0\0\0\0\0\0\0\0\0\0");
        written.map_err(|e| out.failed("write it", e))?;
        Ok(Self { out, position: 16, levels })
    }

    pub(crate) fn levels(&self) -> &[Level] {
        &self.levels
    }

    /// Appends the bytes of one compressed tile and returns their position.
    pub(crate) fn store(&mut self, tile: &[u8]) -> io::Result<TileLocation> {
        let bytes = u32::try_from(tile.len()).map_err(io::Error::other)?;
        let stored = TileLocation { offset: self.position, bytes };
        self.append(tile)?;
        Ok(stored)
    }

    /// Makes `stored` the bytes of tile (`column`, `row`) of `level`. Several tiles may
    /// share the same bytes, so that empty glass is stored once.
    pub(crate) fn place(&mut self, level: usize, column: u32, row: u32, stored: TileLocation) {
        let columns = self.levels[level].columns();
        self.levels[level].tiles[(row * columns + column) as usize] = stored;
    }

    /// Writes the directories and moves the file to its final name.
    pub(crate) fn finish(mut self, tags: &Tags<'_>) -> Result<(), StageError> {
        self.write_directories(tags).map_err(|e| self.out.failed("write it", e))?;
        self.out.commit()
    }

    fn write_directories(&mut self, tags: &Tags<'_>) -> io::Result<()> {
        let levels = std::mem::take(&mut self.levels);
        for (number, level) in levels.iter().enumerate() {
            if level.tiles.iter().any(|tile| tile.bytes == 0) {
                return Err(io::Error::other(format!("level {number} lacks a tile")));
            }
        }
        let header_pointer_at = 8;
        match tags.links {
            DirectoryLinks::Successive => {
                let mut pointer_at = header_pointer_at;
                for number in 0..levels.len() {
                    pointer_at = self.link_directory(&levels, number, tags, pointer_at, None)?;
                }
            }
            DirectoryLinks::SubIfds => {
                let mut sub_ifds = Vec::new();
                for number in 1..levels.len() {
                    let tags = Tags { description: "", ..*tags };
                    sub_ifds.push(self.write_directory(&levels, number, &tags, None)?.0);
                }
                self.link_directory(&levels, 0, tags, header_pointer_at, Some(&sub_ifds))?;
            }
        }
        Ok(())
    }

    /// Writes the directory of a level and the pointer to it at `pointer_at`. Returns the
    /// position of the directory's own pointer to the next one.
    fn link_directory(
        &mut self,
        levels: &[Level],
        number: usize,
        tags: &Tags<'_>,
        pointer_at: u64,
        sub_ifds: Option<&[u64]>,
    ) -> io::Result<u64> {
        let (start, next_at) = self.write_directory(levels, number, tags, sub_ifds)?;
        self.out.write_later(pointer_at, start.to_le_bytes());
        Ok(next_at)
    }

    /// Writes the directory of a level; `sub_ifds` are the offsets of the directories below
    /// it. Returns the directory's offset and the position of its pointer to the next one.
    fn write_directory(
        &mut self,
        levels: &[Level],
        number: usize,
        tags: &Tags<'_>,
        sub_ifds: Option<&[u64]>,
    ) -> io::Result<(u64, u64)> {
        let mut entries = directory::entries(levels, number, tags);
        if let Some(sub_ifds) = sub_ifds.filter(|sub_ifds| !sub_ifds.is_empty()) {
            let offsets = sub_ifds.iter().flat_map(|at| at.to_le_bytes()).collect();
            entries.push(Entry::new(330, IFD8, sub_ifds.len() as u64, offsets));
            entries.sort_by_key(Entry::tag);
        }
        let fields: Vec<[u8; 20]> =
            entries.iter().map(|entry| self.field(entry)).collect::<io::Result<_>>()?;
        self.align()?;
        let start = self.position;
        self.append(&(fields.len() as u64).to_le_bytes())?;
        for field in &fields {
            self.append(field)?;
        }
        let next_at = self.position;
        self.append(&0u64.to_le_bytes())?;
        Ok((start, next_at))
    }

    /// The bytes of an entry in a directory. A value of more than 8 bytes is appended to
    /// the file.
    fn field(&mut self, entry: &Entry) -> io::Result<[u8; 20]> {
        let value = entry.value();
        let mut inline = [0u8; 8];
        if value.len() <= 8 {
            inline[..value.len()].copy_from_slice(value);
        } else {
            self.align()?;
            inline = self.position.to_le_bytes();
            self.append(value)?;
        }
        Ok(entry.field(inline))
    }

    fn align(&mut self) -> io::Result<()> {
        if self.position.is_multiple_of(8) {
            return Ok(());
        }
        let gap = 8 - self.position % 8;
        self.append(&[0u8; 8][..usize::try_from(gap).unwrap_or(0)])
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.out.write_all(bytes)?;
        self.position += bytes.len() as u64;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_tile_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let levels = vec![Level::new(1000, 1000), Level::new(500, 500)];
        let tiff = BigTiff::create(&folder.path().join("x.tif"), levels).unwrap();
        let tags = Tags {
            pixels: Pixels::JpegRgb,
            links: DirectoryLinks::Successive,
            um_per_px: Some([0.25; 2]),
            description: "test",
            range: None,
        };
        assert!(tiff.finish(&tags).unwrap_err().to_string().contains("level 0"));
    }
}
