//! A slide whose regions are assembled from decoded JPEG tiles, or read by OpenSlide where
//! a tile cannot be decoded.

use std::fs::File;
use std::path::Path;

use super::cache::{self, Cache};
use super::level::{TileLevel, TileSpan};
use super::turbo::TurboJpeg;
use crate::slide::openslide::OpenSlideReader;
use crate::slide::region_reader::check_region;
use crate::slide::{Level, Region, RegionError, Resolution, Slide};

/// Size of the cache of decoded tiles, which all threads share: 85 tiles of 512 px.
const CACHE_BYTES: usize = 64 << 20;

/// A slide that OpenSlide opened, with some or all levels decoded by libturbojpeg.
pub(super) struct TiledJpegSlide {
    pub(super) slide: OpenSlideReader,
    pub(super) file: File,
    pub(super) turbo: &'static TurboJpeg,
    /// The tiles of each level; `None` for a level that OpenSlide reads.
    pub(super) levels: Vec<Option<TileLevel>>,
    /// Whether a tile without data is background. OpenSlide fills such tiles of Aperio's from
    /// another level.
    empty_is_background: bool,
    cache: Cache,
}

/// Fills the part of a region that a tile covers.
fn fill_white(out: &mut [u8], [x, y]: [TileSpan; 2], width_px: u32) {
    let stride = 3 * width_px as usize;
    let start = y.to * stride + 3 * x.to;
    for line in out[start..].chunks_mut(stride).take(y.len) {
        line[..3 * x.len].fill(255);
    }
}

impl TiledJpegSlide {
    pub(super) fn new(
        slide: OpenSlideReader,
        file: File,
        turbo: &'static TurboJpeg,
        levels: Vec<Option<TileLevel>>,
    ) -> Self {
        let empty_is_background = slide.vendor() != "aperio";
        Self { slide, file, turbo, levels, empty_is_background, cache: Cache::new(CACHE_BYTES) }
    }

    /// Assembles a region from tiles; `None` when a tile cannot be decoded.
    fn assemble(
        &self,
        tiles: &TileLevel,
        index: usize,
        asked: Region,
        out: &mut [u8],
    ) -> Option<()> {
        let (rows, columns) =
            (tiles.rows(asked.y_px, asked.height_px), tiles.columns(asked.x_px, asked.width_px));
        for row in rows {
            for column in columns.clone() {
                let [x, y] = tiles.spans(column, row, asked);
                if self.empty_is_background && tiles.bytes(tiles.number(column, row)) == 0 {
                    fill_white(out, [x, y], asked.width_px);
                    continue;
                }
                self.paste(tiles, index, tiles.number(column, row), [x, y], asked.width_px, out)?;
            }
        }
        Some(())
    }

    /// Copies the part of a tile that a region shows into the region.
    fn paste(
        &self,
        tiles: &TileLevel,
        level: usize,
        number: usize,
        [x, y]: [TileSpan; 2],
        width_px: u32,
        out: &mut [u8],
    ) -> Option<()> {
        let stride = 3 * width_px as usize;
        let start = y.to * stride + 3 * x.to;
        let [tile_width, tile_height] = tiles.tile_px();
        let whole = x.len == tile_width as usize && y.len == tile_height as usize;
        let key = (level, number);
        let kept = self.cache.get(key);
        if kept.is_none() && whole {
            // A region that shows the whole tile is unlikely to be followed by another
            // one that needs it, so the tile is decoded in place and not cached.
            return tiles.decode(self.turbo, &self.file, number, &mut out[start..], stride);
        }
        let pixels = match kept {
            Some(pixels) => pixels,
            None => {
                let line = 3 * tile_width as usize;
                let mut pixels = vec![0; line * tile_height as usize];
                tiles.decode(self.turbo, &self.file, number, &mut pixels, line)?;
                let pixels = cache::CachedTile::new(pixels);
                self.cache.put(key, cache::CachedTile::clone(&pixels));
                pixels
            }
        };
        let lines = pixels.chunks_exact(3 * tile_width as usize).skip(y.from).take(y.len);
        for (line, to) in lines.zip(out[start..].chunks_mut(stride)) {
            to[..3 * x.len].copy_from_slice(&line[3 * x.from..3 * (x.from + x.len)]);
        }
        Some(())
    }
}

impl Slide for TiledJpegSlide {
    fn path(&self) -> &Path {
        self.slide.path()
    }

    fn reader(&self) -> String {
        format!("{}, tiles by libturbojpeg", self.slide.reader())
    }

    fn levels(&self) -> &[Level] {
        self.slide.levels()
    }

    fn resolution(&self) -> &Resolution {
        self.slide.resolution()
    }

    fn read_region(&self, level: usize, region: Region, out: &mut [u8]) -> Result<(), RegionError> {
        let info = check_region(self, level, region, out.len())?;
        if let Some(tiles) = &self.levels[level] {
            let whole = Region::new(0, 0, info.width_px, info.height_px);
            if region.intersection(&whole) != Some(region) {
                out.fill(255);
            }
            if self.assemble(tiles, level, region, out).is_some() {
                return Ok(());
            }
        }
        self.slide.read_region(level, region, out)
    }

    fn icc_profile(&self) -> Option<Vec<u8>> {
        self.slide.icc_profile()
    }

    fn bounds_px(&self) -> Option<[u32; 2]> {
        self.slide.bounds_px()
    }
}
