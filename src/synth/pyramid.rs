//! Draws and writes a whole slide in bounded memory: tiles are drawn in the order of a
//! quad-tree, and a parent is made as soon as its four children are done.
//!
//! Memory: about 4 MB and four encoded families per thread, two tiles of 0.8 MB per level, and
//! 12 bytes per tile. That is below 100 MB for 100,000 x 100,000 px with eight threads.

use std::io;
use std::path::Path;

use jpeg_encoder::{ColorType, Encoder, EncodingError, SamplingFactor};

use super::canvas::SIDE;
use super::render::{Brush, Scene};
use crate::bigtiff::{BigTiff, DirectoryLinks, TILE_PX, Tags, TiffLevel, TileLocation, TilePixels};
use crate::interrupt::Interrupt;
use crate::pipeline::Pipeline;
use crate::staged::StageError;

const TILE_BYTES: usize = SIDE * SIDE * 3;
const JPEG_QUALITY: u8 = 85;

/// The content of a tile.
enum TileContent {
    Glass,
    /// `[row, col, rgb]`, 512 x 512.
    Drawn(Box<[u8]>),
}

/// An encoded tile; `jpeg` is `None` if the tile shows only glass.
struct Encoded {
    level: usize,
    column: u32,
    row: u32,
    jpeg: Option<Vec<u8>>,
}

/// One unit of the drawing threads' work: a tile of level 1 and the four tiles of level 0
/// below it.
struct TileFamily {
    /// The encoded tiles, as far as they exist.
    tiles: Vec<Encoded>,
    /// The pixels of the tile of level 1.
    top: TileContent,
}

/// The levels of the slide. Each has half the size of the one before, and the last fits one
/// tile.
fn levels(width: u32, height: u32) -> Vec<TiffLevel> {
    let mut all = Vec::new();
    let (mut w, mut h) = (width, height);
    loop {
        all.push(TiffLevel::new(w, h));
        if w.max(h) <= TILE_PX {
            return all;
        }
        (w, h) = ((w / 2).max(1), (h / 2).max(1));
    }
}

fn encode(rgb: &[u8]) -> Result<Vec<u8>, EncodingError> {
    let mut jpeg = Vec::with_capacity(128 << 10);
    let mut encoder = Encoder::new(&mut jpeg, JPEG_QUALITY);
    encoder.set_sampling_factor(SamplingFactor::F_2_2);
    let side = u16::try_from(TILE_PX).expect("a tile is small");
    encoder.encode(rgb, side, side, ColorType::Rgb)?;
    Ok(jpeg)
}

/// Encodes and decodes a tile, `[row, col, rgb]`, 512 x 512.
pub(super) fn through_jpeg(rgb: &[u8]) -> Vec<u8> {
    let jpeg = encode(rgb).expect("a tile has this size");
    let decoded = image::load_from_memory_with_format(&jpeg, image::ImageFormat::Jpeg);
    decoded.expect("the tile was just encoded").into_rgb8().into_raw()
}

/// Averages 2 x 2 pixels of four children (north-west, north-east, south-west, south-east)
/// into a pixel of the parent.
fn reduce(children: &[TileContent; 4], background: [u8; 3]) -> TileContent {
    if children.iter().all(|child| matches!(child, TileContent::Glass)) {
        return TileContent::Glass;
    }
    let mut parent = vec![0u8; TILE_BYTES].into_boxed_slice();
    let half = SIDE / 2;
    for (number, child) in children.iter().enumerate() {
        let (left, top) = (number % 2 * half, number / 2 * half);
        for y in 0..half {
            let start = ((top + y) * SIDE + left) * 3;
            let out = parent[start..start + half * 3].as_chunks_mut::<3>().0;
            let TileContent::Drawn(rgb) = child else {
                out.fill(background);
                continue;
            };
            let (upper, lower) = rgb[2 * y * SIDE * 3..][..2 * SIDE * 3].split_at(SIDE * 3);
            let (upper, lower) = (upper.as_chunks::<6>().0, lower.as_chunks::<6>().0);
            for ((pixel, a), b) in out.iter_mut().zip(upper).zip(lower) {
                for c in 0..3 {
                    let sum = u16::from(a[c])
                        + u16::from(a[c + 3])
                        + u16::from(b[c])
                        + u16::from(b[c + 3]);
                    pixel[c] = u8::try_from((sum + 2) >> 2).expect("a mean of bytes is a byte");
                }
            }
        }
    }
    TileContent::Drawn(parent)
}

/// What all drawing threads share.
struct PyramidPlan<'a> {
    scene: &'a Scene,
    /// Number of tile columns and rows of each level.
    tiles: Vec<(u32, u32)>,
    background: [u8; 3],
}

