//! The reader of whole-slide formats, which uses the OpenSlide library.

mod argb;
mod empty_tiles;
mod failures;
mod find;
mod library;
mod properties;

use std::cell::RefCell;
use std::ffi::CString;
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Instant;

pub use find::OpenSlideMissing;
pub(crate) use find::library_of_shell;
use library::{Handle, library};
use properties::{bounds_of, levels_of, resolution_of};

use empty_tiles::EmptyTiles;
use failures::Failures;

use super::region_reader::check_region;
use super::tiff_file;
use super::{Level, Region, RegionError, Resolution, Slide, SlideError};
use crate::crash::LibraryCall;

/// Largest number of pixels read in one call of OpenSlide: 16 MB of ARGB per thread.
const PIECE_PX: u32 = 1 << 22;

/// Largest width of a region read in one call. OpenSlide itself divides wider ones.
const PIECE_WIDTH_PX: u32 = 4096;

/// Side of the squares in which a level is read when its downsample is not a whole number;
/// see [`OpenSlideReader::read_inside`].
const SQUARE_PX: u32 = 128;

/// Name and version of the OpenSlide library in use, such as "OpenSlide 4.0.1".
///
/// # Errors
/// [`OpenSlideMissing`] when the library cannot be loaded; the message says how to get it.
pub fn version() -> Result<String, OpenSlideMissing> {
    Ok(format!("OpenSlide {}", library()?.version()))
}

/// A slide read by OpenSlide. All threads share one handle; separate handles make reading
/// a quarter slower.
pub(crate) struct OpenSlideReader {
    path: PathBuf,
    c_path: CString,
    vendor: String,
    reader: String,
    levels: Vec<Level>,
    /// For each level the downsample that OpenSlide states, by which positions in a level
    /// are converted to level-0 px.
    address_scale: Vec<f64>,
    /// The tiles without data of each level, where this version of OpenSlide cannot read them.
    empty_tiles: Vec<Option<EmptyTiles>>,
    resolution: Resolution,
    bounds_px: Option<[u32; 2]>,
    handle: RwLock<Handle>,
    failures: Failures,
}

thread_local! {
    /// ARGB of the piece being read, at most [`PIECE_PX`].
    static SCRATCH: RefCell<Vec<u32>> = const { RefCell::new(Vec::new()) };
}

impl OpenSlideReader {
    /// Opens a slide; `Ok(None)` when OpenSlide does not know the format.
    pub(crate) fn open(path: &Path) -> Result<Option<Self>, SlideError> {
        let library = library().map_err(|missing| SlideError::NoOpenSlide {
            path: path.to_owned(),
            message: missing.to_string(),
        })?;
        let broken = |reader: &str, reason: String| SlideError::Broken {
            path: path.to_owned(),
            reader: reader.to_owned(),
            reason,
        };
        let c_path = CString::new(path.as_os_str().as_encoded_bytes())
            .map_err(|_| broken("OpenSlide", "its name contains a zero byte".to_owned()))?;
        let call = LibraryCall::start();
        let Some(vendor) = library.detect_vendor(&c_path) else { return Ok(None) };
        let reader = format!("OpenSlide {} ({vendor})", library.version());
        let opened = library.open(&c_path).map_err(|reason| broken(&reader, reason))?;
        drop(call);
        let Some(handle) = opened else { return Ok(None) };
        let (levels, address_scale) =
            levels_of(&handle).map_err(|reason| broken(&reader, reason))?;
        let resolution = resolution_of(&handle, &vendor);
        let bounds_px = bounds_of(&handle, levels[0]);
        // OpenSlide 4 returns background where a tile has no data; OpenSlide 3 fails.
        let empty_tiles = match library.version().starts_with("3.") {
            true => empty_tiles::of_levels(path, &vendor, &levels),
            false => levels.iter().map(|_| None).collect(),
        };
        let path = path.to_owned();
        let handle = RwLock::new(handle);
        let failures = Failures::new(levels.len());
        Ok(Some(Self {
            path,
            c_path,
            vendor,
            reader,
            levels,
            address_scale,
            empty_tiles,
            resolution,
            bounds_px,
            handle,
            failures,
        }))
    }

    /// OpenSlide's name of the format, such as "aperio".
    pub(super) fn vendor(&self) -> &str {
        &self.vendor
    }

    /// The slide with micrometres per px, [x, y], that its file states in a way that OpenSlide
    /// does not read.
    pub(super) fn with_mpp(mut self, mpp: [Option<f64>; 2]) -> Self {
        self.resolution.mpp_x = self.resolution.mpp_x.or(mpp[0]);
        self.resolution.mpp_y = self.resolution.mpp_y.or(mpp[1]);
        self
    }

    /// Reads a few pixels in the middle of the slide, to see whether they can be decoded.
    pub(super) fn read_middle(&self) -> Result<(), RegionError> {
        let Level { width_px, height_px, .. } = self.levels[0];
        let middle = Region::new(i64::from(width_px / 2), i64::from(height_px / 2), 8, 8);
        self.read_region(0, middle, &mut [0; 3 * 8 * 8])
    }

