//! The fast reader of TIFF slides with JPEG tiles, which decodes the tiles without
//! OpenSlide.
//!
//! OpenSlide spends most of its time composing pixels. If a level is a plain grid of JPEG
//! tiles, libturbojpeg decodes them several times as fast and to the same bits. OpenSlide
//! remains the authority: it opens the file and states the levels and the resolution, and
//! sample tiles are compared with its pixels when the slide is opened. OpenSlide also
//! reads everything unusual: other compressions, levels whose downsample is not a whole
//! number, and tiles that are missing, damaged or of an unsupported kind.

mod cache;
mod judge;
mod level;
mod turbo;

use std::fs::File;
use std::path::Path;

use super::openslide::OpenSlideReader;
use super::{Level, RegionError, Resolution, Slide, SlideError, check_region, tiff_jpeg_tiles};
use cache::Cache;
use level::{Span, TileLevel};
use turbo::TurboJpeg;

/// Size of the cache of decoded tiles, which all threads share: 85 tiles of 512 px.
const CACHE_BYTES: usize = 64 << 20;

/// Formats whose tiles form a plain grid, with one directory per level.
const VENDORS: [&str; 3] = ["generic-tiff", "aperio", "philips"];

/// A slide that OpenSlide opened, with some or all levels decoded by libturbojpeg.
struct TiledJpegSlide {
    slide: OpenSlideReader,
    file: File,
    turbo: &'static TurboJpeg,
    /// The tiles of each level; `None` for a level that OpenSlide reads.
    levels: Vec<Option<TileLevel>>,
    cache: Cache,
}

/// Wraps a slide so that libturbojpeg decodes each level for which it gives OpenSlide's
/// pixels. The slide stays unchanged if there is no such level or no libturbojpeg.
pub(super) fn faster(slide: OpenSlideReader) -> Result<Box<dyn Slide>, SlideError> {
    let turbo = turbo::library().map_err(|named| SlideError::NoTurboJpeg {
        path: slide.path().to_owned(),
        variable: turbo::VARIABLE,
        library: named.path,
        reason: named.reason,
    })?;
    let Some(turbo) = turbo.filter(|_| VENDORS.contains(&slide.vendor())) else {
        return Ok(Box::new(slide));
    };
    // OpenSlide has opened the file, so a file that this parser does not understand is not
    // an error.
    let opened = File::open(slide.path());
    let Some((file, found)) = opened
        .and_then(|file| tiff_jpeg_tiles::tiled_jpegs(&file).map(|found| (file, found)))
        .ok()
        .filter(|(_, found)| !found.is_empty())
    else {
        return Ok(Box::new(slide));
    };
    let levels = level::matching(&slide, &found);
    let mut tiled = TiledJpegSlide { slide, file, turbo, levels, cache: Cache::new(CACHE_BYTES) };
    for index in 0..tiled.levels.len() {
        if !judge::agrees(&tiled, index) {
            tiled.levels[index] = None;
        }
    }
    if tiled.levels.iter().all(Option::is_none) {
        return Ok(Box::new(tiled.slide));
    }
    Ok(Box::new(tiled))
}

impl TiledJpegSlide {
    /// Assembles a region from tiles; `None` when a tile cannot be decoded.
    fn assemble(
        &self,
        tiles: &TileLevel,
        index: usize,
        asked: Region,
        out: &mut [u8],
    ) -> Option<()> {
        let (rows, columns) =
            (tiles.rows(asked.y, asked.height_px), tiles.columns(asked.x, asked.width_px));
        for row in rows {
            for column in columns.clone() {
                let [x, y] = tiles.spans(column, row, asked);
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
        [x, y]: [Span; 2],
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
                let pixels = cache::Pixels::new(pixels);
                self.cache.put(key, cache::Pixels::clone(&pixels));
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

/// A region as asked for, px of its level.
#[derive(Debug, Clone, Copy)]
struct Region {
    x: i64,
    y: i64,
    width_px: u32,
    height_px: u32,
}

impl Region {
    fn is_inside(&self, level: &Level) -> bool {
        let inside = |start: i64, len: u32, end: u32| {
            start >= 0 && start.saturating_add(len.into()) <= end.into()
        };
        inside(self.x, self.width_px, level.width_px)
            && inside(self.y, self.height_px, level.height_px)
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

    fn read_region(
        &self,
        level: usize,
        x: i64,
        y: i64,
        width_px: u32,
        height_px: u32,
        out: &mut [u8],
    ) -> Result<(), RegionError> {
        let info = check_region(self, level, width_px, height_px, out.len())?;
        if let Some(tiles) = &self.levels[level] {
            let asked = Region { x, y, width_px, height_px };
            if !asked.is_inside(&info) {
                out.fill(255);
            }
            if self.assemble(tiles, level, asked, out).is_some() {
                return Ok(());
            }
        }
        self.slide.read_region(level, x, y, width_px, height_px, out)
    }

    fn icc_profile(&self) -> Option<Vec<u8>> {
        self.slide.icc_profile()
    }
}
