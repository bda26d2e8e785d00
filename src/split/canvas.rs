//! The pixels of a superblock, read cell by cell on all threads.

use std::sync::Mutex;

use rayon::ThreadPool;
use rayon::prelude::*;

use crate::slide::{PlaneReader, Region, RegionError};

/// Longest side of a region that is given up. A larger region that fails is read in quarters,
/// so that what lies around damage is kept.
const SMALLEST_PX: u32 = 64;

/// RGB pixels of a region of the working plane, `[row, col, channel]`; white where not read.
pub(super) struct RegionCanvas {
    region: Region,
    pixels: Vec<u8>,
    bad: Vec<(Region, RegionError)>,
}

impl RegionCanvas {
    pub(super) fn new() -> Self {
        Self { region: Region::new(0, 0, 0, 0), pixels: Vec::new(), bad: Vec::new() }
    }

    /// Reads `cells` of `region` and replaces the pixels of the canvas.
    pub(super) fn read(
        &mut self,
        region: Region,
        cells: &[Region],
        reader: &PlaneReader<'_>,
        pool: &ThreadPool,
    ) {
        self.region = region;
        self.bad.clear();
        if self.pixels.capacity() < bytes(&region) {
            // Freed first, because growing would hold the old pixels and the new ones.
            self.pixels = Vec::new();
        }
        self.pixels.resize(bytes(&region), 255);
        let shared = Mutex::new(&mut *self);
        // Cells are read in order, so that source tiles that neighbours share are still in a reader's cache.
        pool.install(|| {
            cells.iter().par_bridge().for_each_init(Vec::new, |buffer, cell| {
                read_cell(&shared, reader, *cell, buffer);
            });
        });
        self.bad.sort_by_key(|(cell, _)| (cell.y_px, cell.x_px));
    }

    /// Copies the pixels of a patch to `out`, `[row, col, channel]`.
    ///
    /// # Errors
    /// The [`RegionError`] of a region of the patch that could not be read.
    pub(super) fn cut(&self, patch: &Region, out: &mut Vec<u8>) -> Result<(), &RegionError> {
        if let Some((_, error)) = self.bad.iter().find(|(bad, _)| bad.intersection(patch).is_some())
        {
            return Err(error);
        }
        out.clear();
        out.reserve(bytes(patch));
        for y_px in patch.y_px..patch.bottom_px() {
            let start = self.offset(patch.x_px, y_px);
            out.extend_from_slice(&self.pixels[start..start + 3 * patch.width_px as usize]);
        }
        Ok(())
    }

    fn paste(&mut self, cell: &Region, pixels: &[u8]) {
        let row_bytes = 3 * cell.width_px as usize;
        for (row, line) in pixels.chunks_exact(row_bytes).enumerate() {
            let y_px = cell.y_px + i64::try_from(row).expect("a cell has few rows");
            let start = self.offset(cell.x_px, y_px);
            self.pixels[start..start + row_bytes].copy_from_slice(line);
        }
    }

    fn offset(&self, x_px: i64, y_px: i64) -> usize {
        let inside = |px: i64| usize::try_from(px).expect("patches and cells lie on the canvas");
        let (row, col) = (inside(y_px - self.region.y_px), inside(x_px - self.region.x_px));
        3 * (row * self.region.width_px as usize + col)
    }
}

/// Reads a cell. A failure is narrowed down, so that only patches that need the damaged part
/// fail.
fn read_cell(
    canvas: &Mutex<&mut RegionCanvas>,
    reader: &PlaneReader<'_>,
    cell: Region,
    buffer: &mut Vec<u8>,
) {
    buffer.resize(bytes(&cell), 0);
    let read = reader.read(cell, buffer);
    let locked = || canvas.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    match read {
        Ok(()) => locked().paste(&cell, buffer),
        Err(error) if cell.width_px.max(cell.height_px) <= SMALLEST_PX => {
            locked().bad.push((cell, error));
        }
        Err(_) => {
            for part in quarters(&cell) {
                read_cell(canvas, reader, part, buffer);
            }
        }
    }
}

/// Divides a region into four, or into two when it is thin.
fn quarters(region: &Region) -> impl Iterator<Item = Region> + use<> {
    let halves = |start: i64, len: u32| {
        let first = if len > SMALLEST_PX { len.div_ceil(2) } else { len };
        [(start, first), (start + i64::from(first), len - first)]
    };
    let rows = halves(region.y_px, region.height_px);
    let cols = halves(region.x_px, region.width_px);
    rows.into_iter()
        .flat_map(move |(y_px, height_px)| {
            cols.into_iter().map(move |(x_px, width_px)| Region { x_px, y_px, width_px, height_px })
        })
        .filter(|part| part.width_px > 0 && part.height_px > 0)
}

fn bytes(region: &Region) -> usize {
    usize::try_from(region.rgb_bytes()).expect("a canvas fits into memory")
}
