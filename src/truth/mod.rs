//! Truth about slides: outlines and masks that people have drawn.
//!
//! ```text
//! .xml (ASAP) .geojson (QuPath) .json (NCRF) ──> outlines ──┐
//! .png .tif (mask images) ──────────────────────────────────┴──> Truth ──> raster
//! reference.csv ──> which slides there are, and which have tumour
//! ```

mod asap_xml;
mod error;
mod geojson;
mod mask_image;
mod ncrf_json;
mod slide_list;

use std::path::{Path, PathBuf};

use ndarray::Array2;

use crate::metrics::mask::Mask;
use crate::metrics::raster::{Outline, SampleGrid, rasterise};

pub use error::TruthError;
pub use mask_image::read_labels;
pub use slide_list::{SlideKind, read_slide_list};

/// Which groups of an annotation file mean what. Compared without regard to case.
#[derive(Debug, Clone, PartialEq)]
pub struct AnnotationGroups {
    /// Groups (ASAP) or classes (QuPath) that are lesions.
    pub lesion: Vec<String>,
    /// Groups that take away from lesions, whatever their order.
    pub excluded: Vec<String>,
}

/// How annotations without a group or class are called.
pub const UNGROUPED: &str = "none";

impl Default for AnnotationGroups {
    /// CAMELYON16's `_0`, `_1` and `_2`, CAMELYON17's `metastases` and
    /// `normal`, QuPath's `Tumor` and `Ignore*`.
    fn default() -> Self {
        let list = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        Self {
            lesion: list(&["_0", "_1", "tumor", "tumour", "metastases"]),
            excluded: list(&["_2", "normal", "exclusion", "ignore*"]),
        }
    }
}

impl AnnotationGroups {
    /// Whether shapes of this group exclude; an error when it is unknown.
    fn excludes(&self, path: &Path, group: &str) -> Result<bool, TruthError> {
        let among = |list: &[String]| list.iter().any(|known| known.eq_ignore_ascii_case(group));
        match (among(&self.lesion), among(&self.excluded)) {
            (true, _) => Ok(false),
            (false, true) => Ok(true),
            (false, false) => Err(TruthError::Group {
                path: path.to_owned(),
                found: group.to_owned(),
                lesion: self.lesion.join(", "),
                excluded: self.excluded.join(", "),
            }),
        }
    }
}

/// What is known of one slide's lesions.
#[derive(Debug, Clone, PartialEq)]
pub enum Truth {
    /// Shapes in level-0 px.
    Outlines(Vec<Outline>),
    /// A mask image `[row, col]`, non-zero = lesion, and how many level-0 px
    /// one of its pixels is along x and y, where that is known.
    Image(Array2<u8>, Option<[f64; 2]>),
}

/// File endings of truth, in the order in which they are looked for.
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

/// The truth file of `slide` in `folder`, when there is one.
pub fn find(folder: &Path, slide: &str) -> Option<PathBuf> {
    ENDINGS.iter().map(|ending| folder.join(format!("{slide}{ending}"))).find(|path| path.is_file())
}

/// The name of the slide that a file of truth is about; `None` for other files.
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

    /// Says how many level-0 px a pixel of a mask image is; outlines need none.
    #[must_use]
    pub fn with_pixel(self, level0_px: [f64; 2]) -> Self {
        match self {
            Self::Image(labels, _) => Self::Image(labels, Some(level0_px)),
            outlines => outlines,
        }
    }

    /// Says that a mask image covers a slide of this many level-0 px.
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

    /// Width and height that hold everything drawn, level-0 px; `None` for an
    /// image whose pixel size is unknown.
    pub fn extent(&self) -> Option<[f64; 2]> {
        match self {
            Self::Outlines(outlines) => {
                let points = outlines.iter().flat_map(|outline| &outline.rings).flatten();
                Some(points.fold([0.0_f64; 2], |most, p| [most[0].max(p[0]), most[1].max(p[1])]))
            }
            Self::Image(labels, pixel) => {
                let (rows, cols) = labels.dim();
                pixel.map(|[x, y]| [cols as f64 * x, rows as f64 * y])
            }
        }
    }

    /// The lesions as sampled by `grid`; `None` for an image whose pixel size is
    /// unknown.
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
