//! The truth about slides: outlines and masks of lesions that people have drawn, and lists
//! of the slides with and without tumor. A study compares heatmaps with the truth.
//!
//! ```text
//! .xml (ASAP, ImageScope) .geojson (QuPath) .json (NCRF) ──> outlines ──┐
//! .png .tif (mask images) ──────────────────────────────────────────────┴──> Truth ──> raster
//! reference.csv ──> the slides, and which of them have tumor
//! ```

mod asap_xml;
mod drawn;
mod error;
mod files;
mod geojson;
mod geojson_text;
mod groups;
mod imagescope_xml;
mod mask_image;
mod ncrf_json;
mod slide_list;
mod sources;
mod xml;
mod xml_events;

use std::path::Path;

use ndarray::Array2;

use crate::label_image::{LabelImage, check_shape};
use crate::metrics::mask::Mask;
use crate::metrics::raster::{Outline, SampleGrid, rasterise};

pub(crate) use error::TruthError;
pub(crate) use files::{find, is_file, slide_name};
pub use groups::AnnotationGroups;
pub(crate) use groups::UNGROUPED;
pub(crate) use slide_list::{SlideKind, is_tumor, read_slide_list};
pub(crate) use sources::TruthSources;

/// The lesions of one slide.
#[derive(Debug, Clone, PartialEq)]
pub enum Truth {
    /// Outlines, level-0 px.
    Outlines(Vec<Outline>),
    /// A mask image `[row, col]`, where pixels that are not 0 are lesion, and the size of
    /// its pixels along x and y, level-0 px; `None` while that is unknown.
    Image(Array2<u8>, Option<[f64; 2]>),
}

/// The truth of a file.
#[derive(Debug, Clone, PartialEq)]
pub struct TruthFile {
    /// The lesions.
    pub truth: Truth,
    /// Lines that a reader of the result should see; each names the file.
    pub notes: Vec<String>,
}

impl Truth {
    /// Reads a file of truth, and what a reader of the result should know: shapes that are left
    /// out because they enclose nothing, where outlines were moved to, and how the values of an
    /// image were understood. `start_px` is where coordinates begin in formats that leave this
    /// open (GeoJSON): x and y, level-0 px; see [`CoordinateOrigin`](crate::geometry::CoordinateOrigin).
    ///
    /// # Errors
    /// `TruthError` naming the file, what was found and what was expected.
    pub fn read(
        path: &Path,
        groups: &AnnotationGroups,
        start_px: [f64; 2],
    ) -> Result<TruthFile, TruthError> {
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
        let drawn = if name.ends_with(".xml") {
            xml::read(path, groups)?
        } else if name.ends_with(".geojson") || name.ends_with(".gz") {
            geojson::read(path, groups)?
        } else if name.ends_with(".json") {
            ncrf_json::read(path, groups)?
        } else {
            let image = LabelImage::read(path)
                .and_then(|image| image.binary(&groups.values))
                .map_err(|problem| TruthError::invalid(path, problem))?;
            let notes = image.note.map(|note| format!("{}: {note}", path.display()));
            let truth = Self::Image(image.mask, None);
            return Ok(TruthFile { truth, notes: notes.into_iter().collect() });
        };
        let mut notes = Vec::new();
        if !drawn.left_out.is_empty() {
            notes.push(format!("{}: left out: {}", path.display(), drawn.left_out.join("; ")));
        }
        let mut truth = Self::Outlines(drawn.outlines);
        if drawn.is_start_open && start_px != [0.0; 2] {
            let [x, y] = start_px;
            truth = truth.moved(start_px);
            notes.push(format!(
                "{}: taken to count from the corner of the slide's bounds at ({x}, {y}), as QuPath does; set slides.origin = \"plane\", or give --origin plane, if it counts from the corner of the plane",
                path.display()
            ));
        }
        Ok(TruthFile { truth, notes })
    }

    /// Moves outlines by x and y, level-0 px. Images stay unchanged.
    #[must_use]
    fn moved(mut self, [x, y]: [f64; 2]) -> Self {
        if let Self::Outlines(outlines) = &mut self {
            for point in outlines.iter_mut().flat_map(|outline| &mut outline.rings).flatten() {
                *point = [point[0] + x, point[1] + y];
            }
        }
        self
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
    ///
    /// # Errors
    /// `TruthError` for `path` when the image has another shape than the slide.
    pub fn covering(self, path: &Path, width: f64, height: f64) -> Result<Self, TruthError> {
        let pixel = match &self {
            Self::Image(labels, None) => {
                let (rows, cols) = labels.dim();
                check_shape(rows, cols, width, height)
                    .map_err(|problem| TruthError::invalid(path, problem))?;
                [width / cols.max(1) as f64, height / rows.max(1) as f64]
            }
            _ => return Ok(self),
        };
        Ok(self.with_pixel(pixel))
    }

    /// Whether some of the truth lies on a slide of this width and height, level-0 px. Outlines
    /// count by the rectangles around them; an image covers its slide, and counts if a pixel is
    /// set.
    pub fn touches(&self, width: f64, height: f64) -> bool {
        match self {
            Self::Outlines(outlines) => {
                let lesions = outlines.iter().filter(|outline| !outline.excludes);
                lesions.flat_map(|outline| &outline.rings).any(|ring| {
                    let beside = |axis: usize, limit: f64| {
                        ring.iter().all(|point| point[axis] <= 0.0)
                            || ring.iter().all(|point| point[axis] >= limit)
                    };
                    !beside(0, width) && !beside(1, height)
                })
            }
            Self::Image(labels, _) => labels.iter().any(|&label| label != 0),
        }
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
