//! A superblock's pixels, read cell by cell on all threads.

use std::sync::Mutex;

use rayon::ThreadPool;
use rayon::prelude::*;

use super::superblock::Area;
use crate::slide::{PlaneReader, RegionError};

/// Smallest area a failed cell is searched down to: what can be read around
/// damage is kept.
const SMALLEST_PX: i64 = 64;

/// RGB pixels of an area, `[row, col, channel]`; white where not read.
pub(super) struct Canvas {
    area: Area,
    pixels: Vec<u8>,
    bad: Vec<(Area, RegionError)>,
}

impl Canvas {
    pub(super) fn new() -> Self {
        let area = Area { x_px: 0, y_px: 0, width_px: 0, height_px: 0 };
        Self { area, pixels: Vec::new(), bad: Vec::new() }
    }

    /// Reads `cells` of `area`, keeping the allocation of what was there.
    pub(super) fn read(
        &mut self,
        area: Area,
        cells: &[Area],
        reader: &PlaneReader<'_>,
        pool: &ThreadPool,
    ) {
        self.area = area;
        self.bad.clear();
        if self.pixels.capacity() < bytes(&area) {
            // Let go first: growing would hold the old pixels and the new.
            self.pixels = Vec::new();
        }
        self.pixels.resize(bytes(&area), 255);
        let shared = Mutex::new(&mut *self);
        // Cell after cell, so that what neighbours share is still in a reader's cache.
        pool.install(|| {
            cells.iter().par_bridge().for_each_init(Vec::new, |buffer, cell| {
                read_cell(&shared, reader, *cell, buffer);
            });
        });
        self.bad.sort_by_key(|(cell, _)| (cell.y_px, cell.x_px));
    }

    /// Copies a patch out, or says what kept it from being read.
    pub(super) fn cut(&self, patch: &Area, out: &mut Vec<u8>) -> Result<(), &RegionError> {
        if let Some((_, error)) = self.bad.iter().find(|(bad, _)| bad.intersection(patch).is_some())
        {
            return Err(error);
        }
        out.clear();
        out.reserve(bytes(patch));
        for row in 0..patch.height_px {
            let start = self.offset(patch.x_px, patch.y_px + row);
            out.extend_from_slice(&self.pixels[start..start + index(patch.width_px * 3)]);
        }
        Ok(())
    }

    fn paste(&mut self, cell: &Area, pixels: &[u8]) {
        let row_bytes = index(cell.width_px * 3);
        for (row, line) in pixels.chunks_exact(row_bytes).enumerate() {
            let y_px = cell.y_px + i64::try_from(row).expect("a cell has few rows");
            let start = self.offset(cell.x_px, y_px);
            self.pixels[start..start + row_bytes].copy_from_slice(line);
        }
    }

    fn offset(&self, x_px: i64, y_px: i64) -> usize {
        index(((y_px - self.area.y_px) * self.area.width_px + x_px - self.area.x_px) * 3)
    }
}

/// Reads a cell; a failure is narrowed down so that it costs no more than the
/// patches that need the damaged part.
fn read_cell(
    canvas: &Mutex<&mut Canvas>,
    reader: &PlaneReader<'_>,
    cell: Area,
    buffer: &mut Vec<u8>,
) {
    buffer.resize(bytes(&cell), 0);
    let side = |px: i64| u32::try_from(px).expect("a cell has a small, positive side");
    let read = reader.read(cell.x_px, cell.y_px, side(cell.width_px), side(cell.height_px), buffer);
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

/// Parts an area in four, or in two when it is thin.
fn quarters(area: &Area) -> impl Iterator<Item = Area> + use<> {
    let halves = |start: i64, len: i64| {
        let first = if len > SMALLEST_PX { (len + 1) / 2 } else { len };
        [(start, first), (start + first, len - first)]
    };
    let rows = halves(area.y_px, area.height_px);
    let cols = halves(area.x_px, area.width_px);
    rows.into_iter()
        .flat_map(move |(y_px, height_px)| {
            cols.into_iter().map(move |(x_px, width_px)| Area { x_px, y_px, width_px, height_px })
        })
        .filter(|part| part.width_px > 0 && part.height_px > 0)
}

fn bytes(area: &Area) -> usize {
    index(area.width_px * area.height_px * 3)
}

fn index(value: i64) -> usize {
    usize::try_from(value).expect("an offset inside the canvas is not negative")
}
