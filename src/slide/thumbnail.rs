//! Makes small pictures of mean colours, in which tissue is found: one pixel per tile, or
//! per square of a given size.

use std::ops::Range;

use ndarray::Array3;
use rayon::ThreadPool;
use rayon::prelude::*;

use super::raster::rounded_mean;
use super::{PlaneReader, Region, RegionError, Slide};

/// Smallest number of level px along a tile's side from which a mean is computed.
const MIN_PX: f64 = 8.0;

/// Smallest number of level px along the side of a pixel of the tissue picture.
const MIN_PICTURE_PX: f64 = 2.0;

/// Side, in level px, of the pieces that are read at once: 13 MB per thread.
const PIECE_SIDE_PX: f64 = 2048.0;

/// Largest number of reads that search for the damaged tiles of one piece. After that, each
/// area that is not narrowed down to one tile counts as damaged altogether.
const SEARCH_READS: usize = 256;

/// A picture of the mean colours of squares, such as tiles.
#[derive(Debug, Clone, PartialEq)]
pub struct TileThumbnail {
    /// Mean colour of the part of each tile that lies inside the slide, u8 [tile row, tile
    /// col, rgb]; white (255) for tiles that could not be read.
    pub rgb: Array3<u8>,
    /// The tiles that could not be read, in tile order.
    pub failed: Vec<FailedTiles>,
}

/// A rectangle of tiles whose pixels could not be read.
#[derive(Debug, Clone, PartialEq)]
pub struct FailedTiles {
    /// Rows of the tiles.
    pub rows: Range<u32>,
    /// Columns of the tiles.
    pub cols: Range<u32>,
    /// The error of reading.
    pub error: RegionError,
}

/// Mean colours of the tiles of a working plane. Tile (row, col) covers working px
/// [col * `tile_px`, (col + 1) * `tile_px`) along x, and likewise along y.
///
/// The means are computed from the coarsest level that has at least 8 px along a tile's
/// side, or from the finest level if none has. A level's pixel belongs to the tile that
/// contains the pixel's centre. The result does not depend on the number of threads in
/// `pool`. Memory: about
/// 30 MB per thread.
///
/// # Errors
/// The first [`RegionError`] when no tile can be read.
pub fn tile_thumbnail(
    reader: &PlaneReader<'_>,
    tile_px: u32,
    pool: &ThreadPool,
) -> Result<TileThumbnail, RegionError> {
    TileMeans::new(reader, f64::from(tile_px.max(1)), MIN_PX).run(pool)
}

/// Mean colours of squares of `step_px` working px (at least 1). This differs from
/// [`tile_thumbnail`] in the size of the squares and in the level, which needs only 2 px
/// along a square's side.
///
/// # Errors
/// The first [`RegionError`] when no square can be read.
pub(crate) fn tissue_picture(
    reader: &PlaneReader<'_>,
    step_px: f64,
    pool: &ThreadPool,
) -> Result<TileThumbnail, RegionError> {
    TileMeans::new(reader, step_px.max(1.0), MIN_PICTURE_PX).run(pool)
}

/// A rectangle of tiles: ranges of tile rows and columns.
#[derive(Debug, Clone)]
struct Area {
    rows: Range<u32>,
    cols: Range<u32>,
}

impl Area {
    fn len(&self) -> usize {
        self.rows.len() * self.cols.len()
    }

    /// The two halves of the area, divided across the longer side.
    fn halves(&self) -> [Self; 2] {
        let cut = |range: &Range<u32>| {
            let middle = range.start + (range.end - range.start) / 2;
            (range.start..middle, middle..range.end)
        };
        if self.rows.len() >= self.cols.len() {
            let (upper, lower) = cut(&self.rows);
            [upper, lower].map(|rows| Self { rows, cols: self.cols.clone() })
        } else {
            let (left, right) = cut(&self.cols);
            [left, right].map(|cols| Self { rows: self.rows.clone(), cols })
        }
    }
}

/// Mean colours of an area, and its tiles that could not be read.
struct Means {
    area: Area,
    /// [row, col, rgb] within the area.
    rgb: Vec<u8>,
    failed: Vec<FailedTiles>,
}

/// Measures the mean colours of all tiles of a plane.
struct TileMeans<'a> {
    slide: &'a dyn Slide,
    level: usize,
    /// Level px along a tile's side.
    side_px: f64,
    limit_px: [u32; 2],
    tiles: Area,
}