impl PyramidPlan<'_> {
    fn exists(&self, level: usize, column: u32, row: u32) -> bool {
        self.tiles.get(level).is_some_and(|&(columns, rows)| column < columns && row < rows)
    }

    /// Whether level 0 has a tile below this one. The tile itself need not exist, because
    /// the sizes of levels are rounded down.
    fn has_leaf(&self, level: usize, column: u32, row: u32) -> bool {
        self.exists(0, column << level, row << level)
    }

    fn encoded(
        &self,
        level: usize,
        column: u32,
        row: u32,
        pixels: &TileContent,
    ) -> Result<Encoded, EncodingError> {
        let jpeg = match pixels {
            TileContent::Glass => None,
            TileContent::Drawn(rgb) => Some(encode(rgb)?),
        };
        Ok(Encoded { level, column, row, jpeg })
    }

    /// Draws and encodes tile (`column`, `row`) of level 1 and the tiles below it.
    fn family(
        &self,
        column: u32,
        row: u32,
        brush: &mut Brush,
    ) -> Result<TileFamily, EncodingError> {
        let mut tiles = Vec::with_capacity(5);
        let mut children = [const { TileContent::Glass }; 4];
        for (child, (dx, dy)) in children.iter_mut().zip([(0, 0), (1, 0), (0, 1), (1, 1)]) {
            let (x, y) = (2 * column + dx, 2 * row + dy);
            if !self.exists(0, x, y) {
                continue;
            }
            let mut rgb = vec![0u8; TILE_BYTES].into_boxed_slice();
            if self.scene.draw(x, y, brush, &mut rgb) {
                *child = TileContent::Drawn(rgb);
            }
            tiles.push(self.encoded(0, x, y, child)?);
        }
        let top = reduce(&children, self.background);
        if self.exists(1, column, row) {
            tiles.push(self.encoded(1, column, row, &top)?);
        }
        Ok(TileFamily { tiles, top })
    }

    /// The tiles (column, row) of level 1 in the order of the quad-tree.
    fn families(&self) -> Vec<(u32, u32)> {
        let mut found = Vec::new();
        self.collect(self.tiles.len(), 0, 0, &mut found);
        found
    }

    fn collect(&self, level: usize, column: u32, row: u32, found: &mut Vec<(u32, u32)>) {
        if !self.has_leaf(level, column, row) {
        } else if level == 1 {
            found.push((column, row));
        } else {
            for (dx, dy) in [(0, 0), (1, 0), (0, 1), (1, 1)] {
                self.collect(level - 1, 2 * column + dx, 2 * row + dy, found);
            }
        }
    }
}

/// Writes the tiles of the families in order, and makes the levels above level 1.
struct Writer<'a> {
    plan: &'a PyramidPlan<'a>,
    tiff: &'a mut BigTiff,
    glass_jpeg: Vec<u8>,
    glass: Option<TileLocation>,
    /// In the order of [`PyramidPlan::families`].
    families: &'a mut dyn Iterator<Item = TileFamily>,
}

impl Writer<'_> {
    fn put(&mut self, tile: &Encoded) -> io::Result<()> {
        let stored = match (&tile.jpeg, self.glass) {
            (Some(jpeg), _) => self.tiff.store(jpeg)?,
            (None, Some(glass)) => glass,
            (None, None) => {
                let glass = self.tiff.store(&self.glass_jpeg)?;
                self.glass = Some(glass);
                glass
            }
        };
        self.tiff.place(tile.level, tile.column, tile.row, stored);
        Ok(())
    }

    /// Writes all tiles below a node and then the node's own tile, whose pixels are
    /// returned.
    fn visit(&mut self, level: usize, column: u32, row: u32) -> io::Result<TileContent> {
        if !self.plan.has_leaf(level, column, row) {
            return Ok(TileContent::Glass);
        }
        if level == 1 {
            // None is left where drawing failed, whose error is the one to report.
            let family =
                self.families.next().ok_or_else(|| io::Error::other("a tile is missing"))?;
            family.tiles.iter().try_for_each(|tile| self.put(tile))?;
            return Ok(family.top);
        }
        let mut children = [const { TileContent::Glass }; 4];
        for (child, (dx, dy)) in children.iter_mut().zip([(0, 0), (1, 0), (0, 1), (1, 1)]) {
            *child = self.visit(level - 1, 2 * column + dx, 2 * row + dy)?;
        }
        let pixels = reduce(&children, self.plan.background);
        if self.plan.exists(level, column, row) {
            let tile = self.plan.encoded(level, column, row, &pixels).map_err(io::Error::other)?;
            self.put(&tile)?;
        }
        Ok(pixels)
    }
}

/// Draws `scene`, `width` x `height` px, into the file `target` with `threads` threads. The
/// content of the file does not depend on `threads`.
pub(super) fn write(
    target: &Path,
    scene: &Scene,
    width: u32,
    height: u32,
    um_per_px: f64,
    description: &str,
    threads: usize,
) -> Result<(), StageError> {
    let mut tiff = BigTiff::create(target, levels(width, height))?;
    let undrawn = |source| StageError { path: target.to_owned(), action: "write it", source };
    let tiles = tiff.levels().iter().map(|level| (level.columns(), level.rows())).collect();
    let background = scene.stain.background();
    let plan = PyramidPlan { scene, tiles, background };
    let glass_jpeg =
        encode(&background.repeat(SIDE * SIDE)).map_err(|e| undrawn(io::Error::other(e)))?;
    let pipeline = Pipeline { queue: 4 * threads, interrupt: &Interrupt::new() };
    let workers = (0..threads).map(|_| {
        let (plan, mut brush) = (&plan, Brush::new());
        move |(column, row)| plan.family(column, row, &mut brush).map_err(io::Error::other)
    });
    let write = |families: &mut dyn Iterator<Item = TileFamily>| {
        let mut writer = Writer { plan: &plan, tiff: &mut tiff, glass_jpeg, glass: None, families };
        // The walk begins one level above the last, at the single node over the whole tree.
        writer.visit(plan.tiles.len(), 0, 0).map(drop)
    };
    pipeline.run_in_order(plan.families().into_iter(), workers, write).map_err(undrawn)?;
    tiff.finish(&Tags {
        pixels: TilePixels::JpegRgb,
        links: DirectoryLinks::Successive,
        um_per_px: Some([um_per_px; 2]),
        description,
        range: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_halved_until_one_fits_a_tile() {
        let sizes = |w, h| levels(w, h).iter().map(|l| (l.width, l.height)).collect::<Vec<_>>();
        assert_eq!(sizes(2000, 1025), [(2000, 1025), (1000, 512), (500, 256)]);
        assert_eq!(levels(100_000, 90_000).len(), 9);
    }
}
