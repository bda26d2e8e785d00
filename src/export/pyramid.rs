//! Pyramids of scores, for the formats that viewers zoom into. A pyramid is streamed:
//! the caller supplies row after row, the pyramid returns tiles, and memory holds one
//! row of tiles per level.
//!
//! A pixel of a level is the largest of the four pixels of the finer level, and NaN only
//! if all four are NaN. A small focus therefore stays visible at low resolution.

/// Sizes (width, height) of all levels, the finest first. Each level has half the size of
/// the one before, rounded up; the last has no side longer than `smallest_px` (or 1 px).
pub(super) fn sizes(width_px: u32, height_px: u32, smallest_px: u32) -> Vec<LevelSize> {
    let mut size = LevelSize { width_px, height_px };
    let mut all = vec![size];
    while size.width_px.max(size.height_px) > smallest_px.max(1) {
        let (width_px, height_px) = (size.width_px.div_ceil(2), size.height_px.div_ceil(2));
        size = LevelSize { width_px, height_px };
        all.push(size);
    }
    all
}

/// The size of a level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LevelSize {
    pub(super) width_px: u32,
    pub(super) height_px: u32,
}

/// A tile of a level, cut off at the edge of the level.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Tile<'a> {
    /// The level; 0 is the finest.
    pub(super) level: usize,
    /// Tile column.
    pub(super) column: u32,
    /// Tile row.
    pub(super) row: u32,
    /// The rows of the tile, all of the same length; neither their number nor their length
    /// exceeds the side of a tile.
    pub(super) rows: Vec<&'a [f32]>,
}

/// The rows of one level that wait until their row of tiles is whole.
struct Band {
    width: usize,
    height: usize,
    /// The values of the waiting rows, `[row, col]`.
    rows: Vec<f32>,
    /// Number of rows of the level received so far.
    received: usize,
    /// The first of the two rows that make one row of the next level; empty when the next
    /// row is such a first row.
    unpaired: Vec<f32>,
}