impl<'a> TileMeans<'a> {
    /// Squares of `tile_px` working px, from a level with at least `fewest_px` along them.
    fn new(reader: &PlaneReader<'a>, tile_px: f64, fewest_px: f64) -> Self {
        let (slide, plane) = (reader.slide(), reader.plane());
        let levels = slide.levels();
        let level0_side_px = tile_px * plane.downsample;
        let level = (0..levels.len())
            .filter(|&level| level0_side_px / levels[level].downsample >= fewest_px)
            .max_by(|&a, &b| levels[a].downsample.total_cmp(&levels[b].downsample))
            .unwrap_or(0);
        let info = levels[level];
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "tiles are at least a px wide"
        )]
        let count = |px: u32| (f64::from(px) / tile_px).ceil() as u32;
        let tiles = Area { rows: 0..count(plane.height_px), cols: 0..count(plane.width_px) };
        let side_px = level0_side_px / info.downsample;
        Self { slide, level, side_px, limit_px: [info.width_px, info.height_px], tiles }
    }

    fn run(&self, pool: &ThreadPool) -> Result<TileThumbnail, RegionError> {
        let pieces = self.pieces();
        // Pieces are read in order, one per task, because each is a large read.
        let done = pool
            .install(|| pieces.par_iter().with_max_len(1).map(|piece| self.means(piece)).collect());
        self.assemble(done)
    }

    fn pieces(&self) -> Vec<Area> {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "1 to 2048")]
        let step = (PIECE_SIDE_PX / self.side_px).clamp(1.0, PIECE_SIDE_PX) as usize;
        let cut = |range: &Range<u32>| {
            let end = range.end;
            let starts = range.clone().step_by(step);
            starts.map(move |start| start..end.min(start + u32::try_from(step).unwrap_or(1)))
        };
        let rows = cut(&self.tiles.rows);
        rows.flat_map(|rows| {
            cut(&self.tiles.cols).map(move |cols| Area { rows: rows.clone(), cols })
        })
        .collect()
    }

    /// The level px whose centres lie in tile `index` along an axis; at least one px, the
    /// nearest, where no centre does.
    fn pixels(&self, index: u32, axis: usize) -> Range<u32> {
        let limit = self.limit_px[axis];
        let edge = |index: f64| {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "clamped to the level"
            )]
            let edge = (index * self.side_px - 0.5).ceil().clamp(0.0, f64::from(limit)) as u32;
            edge
        };
        let (start, end) = (edge(f64::from(index)), edge(f64::from(index) + 1.0));
        if start < end {
            return start..end;
        }
        let only = start.min(limit - 1);
        only..only + 1
    }

    fn means(&self, area: &Area) -> Means {
        let mut rgb = vec![255; 3 * area.len()];
        let mut failed = Vec::new();
        let mut reads_left = SEARCH_READS;
        let mut buffer = Vec::new();
        let mut waiting = vec![area.clone()];
        while let Some(part) = waiting.pop() {
            reads_left = reads_left.saturating_sub(1);
            match self.read(&part, &mut buffer) {
                Ok(left_top) => self.average(&part, left_top, &buffer, area, &mut rgb),
                Err(_) if part.len() > 1 && reads_left > 0 => {
                    let [first, second] = part.halves();
                    waiting.extend([second, first]);
                }
                Err(error) => {
                    failed.push(FailedTiles { rows: part.rows, cols: part.cols, error });
                }
            }
        }
        Means { area: area.clone(), rgb, failed }
    }

    /// Reads the level px of an area into `buffer`, and returns their left and top px.
    fn read(&self, area: &Area, buffer: &mut Vec<u8>) -> Result<[u32; 2], RegionError> {
        let span = |tiles: &Range<u32>, axis| {
            self.pixels(tiles.start, axis).start..self.pixels(tiles.end - 1, axis).end
        };
        let (cols, rows) = (span(&area.cols, 0), span(&area.rows, 1));
        buffer.resize(3 * cols.len() * rows.len(), 0);
        let region = Region {
            x_px: cols.start.into(),
            y_px: rows.start.into(),
            width_px: cols.end - cols.start,
            height_px: rows.end - rows.start,
        };
        self.slide.read_region(self.level, region, buffer)?;
        Ok([cols.start, rows.start])
    }

    fn average(
        &self,
        part: &Area,
        [left, top]: [u32; 2],
        buffer: &[u8],
        area: &Area,
        rgb: &mut [u8],
    ) {
        let right = self.pixels(part.cols.end - 1, 0).end;
        let line_len = 3 * (right - left) as usize;
        let spans: Vec<_> = part
            .cols
            .clone()
            .map(|col| self.pixels(col, 0))
            .map(|span| 3 * (span.start - left) as usize..3 * (span.end - left) as usize)
            .collect();
        for row in part.rows.clone() {
            let lines = self.pixels(row, 1);
            let mut sums = vec![[0u64; 3]; spans.len()];
            for y in lines.clone() {
                let line = &buffer[(y - top) as usize * line_len..][..line_len];
                for (sum, span) in sums.iter_mut().zip(&spans) {
                    add(sum, &line[span.clone()]);
                }
            }
            let first = (row - area.rows.start) as usize * area.cols.len()
                + (part.cols.start - area.cols.start) as usize;
            for (index, (sum, span)) in sums.iter().zip(&spans).enumerate() {
                let count = lines.len() as u64 * span.len() as u64 / 3;
                let pixel = &mut rgb[3 * (first + index)..][..3];
                pixel.copy_from_slice(&sum.map(|total| rounded_mean(total, count)));
            }
        }
    }

    fn assemble(&self, done: Vec<Means>) -> Result<TileThumbnail, RegionError> {
        let shape = (self.tiles.rows.len(), self.tiles.cols.len(), 3);
        let mut rgb = Array3::from_elem(shape, 255);
        let mut failed = Vec::new();
        for means in done {
            let colours = means.rgb.chunks_exact(3);
            let rows = means.area.rows.clone();
            let tiles = rows.flat_map(|row| means.area.cols.clone().map(move |col| (row, col)));
            for ((row, col), colour) in tiles.zip(colours) {
                for (channel, value) in colour.iter().enumerate() {
                    rgb[[row as usize, col as usize, channel]] = *value;
                }
            }
            failed.extend(means.failed);
        }
        let lost: usize = failed.iter().map(|f: &FailedTiles| f.rows.len() * f.cols.len()).sum();
        match failed.first() {
            Some(first) if lost == self.tiles.len() => Err(first.error.clone()),
            _ => Ok(TileThumbnail { rgb, failed }),
        }
    }
}

/// Adds the pixels, u8 [pixel, rgb], to the sum of each channel.
fn add(sum: &mut [u64; 3], pixels: &[u8]) {
    let mut part = [0u32; 3];
    for pixel in pixels.as_chunks::<3>().0 {
        for channel in 0..3 {
            part[channel] += u32::from(pixel[channel]);
        }
    }
    for channel in 0..3 {
        sum[channel] += u64::from(part[channel]);
    }
}
