//! A level that is stored as a grid of JPEG tiles: finding and decoding its tiles.

use std::cell::RefCell;
use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;

use super::turbo::{Decoder, TurboJpeg};
use crate::crash::LibraryCall;
use crate::slide::openslide::OpenSlideReader;
use crate::slide::tiff_jpeg_tiles::{SOI, TiledJpeg};
use crate::slide::{Region, Slide};

/// Largest length of a tile's stream, bytes; no uncompressed tile is larger.
const MAX_BYTES: u64 = 1 << 28;

thread_local! {
    /// This thread's decoder and the buffer for the stream.
    static WORK: RefCell<(Option<Decoder>, Vec<u8>)> = const { RefCell::new((None, Vec::new())) };
}

/// The tiles of a level.
pub(super) struct TileLevel {
    stored: TiledJpeg,
}

/// The part of a tile that a region shows, along one axis: `len` px, which start at `from`
/// in the tile and at `to` in the region.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TileSpan {
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) len: usize,
}

/// For each level of the slide the directory of the same size; `None` if there is no such
/// directory or more than one. Levels whose downsample is not a whole number have none
/// either, because OpenSlide interpolates their pixels.
pub(super) fn matching(slide: &OpenSlideReader, found: &[TiledJpeg]) -> Vec<Option<TileLevel>> {
    let of_level = |(index, level): (usize, &crate::slide::Level)| {
        let size = [level.width_px, level.height_px];
        let mut same = found.iter().filter(|d| [d.width_px, d.height_px] == size);
        let stored = same.next().filter(|_| slide.downsample_is_whole(index))?;
        same.next().is_none().then(|| TileLevel { stored: stored.clone() })
    };
    slide.levels().iter().enumerate().map(of_level).collect()
}

impl TileLevel {
    pub(super) fn tile_px(&self) -> [u32; 2] {
        [self.stored.tile_width_px, self.stored.tile_height_px]
    }

    /// Number of tile columns and tile rows.
    pub(super) fn grid(&self) -> [u32; 2] {
        let [width, height] = self.tile_px();
        [self.stored.width_px.div_ceil(width), self.stored.height_px.div_ceil(height)]
    }

    /// Index of a tile; tiles are counted row by row.
    pub(super) fn number(&self, column: u32, row: u32) -> usize {
        row as usize * self.grid()[0] as usize + column as usize
    }

    /// Length of a tile's stream, bytes.
    pub(super) fn bytes(&self, number: usize) -> u64 {
        self.stored.tiles[number].bytes
    }

    /// The tile columns that a region touches.
    pub(super) fn columns(&self, x: i64, width_px: u32) -> Range<u32> {
        touched(x, width_px, self.stored.width_px, self.stored.tile_width_px)
    }

    /// The tile rows that a region touches.
    pub(super) fn rows(&self, y: i64, height_px: u32) -> Range<u32> {
        touched(y, height_px, self.stored.height_px, self.stored.tile_height_px)
    }

    /// The part of a tile that a region shows, along x and y.
    pub(super) fn spans(&self, column: u32, row: u32, asked: Region) -> [TileSpan; 2] {
        let [width, height] = self.tile_px();
        [
            span(column, width, self.stored.width_px, asked.x_px, asked.width_px),
            span(row, height, self.stored.height_px, asked.y_px, asked.height_px),
        ]
    }

    /// Decodes a whole tile into `out`, RGB in lines of `line_bytes`. `None` when the tile
    /// is missing, damaged or of an unsupported kind; `out` is then undefined.
    pub(super) fn decode(
        &self,
        turbo: &'static TurboJpeg,
        file: &File,
        number: usize,
        out: &mut [u8],
        line_bytes: usize,
    ) -> Option<()> {
        let stored = self.stored.tiles[number];
        let bytes = usize::try_from(stored.bytes).ok()?;
        if stored.bytes < 4 || stored.bytes > MAX_BYTES {
            return None;
        }
        let _call = LibraryCall::start();
        WORK.with_borrow_mut(|(decoder, stream)| {
            // The shared tables take the place of the tile's own SOI.
            let prefix = &self.stored.prefix;
            let start = prefix.len().saturating_sub(SOI.len());
            if stream.len() < start + bytes {
                stream.resize(start + bytes, 0);
            }
            let stream = &mut stream[..start + bytes];
            file.read_exact_at(&mut stream[start..], stored.offset).ok()?;
            if stream[start..][..SOI.len()] != SOI {
                return None;
            }
            stream[..prefix.len()].copy_from_slice(prefix);
            if decoder.is_none() {
                *decoder = turbo.decoder();
            }
            decoder.as_mut()?.decode(stream, self.tile_px(), out, line_bytes)
        })
    }
}

/// The tiles of `tile_px` that the range [start, start + len) of a level touches.
fn touched(start: i64, len: u32, level_px: u32, tile_px: u32) -> Range<u32> {
    let end = start.saturating_add(len.into()).clamp(0, level_px.into());
    let start = start.clamp(0, level_px.into());
    if start >= end {
        return 0..0;
    }
    let tile = i64::from(tile_px);
    let number = |tile: i64| u32::try_from(tile).unwrap_or(0);
    number(start / tile)..number((end - 1) / tile + 1)
}

fn span(tile: u32, tile_px: u32, level_px: u32, start: i64, len: u32) -> TileSpan {
    let tile_start = i64::from(tile) * i64::from(tile_px);
    let tile_end = (tile_start + i64::from(tile_px)).min(level_px.into());
    let from = tile_start.max(start);
    let to = tile_end.min(start.saturating_add(len.into()));
    let px = |px: i64| usize::try_from(px).unwrap_or(0);
    TileSpan { from: px(from - tile_start), to: px(from - start), len: px(to - from) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn spans_cover_each_pixel_inside_the_level_once(
            start in -300i64..900,
            len in 0u32..700,
            level_px in 1u32..600,
            tile_px in 1u32..200,
        ) {
            let mut shown = vec![None; len as usize];
            for tile in touched(start, len, level_px, tile_px) {
                let span = span(tile, tile_px, level_px, start, len);
                prop_assert!(span.len > 0);
                for index in 0..span.len {
                    let position = tile as usize * tile_px as usize + span.from + index;
                    prop_assert_eq!(shown[span.to + index].replace(position), None);
                }
            }
            for (index, shown) in shown.iter().enumerate() {
                let position = start + i64::try_from(index).unwrap();
                let inside = (0..i64::from(level_px)).contains(&position);
                prop_assert_eq!(*shown, inside.then(|| usize::try_from(position).unwrap()));
            }
        }
    }

    #[test]
    fn regions_far_outside_touch_nothing() {
        for start in [i64::MIN, i64::MAX, -10, 600] {
            assert!(touched(start, 10, 600, 100).is_empty(), "{start}");
        }
    }
}
