//! The FROC curve of detections in files.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::detect::csv_of;
use super::error::StepError;
use super::truth::{slides_of, truth_of};
use crate::metrics::froc::{Froc, Interpolation, SCORED_AT, SlideHits, score_interval};
use crate::metrics::interval::Interval;
use crate::metrics::lesions::{LesionRules, Lesions, evaluation_downsample};
use crate::metrics::raster::SampleGrid;
use crate::study::detections_csv::read_detections;
use crate::truth::{self, AnnotationGroups, SlideKind, Truth};

/// Detections, truth, and how they are compared.
pub(crate) struct FrocRequest {
    /// Folder with one file of detections per slide.
    pub(crate) detections: PathBuf,
    /// Folder with the truth.
    pub(crate) truth: PathBuf,
    /// List of slides and their types; `None` for the folder's own.
    pub(crate) slides: Option<PathBuf>,
    /// Resolution of the slides, um per level-0 px.
    pub(crate) mpp: f64,
    /// Level-0 px per pixel of mask images.
    pub(crate) image_px: Option<f64>,
    /// Downsample at which lesions are evaluated; `None` for that of the challenge.
    pub(crate) downsample: Option<f64>,
    /// How annotations become lesions.
    pub(crate) rules: LesionRules,
    /// Which annotations are lesions.
    pub(crate) groups: AnnotationGroups,
    /// How the curve is taken between its points.
    pub(crate) interpolation: Interpolation,
    /// Number of resamples for the interval; 0 = no interval.
    pub(crate) bootstrap: usize,
    /// Seed of the resamples.
    pub(crate) seed: u64,
}

/// The curve, and what it was made of.
#[derive(Serialize)]
pub(crate) struct FrocReport {
    pub(crate) slides: usize,
    pub(crate) lesions: usize,
    pub(crate) isolated_tumor_cells: usize,
    pub(crate) false_positives: usize,
    pub(crate) slides_without_file: Vec<String>,
    pub(crate) score: f64,
    pub(crate) score_interval_95: Option<Interval>,
    #[serde(rename = "read_off")]
    interpolation: Interpolation,
    pub(crate) sensitivity: Vec<AtFalsePositives>,
    #[serde(flatten)]
    pub(crate) curve: Froc,
}

/// A point of the curve.
#[derive(Serialize)]
pub(crate) struct AtFalsePositives {
    pub(crate) false_positives: f64,
    pub(crate) sensitivity: f64,
}

/// Computes the curve. `warn` gets what a reader of the curve should know.
///
/// # Errors
/// [`StepError`] if a file cannot be used, a slide with detections is not in the list, or no
/// slide has a lesion to find.
pub(crate) fn froc(request: &FrocRequest, warn: &dyn Fn(&str)) -> Result<FrocReport, StepError> {
    let slides = slides(request)?;
    let (mut hits, mut slides_without_file, mut isolated_tumor_cells) = (Vec::new(), Vec::new(), 0);
    for slide in &slides {
        let lesions = match slide.is_tumor {
            true => lesions_of(request, &slide.name)?,
            false => Lesions::none(),
        };
        isolated_tumor_cells += lesions.lesions.len() - lesions.to_find();
        let file = csv_of(&request.detections, &slide.name);
        let has_file = truth::is_file(&file)?;
        let detections = if has_file { read_detections(&file)? } else { Vec::new() };
        if !has_file {
            slides_without_file.push(slide.name.clone());
        }
        hits.push(SlideHits::count(&detections, &lesions));
    }
    if !slides_without_file.is_empty() {
        warn(&format!(
            "warning: {} of {} slides have no file in {} and count as slides without detections: {}",
            slides_without_file.len(),
            slides.len(),
            request.detections.display(),
            slides_without_file.join(", ")
        ));
    }
    report(request, &hits, slides_without_file, isolated_tumor_cells)
}

/// The slides of the list; without one, those with truth and those with detections.
fn slides(request: &FrocRequest) -> Result<Vec<SlideKind>, StepError> {
    let mut slides = slides_of(&request.truth, request.slides.as_deref())?;
    let listed: BTreeSet<String> = slides.iter().map(|slide| slide.name.clone()).collect();
    let is_list = request.slides.is_some() || truth::is_file(&request.truth.join("reference.csv"))?;
    for name in detected(&request.detections)? {
        if listed.contains(&name) {
            continue;
        }
        if is_list {
            let problem = format!(
                "slide {name} is not in the list of slides; add the slide to the list, or remove the file"
            );
            return Err(StepError::content(&csv_of(&request.detections, &name), problem));
        }
        slides.push(SlideKind { name, is_tumor: false });
    }
    Ok(slides)
}

/// The names of the slides that have a file of detections.
fn detected(folder: &Path) -> Result<Vec<String>, StepError> {
    let error =
        |e: std::io::Error| StepError::content(folder, format!("cannot list the detections: {e}"));
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(error)? {
        let path = entry.map_err(error)?.path();
        if path.extension().is_some_and(|e| e == "csv") {
            names.extend(path.file_stem().map(|stem| stem.to_string_lossy().into_owned()));
        }
    }
    names.sort();
    Ok(names)
}

fn lesions_of(request: &FrocRequest, slide: &str) -> Result<Lesions, StepError> {
    let truth = truth_of(&request.truth, slide, &request.groups, request.image_px)?;
    let downsample = request.downsample.unwrap_or_else(|| evaluation_downsample(request.mpp));
    let [width, height] = truth.extent().ok_or_else(|| {
        let problem = format!(
            "the truth about {slide} is an image, which does not give the size of its pixels; give --image-px"
        );
        StepError::content(&request.truth, problem)
    })?;
    // Outlines do not give the size of their slide, so the grid leaves room for growing them.
    let room = match truth {
        Truth::Outlines(_) => request.rules.merge_um / request.mpp + 2.0 * downsample,
        Truth::Image(..) => 0.0,
    };
    let grid = SampleGrid::pixels(width + room, height + room, downsample);
    let mask = truth.raster(&grid).expect("the extent of the truth is known");
    Ok(Lesions::find(&mask, grid, request.mpp, &request.rules))
}

fn report(
    request: &FrocRequest,
    hits: &[SlideHits],
    slides_without_file: Vec<String>,
    isolated_tumor_cells: usize,
) -> Result<FrocReport, StepError> {
    let interpolation = request.interpolation;
    let curve = Froc::compute(hits).ok_or_else(|| {
        let slides = hits.len();
        let problem = format!("no lesion to find on {slides} slides, expected at least one");
        StepError::content(&request.truth, problem)
    })?;
    let at = |&false_positives: &f64| AtFalsePositives {
        false_positives,
        sensitivity: curve.sensitivity_at(false_positives, interpolation),
    };
    Ok(FrocReport {
        slides: hits.len(),
        lesions: hits.iter().map(|hits| hits.to_find).sum(),
        isolated_tumor_cells,
        false_positives: hits.iter().map(|hits| hits.false_positives.len()).sum(),
        slides_without_file,
        score: curve.score(interpolation),
        score_interval_95: score_interval(
            hits,
            interpolation,
            0.95,
            request.bootstrap,
            request.seed,
        ),
        interpolation,
        sensitivity: SCORED_AT.iter().map(at).collect(),
        curve,
    })
}
