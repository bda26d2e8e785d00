//! The pictures of a slide in the report: a large one for the viewer, a small one for the table.

use std::path::Path;

use jpeg_encoder::{ColorType, Encoder};
use ndarray::{Array3, ArrayView3};
use serde::{Deserialize, Serialize};

use super::ReportError;
use crate::heatmap::RgbPicture;
use crate::patches::PatchesFile;
use crate::slide;
use crate::staged;

/// Longest side of a picture made from the slide file, px.
const LONGEST_PX: u32 = 2048;
/// JPEG quality of the pictures, 1 to 100.
const QUALITY: u8 = 82;

/// Where the picture of a slide comes from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) enum Origin {
    /// The thumbnail in the patch file.
    Patches,
    /// The slide file, which was read again.
    Slide,
    /// There is no picture, for this reason.
    Missing(String),
}

/// A picture of a whole slide.
pub(super) struct SlidePicture {
    /// `[row, col, rgb]`.
    pub(super) rgb: Array3<u8>,
    /// Width and height of the area that the picture shows, level-0 px.
    pub(super) extent_px: [f64; 2],
    pub(super) origin: Origin,
}

/// The thumbnail kept with the patches, or else a picture made from the slide file at `path`.
///
/// # Errors
/// A sentence that says why the slide file cannot be used either.
pub(super) fn overview(patches: Option<&PatchesFile>, path: &Path) -> Result<SlidePicture, String> {
    if let Some(patches) = patches
        && let Ok(Some(rgb)) = patches.thumbnail()
    {
        let meta = patches.meta();
        let extent = |px: u32| f64::from(px) * meta.downsample;
        let extent_px = [extent(meta.width_px), extent(meta.height_px)];
        return Ok(SlidePicture { rgb, extent_px, origin: Origin::Patches });
    }
    let (slide, _watch) = slide::open_watched(path).map_err(|e| e.to_string())?;
    let level0 = slide.levels()[0];
    let made = slide::overview(slide.as_ref(), LONGEST_PX).map_err(|e| e.to_string())?;
    let extent_px = [f64::from(level0.width_px), f64::from(level0.height_px)];
    Ok(SlidePicture { rgb: made.rgb, extent_px, origin: Origin::Slide })
}

/// Writes a picture as JPEG.
pub(super) fn write_jpeg(path: &Path, rgb: ArrayView3<'_, u8>) -> Result<(), ReportError> {
    let (rows, cols, _) = rgb.dim();
    let pixels = rgb.as_standard_layout();
    write_encoded(path, pixels.as_slice().unwrap_or_default(), cols, rows)
}

/// Writes a small picture as JPEG.
pub(super) fn write_small(path: &Path, picture: &RgbPicture) -> Result<(), ReportError> {
    write_encoded(path, &picture.pixels, picture.width_px, picture.height_px)
}

fn write_encoded(path: &Path, pixels: &[u8], cols: usize, rows: usize) -> Result<(), ReportError> {
    let error = |problem: String| ReportError::Content { path: path.to_owned(), problem };
    let side = |px: usize| {
        u16::try_from(px).map_err(|e| error(format!("a picture with a side of {px} px: {e}")))
    };
    let mut bytes = Vec::new();
    Encoder::new(&mut bytes, QUALITY)
        .encode(pixels, side(cols)?, side(rows)?, ColorType::Rgb)
        .map_err(|e| error(format!("cannot encode the picture: {e}")))?;
    Ok(staged::write(path, &bytes)?)
}
