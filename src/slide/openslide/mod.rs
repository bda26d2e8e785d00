//! The reader of whole-slide formats, which uses the OpenSlide library.

mod argb;
mod find;
mod library;

use std::cell::RefCell;
use std::ffi::{CStr, CString};
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

pub use find::OpenSlideMissing;
use library::{Handle, library};

use super::region_reader::{check_region, level_downsample};
use super::resolution::{ResolutionTags, ResolutionUnit};
use super::tiff_jpeg_tiles;
use super::{Level, RegionError, Resolution, Slide, SlideError};

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
    resolution: Resolution,
    handle: RwLock<Handle>,
}

thread_local! {
    /// ARGB of the piece being read, at most [`PIECE_PX`].
    static SCRATCH: RefCell<Vec<u32>> = const { RefCell::new(Vec::new()) };
}

/// Part of a level, in px of that level.
#[derive(Debug, Clone, Copy)]
struct Piece {
    level: usize,
    x: i64,
    y: i64,
    width_px: u32,
    height_px: u32,
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
        let Some(vendor) = library.detect_vendor(&c_path) else { return Ok(None) };
        let reader = format!("OpenSlide {} ({vendor})", library.version());
        let opened = library.open(&c_path).map_err(|reason| broken(&reader, reason))?;
        let Some(handle) = opened else { return Ok(None) };
        let (levels, address_scale) =
            levels_of(&handle).map_err(|reason| broken(&reader, reason))?;
        let resolution = resolution_of(&handle, &vendor);
        let path = path.to_owned();
        let handle = RwLock::new(handle);
        Ok(Some(Self { path, c_path, vendor, reader, levels, address_scale, resolution, handle }))
    }

    /// OpenSlide's name of the format, such as "aperio".
    pub(super) fn vendor(&self) -> &str {
        &self.vendor
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
        piece: Piece,
        out: &mut [u8],
        stride_px: usize,
    ) -> Result<(), RegionError> {
        if self.downsample_is_whole(piece.level) {
            let columns = piece.width_px.min(PIECE_WIDTH_PX);
            let rows = (PIECE_PX / columns.max(1)).min(piece.height_px);
            return self.read_cells(piece, [columns, rows.max(1)], out, stride_px);
        }
        self.read_squares(piece, out, stride_px)
    }

    /// Reads `piece` cut into cells of `cell_px` [x, y].
    fn read_cells(
        &self,
        piece: Piece,
        cell_px: [u32; 2],
        out: &mut [u8],
        stride_px: usize,
    ) -> Result<(), RegionError> {
        for row in (0..piece.height_px).step_by(cell_px[1] as usize) {
            for col in (0..piece.width_px).step_by(cell_px[0] as usize) {
                let cell = Piece {
                    x: piece.x + i64::from(col),
                    y: piece.y + i64::from(row),
                    width_px: cell_px[0].min(piece.width_px - col),
                    height_px: cell_px[1].min(piece.height_px - row),
                    ..piece
                };
                self.read_cell(cell, cell, out, (row as usize, col as usize), stride_px)?;
            }
        }
        Ok(())
    }

    /// Reads `piece` from whole squares of the level's lattice.
    fn read_squares(
        &self,
        piece: Piece,
        out: &mut [u8],
        stride_px: usize,
    ) -> Result<(), RegionError> {
        let side = i64::from(SQUARE_PX);
        let origin = [piece.x, piece.y].map(|start| start.div_euclid(side) * side);
        let (right, bottom) =
            (piece.x + i64::from(piece.width_px), piece.y + i64::from(piece.height_px));
        for y in (origin[1]..bottom).step_by(SQUARE_PX as usize) {
            for x in (origin[0]..right).step_by(SQUARE_PX as usize) {
                let square = Piece { x, y, width_px: SQUARE_PX, height_px: SQUARE_PX, ..piece };
                let part = intersection(square, piece);
                let at = |to: i64, from: i64| usize::try_from(to - from).unwrap_or(0);
                let to = (at(part.y, piece.y), at(part.x, piece.x));
                self.read_cell(square, part, out, to, stride_px)?;
            }
        }
        Ok(())
    }

    /// Reads `cell` and puts `part` of it into `out` at (row, col).
    fn read_cell(
        &self,
        cell: Piece,
        part: Piece,
        out: &mut [u8],
        (row, col): (usize, usize),
        stride_px: usize,
    ) -> Result<(), RegionError> {
        SCRATCH.with_borrow_mut(|scratch| {
            let count = cell.width_px as usize * cell.height_px as usize;
            if scratch.len() < count {
                scratch.resize(count, 0);
            }
            self.read_argb(cell, &mut scratch[..count])?;
            let first = usize::try_from(part.x - cell.x).unwrap_or(0);
            let skipped = usize::try_from(part.y - cell.y).unwrap_or(0);
            let width = part.width_px as usize;
            let lines = scratch[..count].chunks_exact(cell.width_px.max(1) as usize);
            for (index, line) in lines.skip(skipped).take(part.height_px as usize).enumerate() {
                let start = 3 * ((row + index) * stride_px + col);
                argb::argb_to_rgb(&line[first..first + width], &mut out[start..start + 3 * width]);
            }
            Ok(())
        })
    }

    /// Reads with one call of OpenSlide. After a failure the call is repeated with a new
    /// handle while no other thread reads, because any thread's error makes the shared
    /// handle unusable for all.
    fn read_argb(&self, piece: Piece, argb: &mut [u32]) -> Result<(), RegionError> {
        if self.try_argb(&self.shared(), piece, argb).is_ok() {
            return Ok(());
        }
        let mut handle = self.exclusive();
        let result = self
            .renew(&mut handle)
            .and_then(|()| self.try_argb(&handle, piece, argb))
            .map_err(|reason| self.unreadable(piece, reason));
        if result.is_err() {
            // If this fails too, the next read renews the handle.
            let _ = self.renew(&mut handle);
        }
        result
    }

    fn try_argb(&self, handle: &Handle, piece: Piece, argb: &mut [u32]) -> Result<(), String> {
        let corner = [piece.x, piece.y].map(|start| self.address(piece.level, start));
        let level = i32::try_from(piece.level).map_err(|error| error.to_string())?;
        handle.read_region(argb, corner, level, [piece.width_px, piece.height_px]);
        handle.error().map_or(Ok(()), Err)
    }

    /// Reopens the slide if an error has made the handle unusable.
    fn renew(&self, handle: &mut Handle) -> Result<(), String> {
        if handle.error().is_none() {
            return Ok(());
        }
        let library = library().map_err(|missing| missing.to_string())?;
        let reopened =
            library.open(&self.c_path).map_err(|reason| format!("reopening: {reason}"))?;
        *handle = reopened.ok_or("reopening: the file is no longer a slide")?;
        Ok(())
    }

    fn unreadable(&self, piece: Piece, reason: String) -> RegionError {
        let [level0_x, level0_y] = [piece.x, piece.y].map(|start| self.address(piece.level, start));
        let Piece { level, width_px, height_px, .. } = piece;
        let path = self.path.clone();
        RegionError::Unreadable { path, level, level0_x, level0_y, width_px, height_px, reason }
    }
}

