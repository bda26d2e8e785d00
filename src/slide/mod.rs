//! Slides: pictures too large for memory, read region by region. The flow begins here.
//!
//! [`open`] chooses the reader for a file: OpenSlide for whole-slide formats, and plain
//! decoding for PNG, JPEG and TIFF files that OpenSlide does not know. All readers
//! implement [`Slide`], so that no other module needs to know the formats.
//! [`PlaneReader`] reads a slide at a model's resolution, [`tile_thumbnail`] and
//! [`overview()`] make small pictures of a slide, and [`resolution`] decides its
//! resolution.

mod error;
mod flat_image;
mod icc;
pub mod memory;
mod openslide;
mod overview;
mod plane_reader;
mod raster;
mod resample;
pub mod resolution;
mod resolution_tags;
mod thumbnail;
mod tiff_jpeg_tiles;
mod tiled_jpeg;

use std::io::ErrorKind;
use std::path::Path;

pub use error::{RegionError, SlideError};
pub use icc::{IccOutcome, through_icc};
pub use openslide::{OpenSlideMissing, version as openslide_version};
pub use overview::{Overview, overview};
pub use plane_reader::PlaneReader;
pub use resolution::{MppSource, Resolution, ResolutionError, SlideMpp, slide_mpp};
pub use thumbnail::{FailedTiles, TileThumbnail, tile_thumbnail, tissue_picture};

/// One resolution of a slide's pyramid.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Level {
    /// Width, px of this level.
    pub width_px: u32,
    /// Height, px of this level.
    pub height_px: u32,
    /// Level-0 px per px of this level, at least 1.
    ///
    /// Pixel x of the level covers level-0 px [x * downsample, (x + 1) * downsample). The
    /// downsample is a whole number n when the level's size is the slide's size divided by
    /// n, rounded up or down: the remainder at the right and bottom edges does not change
    /// the scale of the other pixels.
    pub downsample: f64,
}

/// A slide, read region by region from any number of threads.
pub trait Slide: Send + Sync {
    /// The path of the file.
    fn path(&self) -> &Path;

    /// The name of the reader, for records: "OpenSlide 4.0.1 (aperio)", "OpenSlide 4.0.1
    /// (aperio), tiles by libturbojpeg" or "image (png)".
    fn reader(&self) -> String;

    /// The levels, finest first. There is at least one, and the first has downsample 1.
    fn levels(&self) -> &[Level];

    /// What the file states about its resolution, plausible or not; [`slide_mpp`] decides.
    fn resolution(&self) -> &Resolution;

    /// Reads a region of `level` into `out`, u8 [row, col, rgb] of
    /// `height_px` x `width_px`.
    ///
    /// (x, y) is the top-left corner in px of that level; it may be negative,
    /// and the region may reach outside the slide: pixels there are white
    /// (255). Transparency is composited over white. A pixel's value does not
    /// depend on the region it is read in.
    ///
    /// # Errors
    /// [`RegionError`] when a part cannot be decoded (other regions still can
    /// be read), when there is no such level, or when `out` has not
    /// 3 * `width_px` * `height_px` bytes. `out` is then undefined.
    fn read_region(
        &self,
        level: usize,
        x: i64,
        y: i64,
        width_px: u32,
        height_px: u32,
        out: &mut [u8],
    ) -> Result<(), RegionError>;

    /// The embedded ICC colour profile; `None` when the file has none or the reader cannot
    /// read it.
    fn icc_profile(&self) -> Option<Vec<u8>>;
}

/// File name endings, in lower case, of the files that count as slides when a folder is
/// given.
const SLIDE_SUFFIXES: [&str; 16] = [
    "svs", "svslide", "tif", "tiff", "ndpi", "vms", "vmu", "scn", "mrxs", "bif", "dcm", "czi",
    "zvi", "png", "jpg", "jpeg",
];

/// Whether a file has the name of a slide: it ends in `.svs`, `.ndpi`, `.tif` or the like,
/// in upper or lower case, and the file is not hidden.
pub fn is_slide_name(path: &Path) -> bool {
    let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
    !hidden && suffix(path).is_some_and(|suffix| SLIDE_SUFFIXES.contains(&suffix.as_str()))
}

fn suffix(path: &Path) -> Option<String> {
    Some(path.extension()?.to_str()?.to_ascii_lowercase())
}

/// Opens a slide with the reader that recognises it.
///
/// OpenSlide is tried first, except for PNG and JPEG, which OpenSlide never reads. The
/// library is loaded at the first call that needs it. Levels of JPEG tiles are decoded by
/// libturbojpeg if that library can be loaded and gives the same pixels. Pictures that
/// OpenSlide does not know are decoded whole: they may have at most 2^28 px, and 3 bytes
/// per pixel stay in memory.
///
/// # Errors
/// [`SlideError`] says what was found in the file, and what to do.
pub fn open(path: &Path) -> Result<Box<dyn Slide>, SlideError> {
    open_with(path, tiled_jpeg::faster)
}

