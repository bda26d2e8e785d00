//! Writes pyramids of scores as tiled BigTIFF, one f32 per pixel; the exports for ASAP and
//! OME-TIFF are such files.
//!
//! Memory: one row of tiles per level.

use std::io;
use std::path::Path;

use libdeflater::{CompressionLvl, Compressor};

use super::error::{ExportError, write_error};
use super::pyramid::{self, LevelSize, Tile};
use crate::bigtiff::{BigTiff, TILE_PX, Tags, TiffLevel, TileLocation};

const SIDE: usize = TILE_PX as usize;
/// Higher compression levels take much longer and save only a few percent on floats.
const COMPRESSION_LEVEL: i32 = 4;

/// Writes the levels of `sizes`; `source` fills the rows of the finest
/// level one by one. Tiles that reach beyond the edge are filled up with `blank`.
pub(super) fn write(
    target: &Path,
    sizes: &[LevelSize],
    blank: f32,
    source: impl FnMut(usize, &mut [f32]) -> Result<(), ExportError>,
    tags: &Tags<'_>,
) -> Result<(), ExportError> {
    let levels = sizes.iter().map(|size| TiffLevel::new(size.width_px, size.height_px)).collect();
    let tiff = BigTiff::create(target, levels)?;
    let level = CompressionLvl::new(COMPRESSION_LEVEL).expect("4 is a level");
    let compressor = Compressor::new(level);
    let mut tiles = Tiles { tiff, compressor, blank, stored_blank: None };
    pyramid::stream(sizes, SIDE, source, |tile| tiles.put(tile).map_err(write_error(target)))?;
    Ok(tiles.tiff.finish(tags)?)
}

struct Tiles {
    tiff: BigTiff,
    compressor: Compressor,
    blank: f32,
    /// The tile of `blank` alone. Most of a slide is glass, and this tile is stored once.
    stored_blank: Option<TileLocation>,
}

impl Tiles {
    fn put(&mut self, tile: &Tile<'_>) -> io::Result<()> {
        let blank = self.blank.to_bits();
        let is_blank = tile.rows.iter().all(|row| row.iter().all(|v| v.to_bits() == blank));
        let stored = match self.stored_blank.filter(|_| is_blank) {
            Some(stored) => stored,
            None => {
                let stored = self.store(tile)?;
                if is_blank {
                    self.stored_blank = Some(stored);
                }
                stored
            }
        };
        self.tiff.place(tile.level, tile.column, tile.row, stored);
        Ok(())
    }

    fn store(&mut self, tile: &Tile<'_>) -> io::Result<TileLocation> {
        let mut bytes = self.blank.to_le_bytes().repeat(SIDE * SIDE);
        for (row, out) in tile.rows.iter().zip(bytes.chunks_mut(4 * SIDE)) {
            for (value, out) in row.iter().zip(out.chunks_mut(4)) {
                out.copy_from_slice(&value.to_le_bytes());
            }
        }
        let mut packed = vec![0; self.compressor.zlib_compress_bound(bytes.len())];
        let length =
            self.compressor.zlib_compress(&bytes, &mut packed).map_err(io::Error::other)?;
        self.tiff.store(&packed[..length])
    }
}
