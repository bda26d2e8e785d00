//! Options that several commands of `slidegrid study` have in common.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::input;
use crate::cli::Failure;
use crate::metrics::detect::{
    Detection, Neighbourhood, PeakRules, RegionPoint, RegionRules, RegionScore, detect_peaks,
    detect_regions,
};
use crate::metrics::lesions::LesionRules;
use crate::truth::{AnnotationGroups, SlideKind, Truth, read_slide_list};

/// Which annotations are lesions.
#[derive(Debug, Args)]
pub(super) struct GroupOptions {
    /// Annotation group or class that is a lesion, in addition to _0, _1, Tumor, Tumour and
    /// Metastases; "none" = annotations without a group. Repeatable.
    #[arg(long, value_name = "NAME")]
    lesion_group: Vec<String>,

    /// Annotation group or class whose area is taken away from lesions, in addition to _2,
    /// Normal, Exclusion and Ignore*. Repeatable.
    #[arg(long, value_name = "NAME")]
    exclude_group: Vec<String>,
}

impl GroupOptions {
    pub(super) fn groups(&self) -> AnnotationGroups {
        let mut groups = AnnotationGroups::default();
        groups.lesion.extend(self.lesion_group.iter().cloned());
        groups.excluded.extend(self.exclude_group.iter().cloned());
        groups
    }
}

/// How annotations become lesions.
#[derive(Debug, Clone, Copy, Args)]
pub(super) struct RuleOptions {
    /// Annotations at most this far apart are one lesion, um.
    #[arg(long, value_name = "UM", default_value_t = 75.0)]
    merge_um: f64,

    /// Lesions shorter than this are isolated tumor cells, which count neither as hit nor as
    /// missed, um; 0 = all lesions count.
    #[arg(long, value_name = "UM", default_value_t = 200.0)]
    itc_um: f64,
}

impl RuleOptions {
    pub(super) fn rules(&self) -> LesionRules {
        LesionRules { merge_um: self.merge_um, itc_um: self.itc_um }
    }
}

/// How points of a heatmap become detections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum DetectMethod {
    /// Non-maximum suppression (Liu et al. 2017).
    Nms,
    /// Connected regions above a threshold (Wang et al. 2016).
    Regions,
}

/// The neighbourhood of a detection in which no other detection is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum NmsForm {
    /// A square, as in NCRF and MONAI.
    Square,
    /// All points nearer than the radius.
    Disc,
}

/// How the score of a region is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum RegionScoreArg {
    /// Mean score of its points.
    Mean,
    /// Largest score of its points.
    Max,
    /// Sum of the scores of its points.
    Sum,
}

/// Which point stands for a region.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum RegionPlaceArg {
    /// Mean of the positions of its points.
    Centroid,
    /// Its point with the largest score.
    Peak,
}

/// How detections are made.
#[derive(Debug, Args)]
pub(super) struct DetectOptions {
    /// How points become detections.
    #[arg(long, value_enum)]
    pub(super) method: DetectMethod,

    /// Points with scores above this may be detections [default: 0.5 for nms, 0.9 for
    /// regions].
    #[arg(long, value_name = "SCORE")]
    threshold: Option<f32>,

    /// For nms: radius around a detection in which no other detection is made, um.
    #[arg(long, value_name = "UM", default_value_t = 187.0)]
    radius_um: f64,

    /// For nms: the radius in points of the heatmap, in place of --radius-um.
    #[arg(long, value_name = "N")]
    radius_points: Option<usize>,

    /// For nms: shape of the neighbourhood of a detection.
    #[arg(long, value_enum, default_value_t = NmsForm::Square)]
    form: NmsForm,

    /// For regions: how the score of a region is computed.
    #[arg(long, value_enum, default_value_t = RegionScoreArg::Mean)]
    score: RegionScoreArg,