/// Streams the levels of `sizes` in tiles of `tile_px`: `source` fills the rows of the
/// finest level one by one, and `sink` receives each tile of every level once.
pub(super) fn stream<E>(
    sizes: &[LevelSize],
    tile_px: usize,
    mut source: impl FnMut(usize, &mut [f32]) -> Result<(), E>,
    mut sink: impl FnMut(&Tile<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let band = |size: &LevelSize| Band {
        width: size.width_px as usize,
        height: size.height_px as usize,
        rows: Vec::new(),
        received: 0,
        unpaired: Vec::new(),
    };
    let mut bands: Vec<Band> = sizes.iter().map(band).collect();
    let mut values = vec![0.0; bands[0].width];
    for row in 0..bands[0].height {
        source(row, &mut values)?;
        push(&mut bands, 0, tile_px, &values, &mut sink)?;
    }
    Ok(())
}

/// Adds a row to a level, passes on the tiles that are then whole, and adds a row to the
/// next level after each pair of rows.
fn push<E>(
    bands: &mut [Band],
    level: usize,
    tile_px: usize,
    row: &[f32],
    sink: &mut impl FnMut(&Tile<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let has_next = level + 1 < bands.len();
    let band = &mut bands[level];
    band.rows.extend_from_slice(row);
    band.received += 1;
    let is_last = band.received == band.height;
    if is_last || band.received.is_multiple_of(tile_px) {
        flush(band, level, tile_px, sink)?;
    }
    if !has_next {
        return Ok(());
    }
    let reduced = if band.unpaired.is_empty() && !is_last {
        band.unpaired.extend_from_slice(row);
        None
    } else if band.unpaired.is_empty() {
        Some(reduce_rows(row, row))
    } else {
        Some(reduce_rows(&std::mem::take(&mut band.unpaired), row))
    };
    reduced.map_or(Ok(()), |reduced| push(bands, level + 1, tile_px, &reduced, sink))
}

fn flush<E>(
    band: &mut Band,
    level: usize,
    tile_px: usize,
    sink: &mut impl FnMut(&Tile<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let number = |n: usize| u32::try_from(n).expect("a level has fewer than 2^32 rows and columns");
    let row = number((band.received - 1) / tile_px);
    for (column, left) in (0..band.width).step_by(tile_px).enumerate() {
        let right = (left + tile_px).min(band.width);
        let rows = band.rows.chunks(band.width).map(|row| &row[left..right]).collect();
        sink(&Tile { level, column: number(column), row, rows })?;
    }
    band.rows.clear();
    Ok(())
}

/// One row of the next level from two rows of a level; half as long, rounded up.
fn reduce_rows(upper: &[f32], lower: &[f32]) -> Vec<f32> {
    let pairs = upper.chunks(2).zip(lower.chunks(2));
    // `f32::max` ignores NaN.
    pairs.map(|(a, b)| a.iter().chain(b).copied().fold(f32::NAN, f32::max)).collect()
}

/// The next level of a whole map, `[row, col]`, made at once.
pub(super) fn reduce_map(map: ndarray::ArrayView2<'_, f32>) -> ndarray::Array2<f32> {
    let (rows, cols) = map.dim();
    ndarray::Array2::from_shape_fn((rows.div_ceil(2), cols.div_ceil(2)), |(row, col)| {
        let cells = [(0, 0), (0, 1), (1, 0), (1, 1)];
        let cells = cells.into_iter().filter_map(|(dy, dx)| map.get((2 * row + dy, 2 * col + dx)));
        cells.copied().fold(f32::NAN, f32::max)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array2, s};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_tiles_of_a_level_join_to_the_whole_level(
            width in 1u32..70, height in 1u32..70, tile in 1usize..20, seed in any::<u32>(),
        ) {
            let sizes = sizes(width, height, 3);
            let value = |y: usize, x: usize| {
                let hash = (y as u32 * 7919 + x as u32 * 104_729).wrapping_mul(seed | 1) >> 9;
                if hash.is_multiple_of(3) { f32::NAN } else { (hash % 1000) as f32 / 1000.0 }
            };
            let mut expected = vec![Array2::from_shape_fn(
                (height as usize, width as usize), |(y, x)| value(y, x),
            )];
            while expected.len() < sizes.len() {
                expected.push(reduce_map(expected[expected.len() - 1].view()));
            }
            let mut found: Vec<Array2<f32>> =
                expected.iter().map(|level| Array2::from_elem(level.dim(), -1.0)).collect();
            let fill = |y: usize, row: &mut [f32]| -> Result<(), ()> {
                row.iter_mut().enumerate().for_each(|(x, v)| *v = value(y, x));
                Ok(())
            };
            stream(&sizes, tile, fill, |t| {
                let (top, left) = (t.row as usize * tile, t.column as usize * tile);
                for (y, row) in t.rows.iter().enumerate() {
                    let mut slot = found[t.level].slice_mut(s![top + y, left..left + row.len()]);
                    assert!(slot.iter().all(|v| *v == -1.0), "a tile was passed twice");
                    slot.assign(&ndarray::ArrayView1::from(*row));
                }
                Ok::<(), ()>(())
            }).unwrap();
            for ((found, expected), size) in found.iter().zip(&expected).zip(&sizes) {
                prop_assert_eq!(found.dim(), (size.height_px as usize, size.width_px as usize));
                let same = |(a, b): (&f32, &f32)| a == b || (a.is_nan() && b.is_nan());
                prop_assert!(found.iter().zip(expected).all(same));
            }
        }
    }

    #[test]
    fn sizes_are_halved_and_rounded_up() {
        let sizes = |width_px, height_px, smallest_px| -> Vec<(u32, u32)> {
            let sizes = sizes(width_px, height_px, smallest_px).into_iter();
            sizes.map(|size| (size.width_px, size.height_px)).collect()
        };
        assert_eq!(sizes(5, 3, 1), [(5, 3), (3, 2), (2, 1), (1, 1)]);
        assert_eq!(sizes(1, 1, 1), [(1, 1)]);
        assert_eq!(sizes(600, 20, 512), [(600, 20), (300, 10)]);
    }
}