/// Opens a slide as [`open`] does, without libturbojpeg: OpenSlide decodes every level,
/// which is slower and gives the same pixels.
///
/// # Errors
/// The same as those of [`open`].
pub fn open_by_openslide(path: &Path) -> Result<Box<dyn Slide>, SlideError> {
    open_with(path, |slide| Ok(Box::new(slide)))
}

fn open_with(
    path: &Path,
    wrap: fn(openslide::OpenSlideReader) -> Result<Box<dyn Slide>, SlideError>,
) -> Result<Box<dyn Slide>, SlideError> {
    let found = flat_image::sniff(path).map_err(|error| reason_not_read(path, error))?;
    if matches!(found, flat_image::Sniffed::Png | flat_image::Sniffed::Jpeg) {
        return Ok(Box::new(flat_image::PlainSlide::open(path, found)?));
    }
    match openslide::OpenSlideReader::open(path) {
        Ok(Some(slide)) => wrap(slide),
        Ok(None) if found == flat_image::Sniffed::Tiff => {
            Ok(Box::new(flat_image::PlainSlide::open(path, found)?))
        }
        Ok(None) => Err(SlideError::Unrecognised {
            path: path.to_owned(),
            found: found.to_string(),
            reader: openslide::version().unwrap_or_else(|_| "OpenSlide".to_owned()),
        }),
        // Without the library a plain TIFF can still be read; a file that says
        // it is a slide should not quietly become a flat picture.
        Err(SlideError::NoOpenSlide { path, message }) => {
            let plain_name = matches!(suffix(&path).as_deref(), Some("tif" | "tiff"));
            match flat_image::PlainSlide::open(&path, found) {
                Ok(slide) if plain_name => Ok(Box::new(slide)),
                _ => Err(SlideError::NoOpenSlide { path, message }),
            }
        }
        Err(error) => Err(error),
    }
}

fn reason_not_read(path: &Path, source: std::io::Error) -> SlideError {
    let path = path.to_owned();
    match source.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => {
            let here = std::env::current_dir().ok().filter(|_| path.is_relative());
            let hint =
                here.map_or_else(String::new, |dir| format!(" (looked in {})", dir.display()));
            SlideError::NotFound { path, hint }
        }
        ErrorKind::IsADirectory => SlideError::IsFolder { path },
        _ => SlideError::Io { path, source },
    }
}

/// Checks a region's buffer and level, the same for every reader.
fn check_region(
    slide: &dyn Slide,
    level: usize,
    width_px: u32,
    height_px: u32,
    found: usize,
) -> Result<Level, RegionError> {
    let path = || slide.path().to_owned();
    let levels = slide.levels();
    let info = *levels.get(level).ok_or_else(|| RegionError::NoLevel {
        path: path(),
        level,
        last: levels.len().saturating_sub(1),
    })?;
    if found as u64 != 3 * u64::from(width_px) * u64::from(height_px) {
        return Err(RegionError::Buffer { path: path(), width_px, height_px, found });
    }
    Ok(info)
}

/// The downsample of a level, from the sizes of level 0 and of the level: a whole number
/// if one explains the sizes, else the mean ratio along x and y.
fn level_downsample(level0_px: [u32; 2], level_px: [u32; 2]) -> f64 {
    let ratio = |axis: usize| f64::from(level0_px[axis]) / f64::from(level_px[axis].max(1));
    let mean = (ratio(0) + ratio(1)) / 2.0;
    for whole in [mean.round(), mean.floor(), mean.ceil()] {
        let explains = |axis: usize| {
            let exact = f64::from(level0_px[axis]) / whole;
            (f64::from(level_px[axis]) - exact).abs() < 1.0
        };
        if whole >= 1.0 && explains(0) && explains(1) {
            return whole;
        }
    }
    mean.max(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slide_names_are_recognised_by_their_ending() {
        for name in ["a.svs", "b.NDPI", "x/y.tiff", "c.Mrxs", "d.png"] {
            assert!(is_slide_name(Path::new(name)), "{name}");
        }
        for name in ["svs", "a.svs.part", ".a.svs", "a.txt", "a.xml", ""] {
            assert!(!is_slide_name(Path::new(name)), "{name}");
        }
    }

    #[test]
    fn levels_of_rounded_size_have_whole_downsamples() {
        assert_eq!(level_downsample([4003, 3005], [1000, 751]), 4.0);
        assert_eq!(level_downsample([4003, 3005], [1001, 752]), 4.0);
        assert_eq!(level_downsample([256, 256], [1, 1]), 256.0);
        assert_eq!(level_downsample([46_000, 32_914], [2875, 2057]), 16.0);
        let fractional = level_downsample([10_000, 10_000], [3000, 3000]);
        assert!((fractional - 10.0 / 3.0).abs() < 1e-12);
    }
}