    /// Whether each pixel of a level has an exact address in level-0 px; see
    /// [`OpenSlideReader::read_inside`].
    pub(super) fn downsample_is_whole(&self, level: usize) -> bool {
        self.address_scale[level].fract() == 0.0
    }

    // A poisoned lock is used on: a panic while reading leaves the handle in order.
    fn shared(&self) -> RwLockReadGuard<'_, Handle> {
        self.handle.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn exclusive(&self) -> RwLockWriteGuard<'_, Handle> {
        self.handle.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// The level-0 px nearest to the start of a level's pixel, along one axis.
    fn address(&self, level: usize, position: i64) -> i64 {
        let exact = position as f64 * self.address_scale[level];
        #[expect(clippy::cast_possible_truncation, reason = "positions inside the slide")]
        let nearest = exact.round() as i64;
        nearest
    }

    /// Reads the part of a region that lies inside the level.
    ///
    /// OpenSlide takes positions in level-0 px. If the downsample d is a whole number,
    /// every pixel of the level has an exact position. If d is not (4.00217, for example,
    /// when the level's size was rounded), the nearest position is up to 1/(2d) px off, and
    /// OpenSlide interpolates by an offset that differs from region to region. Such a level
    /// is read in squares of a fixed grid, each from its own position, so that a pixel's
    /// value does not depend on the region that is read.
    fn read_inside(
        &self,
        level: usize,
        region: Region,
        out: &mut [u8],
        stride_px: usize,
    ) -> Result<(), RegionError> {
        if let Some(tiles) = &self.empty_tiles[level] {
            return self.read_around_empty(level, tiles, region, out, stride_px);
        }
        if self.downsample_is_whole(level) {
            let columns = region.width_px.min(PIECE_WIDTH_PX);
            let rows = (PIECE_PX / columns.max(1)).min(region.height_px);
            return self.read_cells(level, region, [columns, rows.max(1)], out, stride_px);
        }
        self.read_squares(level, region, out, stride_px)
    }

    /// Reads `region` tile by tile; tiles without data are white.
    fn read_around_empty(
        &self,
        level: usize,
        tiles: &EmptyTiles,
        region: Region,
        out: &mut [u8],
        stride_px: usize,
    ) -> Result<(), RegionError> {
        for (tile, is_empty) in tiles.touched_by(region) {
            let Some(part) = tile.intersection(&region) else { continue };
            let start = rgb_offset(&region, &part, stride_px);
            if is_empty {
                let width = 3 * part.width_px as usize;
                for line in out[start..].chunks_mut(3 * stride_px).take(part.height_px as usize) {
                    line[..width].fill(255);
                }
            } else if self.downsample_is_whole(level) {
                self.read_cell(level, part, part, &mut out[start..], stride_px)?;
            } else {
                self.read_cell(level, tile, part, &mut out[start..], stride_px)?;
            }
        }
        Ok(())
    }

    /// Reads `region` cut into cells of `cell_px` [x, y].
    fn read_cells(
        &self,
        level: usize,
        region: Region,
        cell_px: [u32; 2],
        out: &mut [u8],
        stride_px: usize,
    ) -> Result<(), RegionError> {
        for row in (0..region.height_px).step_by(cell_px[1] as usize) {
            for col in (0..region.width_px).step_by(cell_px[0] as usize) {
                let cell = Region {
                    x_px: region.x_px + i64::from(col),
                    y_px: region.y_px + i64::from(row),
                    width_px: cell_px[0].min(region.width_px - col),
                    height_px: cell_px[1].min(region.height_px - row),
                };
                let start = 3 * (row as usize * stride_px + col as usize);
                self.read_cell(level, cell, cell, &mut out[start..], stride_px)?;
            }
        }
        Ok(())
    }

    /// Reads `region` from whole squares of the level's lattice.
    fn read_squares(
        &self,
        level: usize,
        region: Region,
        out: &mut [u8],
        stride_px: usize,
    ) -> Result<(), RegionError> {
        let side = i64::from(SQUARE_PX);
        let origin = [region.x_px, region.y_px].map(|start| start.div_euclid(side) * side);
        for y_px in (origin[1]..region.bottom_px()).step_by(SQUARE_PX as usize) {
            for x_px in (origin[0]..region.right_px()).step_by(SQUARE_PX as usize) {
                let square = Region::new(x_px, y_px, SQUARE_PX, SQUARE_PX);
                let Some(part) = square.intersection(&region) else { continue };
                let start = rgb_offset(&region, &part, stride_px);
                self.read_cell(level, square, part, &mut out[start..], stride_px)?;
            }
        }
        Ok(())
    }

