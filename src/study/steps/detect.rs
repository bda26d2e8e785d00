//! Detections in heatmaps, and their files.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::error::StepError;
use super::heatmaps::LoadedHeatmap;
use crate::metrics::detect::{
    Detection, Neighbourhood, PeakRules, RegionRules, detect_peaks, detect_regions,
};
use crate::study::detections_csv::write_detections;

/// How detections are made.
pub(crate) enum DetectionRules {
    /// One detection per maximum.
    Peaks {
        /// Points with scores above this may be detections.
        threshold: f32,
        /// Radius around a detection in which no other detection is made.
        radius: PeakRadius,
        /// Shape of the neighbourhood of a detection.
        form: Neighbourhood,
    },
    /// One detection per region.
    Regions(RegionRules),
}

/// A distance on a heatmap.
pub(crate) enum PeakRadius {
    Um(f64),
    Points(usize),
}

/// The detections of a slide, and the file that holds them.
#[derive(Serialize)]
pub(crate) struct SlideDetections {
    slide: String,
    pub(crate) file: PathBuf,
    /// Score, x and y of each detection.
    pub(crate) detections: Vec<[f64; 3]>,
}

/// Where detections are written.
pub(crate) enum DetectionsOut<'o> {
    /// One file for the detections of a single slide.
    File(&'o Path),
    /// A folder for one file per slide.
    Folder(&'o Path),
}

/// Detects lesions in heatmaps and writes one file per slide.
///
/// # Errors
/// [`StepError`] if a heatmap cannot be used or a file cannot be written.
pub(crate) fn write_all(
    heatmaps: impl Iterator<Item = Result<LoadedHeatmap, StepError>>,
    rules: &DetectionRules,
    out: &DetectionsOut<'_>,
) -> Result<Vec<SlideDetections>, StepError> {
    let mut written = Vec::new();
    for heatmap in heatmaps {
        let heatmap = heatmap?;
        let detections = detections(&heatmap, rules)?;
        let file = match *out {
            DetectionsOut::File(file) => file.to_owned(),
            DetectionsOut::Folder(folder) => csv_of(folder, &heatmap.slide),
        };
        write_detections(&file, &detections)?;
        let detections = detections.iter().map(|d| [d.score, d.x, d.y]).collect();
        written.push(SlideDetections { slide: heatmap.slide, file, detections });
    }
    Ok(written)
}

/// The detections in a heatmap, with x and y in level-0 px.
fn detections(
    heatmap: &LoadedHeatmap,
    rules: &DetectionRules,
) -> Result<Vec<Detection>, StepError> {
    let pitch_px = heatmap.pitch_px()?;
    let found = match rules {
        DetectionRules::Peaks { threshold, radius, form } => {
            let radius = match *radius {
                PeakRadius::Points(points) => points,
                PeakRadius::Um(um) => PeakRules::points_of(um, pitch_px * heatmap.mpp()?),
            };
            let rules = PeakRules { threshold: *threshold, radius, form: *form };
            detect_peaks(heatmap.score.view(), &rules)
        }
        DetectionRules::Regions(rules) => detect_regions(heatmap.score.view(), rules),
    };
    let on_slide = |d: Detection| Detection { x: d.x * pitch_px, y: d.y * pitch_px, ..d };
    Ok(found.into_iter().map(on_slide).collect())
}

/// The path of a slide's file of detections. `with_extension` would cut slide names with dots.
pub(super) fn csv_of(folder: &Path, slide: &str) -> PathBuf {
    folder.join(format!("{slide}.csv"))
}
