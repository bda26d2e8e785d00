//! Reads a slide in pixels of its working plane; `split` cuts patches from these.

use std::ops::Range;

use super::resample::{AxisTaps, resample};
use super::{Region, RegionError, Slide};
use crate::geometry::plane::WorkingPlane;

/// Side, in level px, of the pieces in which a region is resampled. Memory is thereby
/// bounded to about 13 MB per thread for regions of any size.
const PIECE_SIDE_PX: f64 = 2048.0;

/// How much coarser than the plane a level may be, relative to the plane. The tolerance
/// accepts a level made for the plane's resolution whose stated downsample differs a little.
const LEVEL_TOLERANCE: f64 = 0.01;

/// Largest difference from 1, in level px per working px, at which no resampling is needed:
/// even across the widest slide the drift stays below a tenth of a pixel.
const UNIT_SCALE: f64 = 1e-7;

/// Reads a slide in working-plane pixels, resampling where no level has the
/// plane's resolution.
#[derive(Clone, Copy)]
pub struct PlaneReader<'a> {
    slide: &'a dyn Slide,
    plane: WorkingPlane,
    level: usize,
    /// Level px per working px.
    scale: f64,
}

impl<'a> PlaneReader<'a> {
    /// A reader for `plane`, which reads the coarsest level of `slide` that is at least as
    /// fine as the plane.
    pub fn new(slide: &'a dyn Slide, plane: WorkingPlane) -> Self {
        let levels = slide.levels();
        let fine_enough =
            |downsample: f64| downsample <= plane.downsample * (1.0 + LEVEL_TOLERANCE);
        let level = (0..levels.len())
            .filter(|&level| fine_enough(levels[level].downsample))
            .max_by(|&a, &b| levels[a].downsample.total_cmp(&levels[b].downsample))
            .unwrap_or(0);
        let scale = plane.downsample / levels[level].downsample;
        Self { slide, plane, level, scale }
    }

    /// The slide.
    pub fn slide(&self) -> &'a dyn Slide {
        self.slide
    }

    /// The plane.
    pub fn plane(&self) -> &WorkingPlane {
        &self.plane
    }

    /// The level that is read; 0 is the finest.
    pub fn level(&self) -> usize {
        self.level
    }

    /// Reads a region of the working plane into `out`, u8 [row, col, rgb].
    ///
    /// The region is in working px. It may reach outside the plane; pixels outside are
    /// white (255). A pixel inside is that of the level if the level has the plane's resolution, else the mean of the
    /// level's pixels around it, weighted by a triangle filter (Pillow's BILINEAR). A
    /// pixel's value does not depend on the region that is read.
    ///
    /// # Errors
    /// The same as those of [`Slide::read_region`].
    pub fn read(&self, region: Region, out: &mut [u8]) -> Result<(), RegionError> {
        let Region { x_px, y_px, width_px, height_px } = region;
        if (self.scale - 1.0).abs() < UNIT_SCALE {
            return self.slide.read_region(self.level, region, out);
        }
        if out.len() as u64 != region.rgb_bytes() {
            let path = self.slide.path().to_owned();
            return Err(RegionError::Buffer { path, width_px, height_px, found: out.len() });
        }
        let cols = clip(x_px, width_px, self.plane.width_px);
        let rows = clip(y_px, height_px, self.plane.height_px);
        if cols.len() != width_px as usize || rows.len() != height_px as usize {
            out.fill(255);
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "1 to 2^31")]
        let side_px = (PIECE_SIDE_PX / self.scale).clamp(1.0, f64::from(i32::MAX)) as u32;
        let mut source = Vec::new();
        for piece_rows in pieces(&rows, side_px) {
            let row_taps = self.axis(&piece_rows, 1);
            for piece_cols in pieces(&cols, side_px) {
                let col_taps = self.axis(&piece_cols, 0);
                self.read_source(&row_taps, &col_taps, &mut source)?;
                resample(&source, &row_taps, &col_taps, |row, line| {
                    let row = i64::from(piece_rows.start) - y_px + row as i64;
                    let col = i64::from(piece_cols.start) - x_px;
                    let start = usize::try_from(3 * (row * i64::from(width_px) + col)).unwrap_or(0);
                    out[start..start + line.len()].copy_from_slice(line);
                });
            }
        }
        Ok(())
    }

    fn axis(&self, output: &Range<u32>, axis: usize) -> AxisTaps {
        let level = self.slide.levels()[self.level];
        let limit_px = [level.width_px, level.height_px][axis];
        AxisTaps::new(output.clone(), self.scale, limit_px)
    }

    fn read_source(
        &self,
        rows: &AxisTaps,
        cols: &AxisTaps,
        source: &mut Vec<u8>,
    ) -> Result<(), RegionError> {
        let region = Region {
            x_px: cols.source.start.into(),
            y_px: rows.source.start.into(),
            width_px: cols.source.end - cols.source.start,
            height_px: rows.source.end - rows.source.start,
        };
        source.resize(3 * region.width_px as usize * region.height_px as usize, 0);
        self.slide.read_region(self.level, region, source)
    }
}

/// The part of `len` pixels from `start` that lies in [0, limit).
fn clip(start: i64, len: u32, limit: u32) -> Range<u32> {
    let inside =
        |position: i64| u32::try_from(position.clamp(0, i64::from(limit))).unwrap_or(limit);
    inside(start)..inside(start.saturating_add(i64::from(len)))
}

/// Cuts a range into pieces of `side_px`; the last one may be shorter.
fn pieces(range: &Range<u32>, side_px: u32) -> impl Iterator<Item = Range<u32>> {
    let end = range.end;
    std::iter::successors(Some(range.start), move |start| start.checked_add(side_px))
        .take_while(move |start| *start < end)
        .map(move |start| start..start.saturating_add(side_px).min(end))
}
