//! Tiles without data in TIFF slides. Scanners and converters store no bytes for a tile of
//! plain glass.

use std::fs::File;
use std::io;
use std::path::Path;

use crate::slide::tiff_file::{HEIGHT, TILE_BYTES, TILE_HEIGHT, TILE_WIDTH, Tiff, TiffTag, WIDTH};
use crate::slide::{Level, Region};

/// Formats in which a tile without data is background. For Aperio's, OpenSlide fills it from
/// the level above.
const VENDORS: [&str; 2] = ["generic-tiff", "philips"];

/// The tiles of a level, some of which have no data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct EmptyTiles {
    width_px: u32,
    height_px: u32,
    tile_width_px: u32,
    tile_height_px: u32,
    /// Whether a tile has no data; the tiles are counted row by row.
    is_empty: Vec<bool>,
}

/// For each level, its tiles if some have no data; `None` for a level whose size no directory, or
/// several directories, have.
pub(super) fn of_levels(path: &Path, vendor: &str, levels: &[Level]) -> Vec<Option<EmptyTiles>> {
    let grids = || File::open(path).and_then(|file| grids(&file));
    // OpenSlide has opened the file; what this parser does not understand is left to it.
    let grids = if VENDORS.contains(&vendor) { grids().unwrap_or_default() } else { Vec::new() };
    let of_level = |level: &Level| {
        let mut same = grids
            .iter()
            .filter(|grid| (grid.width_px, grid.height_px) == (level.width_px, level.height_px));
        let grid = same.next().filter(|grid| grid.is_empty.contains(&true))?;
        same.next().is_none().then(|| grid.clone())
    };
    levels.iter().map(of_level).collect()
}

fn grids(file: &File) -> io::Result<Vec<EmptyTiles>> {
    let (tiff, first) = Tiff::open(file)?;
    let directories = tiff.directories(first)?;
    let grids = directories.iter().map(|entries| grid(&tiff, entries));
    Ok(grids.collect::<io::Result<Vec<_>>>()?.into_iter().flatten().collect())
}

/// The tiles of a directory; `None` if it has no tiles, or not as many as its size asks for.
fn grid(tiff: &Tiff<'_>, entries: &[TiffTag]) -> io::Result<Option<EmptyTiles>> {
    let side = |tag| -> io::Result<u32> {
        let side = tiff.numbers(entries, tag)?.first().copied().unwrap_or(0);
        u32::try_from(side).map_err(io::Error::other)
    };
    let [width_px, height_px] = [side(WIDTH)?, side(HEIGHT)?];
    let [tile_width_px, tile_height_px] = [side(TILE_WIDTH)?, side(TILE_HEIGHT)?];
    if tile_width_px == 0 || tile_height_px == 0 {
        return Ok(None);
    }
    let is_empty: Vec<bool> =
        tiff.numbers(entries, TILE_BYTES)?.into_iter().map(|bytes| bytes == 0).collect();
    let columns = u64::from(width_px.div_ceil(tile_width_px));
    let expected = columns * u64::from(height_px.div_ceil(tile_height_px));
    let grid = EmptyTiles { width_px, height_px, tile_width_px, tile_height_px, is_empty };
    Ok((grid.is_empty.len() as u64 == expected).then_some(grid))
}

impl EmptyTiles {
    /// The tiles that a region touches, row by row, and whether each has no data. The region
    /// lies inside the level.
    pub(super) fn touched_by(&self, region: Region) -> impl Iterator<Item = (Region, bool)> {
        let [width, height] = [self.tile_width_px, self.tile_height_px].map(i64::from);
        let columns = i64::from(self.width_px.div_ceil(self.tile_width_px));
        let touched = move |start: i64, end: i64, side: i64| start / side..(end + side - 1) / side;
        let rows = touched(region.y_px, region.bottom_px(), height);
        rows.flat_map(move |row| {
            touched(region.x_px, region.right_px(), width).map(move |column| (column, row))
        })
        .map(move |(column, row)| {
            let tile = Region::new(
                column * width,
                row * height,
                self.tile_width_px.min(self.width_px - to_px(column * width)),
                self.tile_height_px.min(self.height_px - to_px(row * height)),
            );
            let number = usize::try_from(row * columns + column).ok();
            (tile, number.and_then(|number| self.is_empty.get(number)).copied().unwrap_or(false))
        })
    }
}

/// A position inside the level, which is not negative.
fn to_px(position: i64) -> u32 {
    u32::try_from(position).expect("a position inside the level is at least 0")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_that_a_region_touches_are_found_and_cut_at_the_edge() {
        let is_empty = vec![false, true, false, false, false, true];
        let grid = EmptyTiles {
            width_px: 25,
            height_px: 14,
            tile_width_px: 10,
            tile_height_px: 10,
            is_empty,
        };
        let found: Vec<_> = grid.touched_by(Region::new(10, 5, 15, 9)).collect();
        let expected = [
            (Region::new(10, 0, 10, 10), true),
            (Region::new(20, 0, 5, 10), false),
            (Region::new(10, 10, 10, 4), false),
            (Region::new(20, 10, 5, 4), true),
        ];
        assert_eq!(found, expected);
    }
}
