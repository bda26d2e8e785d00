//! Pictures of a slide.

use std::path::Path;

use jpeg_encoder::{ColorType, Encoder};
use ndarray::{Array3, ArrayView3};
use serde::{Deserialize, Serialize};

use super::ReportError;
use crate::heatmap::RgbPicture;
use crate::patches::PatchesFile;
use crate::slide;
use crate::staged;

/// Longest side of the slide's picture.
const LONGEST_PX: u32 = 2048;
/// Compression of pictures, 1 to 100.
const QUALITY: u8 = 82;

/// Where the picture of a slide is from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) enum Origin {
    /// The patches file.
    Patches,
    /// The slide file, read again.
    Slide,
    /// There is none: why.
    Missing(String),
}

/// A picture of a whole slide.
pub(super) struct Overview {
    /// `[row, col, rgb]`.
    pub(super) rgb: Array3<u8>,
    /// Level-0 px that it shows, along x and y.
    pub(super) extent_px: [f64; 2],
    pub(super) origin: Origin,
}

/// The picture kept with the patches, else one made from the slide at `path`.
///
/// # Errors
/// Why there is neither, in words.
pub(super) fn overview(patches: Option<&PatchesFile>, path: &Path) -> Result<Overview, String> {
    if let Some(patches) = patches
        && let Ok(Some(rgb)) = patches.thumbnail()
    {
        let meta = patches.meta();
        let extent = |px: u32| f64::from(px) * meta.downsample;
        let extent_px = [extent(meta.width_px), extent(meta.height_px)];
        return Ok(Overview { rgb, extent_px, origin: Origin::Patches });
    }
    let slide = slide::open(path).map_err(|e| e.to_string())?;
    let level0 = slide.levels()[0];
    let made = slide::overview(slide.as_ref(), LONGEST_PX).map_err(|e| e.to_string())?;
    let extent_px = [f64::from(level0.width_px), f64::from(level0.height_px)];
    Ok(Overview { rgb: made.rgb, extent_px, origin: Origin::Slide })
}

/// Writes a picture as JPEG.
pub(super) fn write_jpeg(path: &Path, rgb: ArrayView3<'_, u8>) -> Result<(), ReportError> {
    let (rows, cols, _) = rgb.dim();
    let pixels = rgb.as_standard_layout();
    encoded(path, pixels.as_slice().unwrap_or_default(), cols, rows)
}

/// Writes a small picture as JPEG.
pub(super) fn write_small(path: &Path, picture: &RgbPicture) -> Result<(), ReportError> {
    encoded(path, &picture.pixels, picture.width_px, picture.height_px)
}

fn encoded(path: &Path, pixels: &[u8], cols: usize, rows: usize) -> Result<(), ReportError> {
    let wrong = |problem: String| ReportError::Content { path: path.to_owned(), problem };
    let side = |px: usize| u16::try_from(px).map_err(|e| wrong(format!("{px} px a side: {e}")));
    let mut bytes = Vec::new();
    Encoder::new(&mut bytes, QUALITY)
        .encode(pixels, side(cols)?, side(rows)?, ColorType::Rgb)
        .map_err(|e| wrong(format!("cannot encode the picture: {e}")))?;
    Ok(staged::write(path, &bytes)?)
}
