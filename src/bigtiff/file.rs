//! [`BigTiff`], the writer of a BigTIFF file.

use std::io::{self, Write};
use std::path::Path;

use super::directory::{self, DirectoryEntry, IFD8};
use super::layout::{DirectoryLinks, Tags, TiffLevel, TileLocation};
use crate::staged::{StageError, StagedStream};

/// Writer of a BigTIFF file.
#[derive(Debug)]
pub(crate) struct BigTiff {
    out: StagedStream,
    /// Number of bytes written so far.
    position: u64,
    levels: Vec<TiffLevel>,
}

impl BigTiff {
    /// Starts a file that will become `target`.
    pub(crate) fn create(target: &Path, levels: Vec<TiffLevel>) -> Result<Self, StageError> {
        let mut out = StagedStream::new(target)?;
        // The last eight bytes of the header become the offset of the first directory.
        let written = out.write_all(b"II\x2B\0\x08\0\0\0\0\0\0\0\0\0\0\0");
        written.map_err(|e| out.failed("write it", e))?;
        Ok(Self { out, position: 16, levels })
    }

    pub(crate) fn levels(&self) -> &[TiffLevel] {
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
        levels: &[TiffLevel],
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
        levels: &[TiffLevel],
        number: usize,
        tags: &Tags<'_>,
        sub_ifds: Option<&[u64]>,
    ) -> io::Result<(u64, u64)> {
        let mut entries = directory::entries(levels, number, tags);
        if let Some(sub_ifds) = sub_ifds.filter(|sub_ifds| !sub_ifds.is_empty()) {
            let offsets = sub_ifds.iter().flat_map(|at| at.to_le_bytes()).collect();
            entries.push(DirectoryEntry::new(330, IFD8, sub_ifds.len() as u64, offsets));
            entries.sort_by_key(DirectoryEntry::tag);
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
    fn field(&mut self, entry: &DirectoryEntry) -> io::Result<[u8; 20]> {
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
        self.append(&[0u8; 8][..usize::try_from(gap).expect("the gap is shorter than 8")])
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.out.write_all(bytes)?;
        self.position += bytes.len() as u64;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::layout::TilePixels;
    use super::*;

    #[test]
    fn a_missing_tile_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let levels = vec![TiffLevel::new(1000, 1000), TiffLevel::new(500, 500)];
        let tiff = BigTiff::create(&folder.path().join("x.tif"), levels).unwrap();
        let tags = Tags {
            pixels: TilePixels::JpegRgb,
            links: DirectoryLinks::Successive,
            um_per_px: Some([0.25; 2]),
            description: "test",
            range: None,
        };
        assert!(tiff.finish(&tags).unwrap_err().to_string().contains("level 0"));
    }
}