    /// For regions: which point stands for a region.
    #[arg(long, value_enum, default_value_t = RegionPlaceArg::Centroid)]
    place: RegionPlaceArg,

    /// For regions: smallest number of points in a detection.
    #[arg(long, value_name = "N", default_value_t = 1)]
    min_points: usize,
}

impl DetectOptions {
    /// The detections in a heatmap, with x and y in level-0 px.
    pub(super) fn detections(
        &self,
        heatmap: &super::heatmaps::LoadedHeatmap,
    ) -> Result<Vec<Detection>, Failure> {
        let pitch_px = heatmap.pitch_px()?;
        let found = match self.method {
            DetectMethod::Nms => {
                let radius = match self.radius_points {
                    Some(points) => points,
                    None => PeakRules::points_of(self.radius_um, pitch_px * heatmap.mpp()?),
                };
                detect_peaks(heatmap.score.view(), &self.peak_rules(radius))
            }
            DetectMethod::Regions => detect_regions(heatmap.score.view(), &self.region_rules()),
        };
        let on_slide = |d: Detection| Detection { x: d.x * pitch_px, y: d.y * pitch_px, ..d };
        Ok(found.into_iter().map(on_slide).collect())
    }

    fn peak_rules(&self, radius: usize) -> PeakRules {
        let form = match self.form {
            NmsForm::Square => Neighbourhood::Square,
            NmsForm::Disc => Neighbourhood::Disc,
        };
        PeakRules { threshold: self.threshold.unwrap_or(0.5), radius, form }
    }

    fn region_rules(&self) -> RegionRules {
        RegionRules {
            threshold: self.threshold.unwrap_or(0.9),
            min_points: self.min_points,
            score: match self.score {
                RegionScoreArg::Mean => RegionScore::Mean,
                RegionScoreArg::Max => RegionScore::Max,
                RegionScoreArg::Sum => RegionScore::Sum,
            },
            point: match self.place {
                RegionPlaceArg::Centroid => RegionPoint::Centroid,
                RegionPlaceArg::Peak => RegionPoint::Peak,
            },
        }
    }
}

/// The slides of a folder with truth: those of `list`, or those of its `reference.csv`. Without
/// a list, they are the slides that have a file in the folder, and all of them have tumor.
pub(super) fn slides_of(folder: &Path, list: Option<&Path>) -> Result<Vec<SlideKind>, Failure> {
    let reference = folder.join("reference.csv");
    match list.or_else(|| reference.is_file().then_some(reference.as_path())) {
        Some(list) => read_slide_list(list).map_err(input),
        None => {
            let names = truth_files(folder)?;
            Ok(names.into_iter().map(|(name, _)| SlideKind { name, is_tumor: true }).collect())
        }
    }
}

/// The files with truth in a folder, as (slide, path), sorted by slide.
pub(super) fn truth_files(folder: &Path) -> Result<Vec<(String, PathBuf)>, Failure> {
    let error = |e| input(format!("{}: cannot list the folder of truth: {e}", folder.display()));
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(error)? {
        let path = entry.map_err(error)?.path();
        files.extend(crate::truth::slide_name(&path).map(|slide| (slide, path)));
    }
    files.sort();
    Ok(files)
}

/// Reads the truth about a slide with tumor. `image_px` is the number of level-0 px per pixel of
/// mask images.
pub(super) fn truth_of(
    folder: &Path,
    slide: &str,
    groups: &AnnotationGroups,
    image_px: Option<f64>,
) -> Result<Truth, Failure> {
    let path = crate::truth::find(folder, slide).ok_or_else(|| {
        input(format!(
            "{}: no truth about {slide}, which is listed as having tumor; expected {slide}.xml, .geojson, .json, .png or .tif",
            folder.display()
        ))
    })?;
    let truth = Truth::read(&path, groups).map_err(input)?;
    Ok(match image_px {
        Some(px) => truth.with_pixel([px; 2]),
        None => truth,
    })
}
