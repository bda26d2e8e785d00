//! The truth about slides: outlines and masks of lesions that people have drawn, and lists
//! of the slides with and without tumor. A study compares heatmaps with the truth.
//!
//! ```text
//! .xml (ASAP) .geojson (QuPath) .json (NCRF) ──> outlines ──┐
//! .png .tif (mask images) ──────────────────────────────────┴──> Truth ──> raster
//! reference.csv ──> the slides, and which of them have tumor
//! ```

mod asap_xml;
mod error;
mod geojson;
mod groups;
mod mask_image;
mod ncrf_json;
mod slide_list;

use std::path::{Path, PathBuf};

use ndarray::Array2;

use crate::metrics::mask::Mask;
use crate::metrics::raster::{Outline, SampleGrid, rasterise};

pub use error::TruthError;
pub use groups::{AnnotationGroups, UNGROUPED};
pub use mask_image::read_labels;
pub use slide_list::{SlideKind, read_slide_list};

/// The lesions of one slide.
#[derive(Debug, Clone, PartialEq)]
pub enum Truth {
    /// Outlines, level-0 px.
    Outlines(Vec<Outline>),
    /// A mask image `[row, col]`, where pixels that are not 0 are lesion, and the size of
    /// its pixels along x and y, level-0 px; `None` while that is unknown.
    Image(Array2<u8>, Option<[f64; 2]>),
}

/// File endings of truth, in the order in which [`find`] tries them.
const ENDINGS: [&str; 10] = [
    ".xml",
    ".geojson",
    ".geojson.gz",
    ".json",
    ".png",
    ".tif",
    ".tiff",
    "_mask.png",
    "_mask.tif",
    "_Mask.tif",
];

/// The file of truth for `slide` in `folder`; `None` if there is none.
pub fn find(folder: &Path, slide: &str) -> Option<PathBuf> {
    ENDINGS.iter().map(|ending| folder.join(format!("{slide}{ending}"))).find(|path| path.is_file())
}

/// The name of the slide that a file of truth describes; `None` for other files.
pub fn slide_name(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str()?;
    let ending = ENDINGS.iter().filter(|ending| name.ends_with(*ending)).max_by_key(|e| e.len())?;
    name.strip_suffix(ending).filter(|stem| !stem.is_empty()).map(str::to_owned)
}

impl Truth {
    /// Reads a file of truth.
    ///
    /// # Errors
    /// [`TruthError`] naming the file, what was found and what was expected.
    pub fn read(path: &Path, groups: &AnnotationGroups) -> Result<Self, TruthError> {
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
        if name.ends_with(".xml") {
            return asap_xml::read(path, groups).map(Self::Outlines);
        }
        if name.ends_with(".geojson") || name.ends_with(".gz") {
            return geojson::read(path, groups).map(Self::Outlines);
        }
        if name.ends_with(".json") {
            return ncrf_json::read(path, groups).map(Self::Outlines);
        }
        Ok(Self::Image(read_labels(path)?, None))
    }

    /// Sets the size of a mask image's pixels along x and y, level-0 px. Outlines stay
    /// unchanged.
    #[must_use]
    pub fn with_pixel(self, level0_px: [f64; 2]) -> Self {
        match self {
            Self::Image(labels, _) => Self::Image(labels, Some(level0_px)),
            outlines => outlines,
        }
    }

    /// Stretches a mask image whose pixel size is unknown over a slide of this width and
    /// height, level-0 px. Other truth stays unchanged.
    #[must_use]
    pub fn covering(self, width: f64, height: f64) -> Self {
        let pixel = match &self {
            Self::Image(labels, None) => {
                let (rows, cols) = labels.dim();
                [width / cols.max(1) as f64, height / rows.max(1) as f64]
            }
            _ => return self,
        };
        self.with_pixel(pixel)
    }

    /// Width and height, level-0 px, of the area from the slide's origin that contains
    /// the whole truth; `None` for an image whose pixel size is unknown.
    pub fn extent(&self) -> Option<[f64; 2]> {
        match self {
            Self::Outlines(outlines) => {
                let points = outlines.iter().flat_map(|outline| &outline.rings).flatten();
                Some(points.fold([0.0_f64; 2], |max, p| [max[0].max(p[0]), max[1].max(p[1])]))
            }
            Self::Image(labels, pixel) => {
                let (rows, cols) = labels.dim();
                pixel.map(|[x, y]| [cols as f64 * x, rows as f64 * y])
            }
        }
    }

    /// The lesions sampled at the points of `grid`; `None` for an image whose pixel size
    /// is unknown.
    pub fn raster(&self, grid: &SampleGrid) -> Option<Mask> {
        match self {
            Self::Outlines(outlines) => Some(rasterise(outlines, grid)),
            Self::Image(labels, pixel) => {
                pixel.map(|pixel| mask_image::sample_mask(labels, pixel, grid))
            }
        }
    }
}

#[cfg(test)]
mod tests;