fn intersection(a: Piece, b: Piece) -> Piece {
    let span = |a: i64, a_px: u32, b: i64, b_px: u32| {
        let start = a.max(b);
        let end = (a + i64::from(a_px)).min(b + i64::from(b_px));
        (start, u32::try_from(end - start).unwrap_or(0))
    };
    let (x, width_px) = span(a.x, a.width_px, b.x, b.width_px);
    let (y, height_px) = span(a.y, a.height_px, b.y, b.height_px);
    Piece { level: a.level, x, y, width_px, height_px }
}

fn levels_of(handle: &Handle) -> Result<(Vec<Level>, Vec<f64>), String> {
    let mut levels: Vec<Level> = Vec::new();
    let mut address_scale = Vec::new();
    for index in 0..handle.level_count() {
        let size = handle.level_dimensions(index);
        let [width_px, height_px] = size.map(|side| u32::try_from(side).unwrap_or(0));
        let scale = handle.level_downsample(index);
        if width_px == 0 || height_px == 0 || !scale.is_finite() || scale < 1.0 {
            return Err(format!(
                "level {index} is {} x {} px with downsample {scale}",
                size[0], size[1]
            ));
        }
        let level0 = levels.first().map_or([width_px, height_px], |l| [l.width_px, l.height_px]);
        let downsample = level_downsample(level0, [width_px, height_px]);
        levels.push(Level { width_px, height_px, downsample });
        address_scale.push(scale);
    }
    if levels.is_empty() {
        return Err(handle.error().unwrap_or_else(|| "it has no levels".to_owned()));
    }
    Ok((levels, address_scale))
}

fn resolution_of(handle: &Handle, vendor: &str) -> Resolution {
    let number = |name: &CStr| handle.property(name)?.trim().parse::<f64>().ok();
    let unit = match handle.property(c"tiff.ResolutionUnit").as_deref() {
        Some("none") => ResolutionUnit::None,
        Some("centimeter") => ResolutionUnit::Centimeter,
        _ => ResolutionUnit::Inch,
    };
    let tags = match (number(c"tiff.XResolution"), number(c"tiff.YResolution")) {
        (Some(x), Some(y)) => Some(ResolutionTags { x, y, unit }),
        (Some(any), None) | (None, Some(any)) => Some(ResolutionTags { x: any, y: any, unit }),
        (None, None) => None,
    };
    // For a generic TIFF, OpenSlide 4 derives micrometres from the tags, however
    // implausible, and OpenSlide 3.4 does not. These values are ignored, so that both give
    // the same resolution.
    let derived = vendor == "generic-tiff";
    Resolution {
        mpp_x: number(c"openslide.mpp-x").filter(|_| !derived),
        mpp_y: number(c"openslide.mpp-y").filter(|_| !derived),
        objective_power: number(c"openslide.objective-power"),
        tags,
    }
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
        let whole = Piece { level, x: 0, y: 0, width_px: info.width_px, height_px: info.height_px };
        let limit = i64::from(i32::MAX);
        let asked = Piece {
            level,
            x: x.clamp(-limit, limit),
            y: y.clamp(-limit, limit),
            width_px,
            height_px,
        };
        let inside = intersection(asked, whole);
        if inside.width_px == 0 || inside.height_px == 0 {
            out.fill(255);
            return Ok(());
        }
        if (inside.width_px, inside.height_px) != (width_px, height_px) {
            out.fill(255);
        }
        let offset = |inside: i64, asked: i64| usize::try_from(inside - asked).unwrap_or(0);
        let (row, col) = (offset(inside.y, asked.y), offset(inside.x, asked.x));
        let stride_px = width_px as usize;
        self.read_inside(inside, &mut out[3 * (row * stride_px + col)..], stride_px)
    }

    fn icc_profile(&self) -> Option<Vec<u8>> {
        // OpenSlide 3 does not return profiles; in a TIFF file they are in a tag.
        let from_tag = || {
            let file = std::fs::File::open(&self.path).ok()?;
            tiff_jpeg_tiles::icc_profile(&file).ok().flatten()
        };
        let known = self.shared().icc_profile();
        known.or_else(from_tag)
    }
}
