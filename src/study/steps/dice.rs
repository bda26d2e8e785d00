//! Overlaps of segmentations and truth.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::error::StepError;
use super::heatmaps::LoadedHeatmap;
use crate::geometry::CoordinateOrigin;
use crate::label_image::LabelImage;
use crate::metrics::overlap::{Overlap, per_class, threshold_sweep};
use crate::study::truth_file::read_truth;
use crate::truth::{self, AnnotationGroups, Truth, TruthError};

/// The truth that segmentations are compared with.
pub(crate) struct TruthSource<'t> {
    /// A folder with one file per slide, or the file of a single slide.
    pub(crate) path: &'t Path,
    /// Level-0 px per pixel of mask images.
    pub(crate) image_px: Option<f64>,
    /// Which annotations are lesions.
    pub(crate) groups: AnnotationGroups,
    /// Where outlines begin to count if their format leaves this open.
    pub(crate) origin: CoordinateOrigin,
}

/// One overlap: of a slide, or of all slides together, at a threshold or of a class.
#[derive(Serialize)]
pub(crate) struct OverlapRow {
    pub(crate) slide: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) threshold: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) class: Option<usize>,
    pub(crate) dice: Option<f64>,
    pub(crate) iou: Option<f64>,
    #[serde(flatten)]
    overlap: Overlap,
}

/// Name of the row for all slides together.
const ALL: &str = "all";

/// Compares label images, in which the grey value is the class, pixel by pixel.
///
/// # Errors
/// [`StepError`] if an image cannot be read, has no truth, or has another size than its truth.
pub(crate) fn label_overlaps(
    images: &[PathBuf],
    truth: &TruthSource<'_>,
) -> Result<Vec<OverlapRow>, StepError> {
    let mut rows = OverlapRows::new(&RowKeys::Classes);
    for path in images {
        let slide = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        rows.add(&slide, compare_labels(path, &slide, truth)?);
    }
    Ok(rows.finish())
}

/// Compares heatmaps point by point at each threshold.
///
/// # Errors
/// [`StepError`] if a heatmap or its truth cannot be used.
pub(crate) fn heatmap_overlaps(
    heatmaps: impl Iterator<Item = Result<LoadedHeatmap, StepError>>,
    truth: &TruthSource<'_>,
    thresholds: &[f32],
) -> Result<Vec<OverlapRow>, StepError> {
    let keys = RowKeys::Thresholds(thresholds.to_vec());
    let mut rows = OverlapRows::new(&keys);
    for heatmap in heatmaps {
        let heatmap = heatmap?;
        rows.add(&heatmap.slide, compare_heatmap(&heatmap, truth, thresholds)?);
    }
    Ok(rows.finish())
}

/// What the index of a row stands for: a threshold, or a class.
enum RowKeys {
    Thresholds(Vec<f32>),
    Classes,
}

struct OverlapRows<'k> {
    keys: &'k RowKeys,
    rows: Vec<OverlapRow>,
    sums: Vec<Overlap>,
    slides: usize,
}

impl<'k> OverlapRows<'k> {
    fn new(keys: &'k RowKeys) -> Self {
        Self { keys, rows: Vec::new(), sums: Vec::new(), slides: 0 }
    }

    fn add(&mut self, slide: &str, overlaps: Vec<Overlap>) {
        self.sums.resize(overlaps.len(), Overlap::default());
        for (index, overlap) in overlaps.into_iter().enumerate() {
            self.sums[index] += overlap;
            self.rows.extend(row(slide, self.keys, index, overlap));
        }
        self.slides += 1;
    }

    /// All rows; those of all slides together come last, if there are several slides.
    fn finish(mut self) -> Vec<OverlapRow> {
        if self.slides > 1 {
            for (index, &overlap) in self.sums.iter().enumerate() {
                self.rows.extend(row(ALL, self.keys, index, overlap));
            }
        }
        self.rows
    }
}

fn row(slide: &str, keys: &RowKeys, index: usize, overlap: Overlap) -> Option<OverlapRow> {
    let (threshold, class) = match keys {
        RowKeys::Thresholds(thresholds) => (Some(thresholds[index]), None),
        // Only classes that occur get a row.
        RowKeys::Classes => {
            overlap.dice()?;
            (None, Some(index))
        }
    };
    let (dice, iou) = (overlap.dice(), overlap.iou());
    Some(OverlapRow { slide: slide.to_owned(), threshold, class, dice, iou, overlap })
}

impl TruthSource<'_> {
    fn path_of(&self, slide: &str) -> Result<Option<PathBuf>, TruthError> {
        if self.path.is_dir() {
            truth::find(self.path, slide)
        } else {
            Ok(Some(self.path.to_owned()))
        }
    }
}

fn compare_labels(
    path: &Path,
    slide: &str,
    truth: &TruthSource<'_>,
) -> Result<Vec<Overlap>, StepError> {
    let drawn_path = truth.path_of(slide)?.ok_or_else(|| {
        let problem = format!("no truth about {slide}, expected {slide}.png");
        StepError::content(truth.path, problem)
    })?;
    let classes = |path: &Path| {
        let image = LabelImage::read(path).and_then(|image| image.classes());
        image.map_err(|problem| StepError::content(path, problem))
    };
    let (predicted, drawn) = (classes(path)?, classes(&drawn_path)?);
    if predicted.dim() != drawn.dim() {
        let ((h, w), (rows, cols)) = (predicted.dim(), drawn.dim());
        let problem = format!(
            "{w} x {h} px, but {} has {cols} x {rows} px; label images must have the same size",
            drawn_path.display()
        );
        return Err(StepError::content(path, problem));
    }
    Ok(per_class(predicted.view(), drawn.view()))
}

fn compare_heatmap(
    heatmap: &LoadedHeatmap,
    drawn: &TruthSource<'_>,
    thresholds: &[f32],
) -> Result<Vec<Overlap>, StepError> {
    let grid = heatmap.grid()?;
    let path = drawn.path_of(&heatmap.slide)?;
    let truth = match &path {
        Some(path) => read_truth(path, &drawn.groups, drawn.origin.start_px(heatmap.bounds_px))?,
        None if is_normal(drawn.path, &heatmap.slide)? => Truth::Outlines(Vec::new()),
        None => {
            let slide = &heatmap.slide;
            let problem = format!(
                "no truth about {slide}; expected {slide}.xml, .geojson, .json, .png or .tif, or reference.csv that calls it Normal"
            );
            return Err(StepError::content(drawn.path, problem));
        }
    };
    let truth = match (drawn.image_px, heatmap.size_px) {
        (Some(px), _) => truth.with_pixel([px; 2]),
        (None, Some([width, height])) => {
            truth.covering(path.as_deref().unwrap_or(drawn.path), width, height)?
        }
        (None, None) => truth,
    };
    let mask = truth.raster(&grid).ok_or_else(|| {
        let problem =
            "an array does not give the size of its slide; give --image-px for the mask image";
        StepError::content(&heatmap.path, problem)
    })?;
    Ok(threshold_sweep(heatmap.score.view(), mask.to_array().view(), thresholds))
}

/// Whether the list of slides in a folder with truth calls a slide normal.
fn is_normal(folder: &Path, slide: &str) -> Result<bool, StepError> {
    let list = folder.join("reference.csv");
    if !truth::is_file(&list)? {
        return Ok(false);
    }
    let slides = truth::read_slide_list(&list)?;
    Ok(slides.iter().any(|known| known.name == slide && !known.is_tumor))
}