    /// Reads `cell` and puts `part` of it at the start of `out`.
    fn read_cell(
        &self,
        level: usize,
        cell: Region,
        part: Region,
        out: &mut [u8],
        stride_px: usize,
    ) -> Result<(), RegionError> {
        SCRATCH.with_borrow_mut(|scratch| {
            let count = cell.width_px as usize * cell.height_px as usize;
            if scratch.len() < count {
                scratch.resize(count, 0);
            }
            self.read_argb(level, cell, &mut scratch[..count])?;
            let first = usize::try_from(part.x_px - cell.x_px).unwrap_or(0);
            let skipped = usize::try_from(part.y_px - cell.y_px).unwrap_or(0);
            let width = part.width_px as usize;
            let lines = scratch[..count].chunks_exact(cell.width_px.max(1) as usize);
            for (index, line) in lines.skip(skipped).take(part.height_px as usize).enumerate() {
                let start = 3 * index * stride_px;
                argb::argb_to_rgb(&line[first..first + width], &mut out[start..start + 3 * width]);
            }
            Ok(())
        })
    }

    /// Reads with one call of OpenSlide. After a failure the call is repeated with a new
    /// handle while no other thread reads, because any thread's error makes the shared
    /// handle unusable for all.
    fn read_argb(&self, level: usize, region: Region, argb: &mut [u32]) -> Result<(), RegionError> {
        self.failures.check(&self.path, level)?;
        if self.try_argb(&self.shared(), level, region, argb).is_ok() {
            self.failures.note_success(level);
            return Ok(());
        }
        let mut handle = self.exclusive();
        // Other threads may have given the slide up while this one waited.
        self.failures.check(&self.path, level)?;
        let started = Instant::now();
        // A read that fails leaves the handle unusable, and the next read renews it.
        let result =
            self.renew(&mut handle).and_then(|()| self.try_argb(&handle, level, region, argb));
        drop(handle);
        match result {
            Ok(()) => self.failures.note_success(level),
            Err(_) => self.failures.note_failure(level, started.elapsed()),
        }
        result.map_err(|reason| self.unreadable(level, region, reason))
    }

    fn try_argb(
        &self,
        handle: &Handle,
        level: usize,
        region: Region,
        argb: &mut [u32],
    ) -> Result<(), String> {
        let corner = [region.x_px, region.y_px].map(|start| self.address(level, start));
        let level = i32::try_from(level).map_err(|error| error.to_string())?;
        let _call = LibraryCall::start();
        handle.read_region(argb, corner, level, [region.width_px, region.height_px]);
        handle.error().map_or(Ok(()), Err)
    }

    /// Reopens the slide if an error has made the handle unusable.
    fn renew(&self, handle: &mut Handle) -> Result<(), String> {
        if handle.error().is_none() {
            return Ok(());
        }
        let library = library().map_err(|missing| missing.to_string())?;
        let _call = LibraryCall::start();
        let reopened =
            library.open(&self.c_path).map_err(|reason| format!("reopening: {reason}"))?;
        *handle = reopened.ok_or("reopening: the file is no longer a slide")?;
        Ok(())
    }

    fn unreadable(&self, level: usize, region: Region, reason: String) -> RegionError {
        let [level0_x, level0_y] =
            [region.x_px, region.y_px].map(|start| self.address(level, start));
        let Region { width_px, height_px, .. } = region;
        let path = self.path.clone();
        RegionError::Unreadable { path, level, level0_x, level0_y, width_px, height_px, reason }
    }
}

/// Where the pixels of `part` begin among those of `region`, whose lines have `stride_px`.
fn rgb_offset(region: &Region, part: &Region, stride_px: usize) -> usize {
    let offset = |part: i64, region: i64| usize::try_from(part - region).unwrap_or(0);
    3 * (offset(part.y_px, region.y_px) * stride_px + offset(part.x_px, region.x_px))
}

impl Slide for OpenSlideReader {
    fn path(&self) -> &Path {
        &self.path
    }

    fn reader(&self) -> String {
        self.reader.clone()
    }

    fn levels(&self) -> &[Level] {
        &self.levels
    }

    fn resolution(&self) -> &Resolution {
        &self.resolution
    }

    fn read_region(&self, level: usize, region: Region, out: &mut [u8]) -> Result<(), RegionError> {
        let info = check_region(self, level, region, out.len())?;
        let whole = Region::new(0, 0, info.width_px, info.height_px);
        let Some(inside) = region.intersection(&whole) else {
            out.fill(255);
            return Ok(());
        };
        if inside != region {
            out.fill(255);
        }
        let stride_px = region.width_px as usize;
        let start = rgb_offset(&region, &inside, stride_px);
        self.read_inside(level, inside, &mut out[start..], stride_px)
    }

    fn icc_profile(&self) -> Option<Vec<u8>> {
        // OpenSlide 3 does not return profiles; in a TIFF file they are in a tag.
        let from_tag = || {
            let file = std::fs::File::open(&self.path).ok()?;
            tiff_file::icc_profile(&file).ok().flatten()
        };
        let known = self.shared().icc_profile();
        known.or_else(from_tag)
    }

    fn bounds_px(&self) -> Option<[u32; 2]> {
        self.bounds_px
    }
}
