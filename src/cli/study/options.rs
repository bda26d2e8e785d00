//! Options that several pieces share.

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
    /// Annotation groups or classes that are lesions, besides _0, _1, Tumor,
    /// Tumour, Metastases; "none" = annotations without one. Repeatable.
    #[arg(long, value_name = "NAME")]
    lesion_group: Vec<String>,

    /// Groups that take away from lesions, besides _2, Normal, Exclusion,
    /// Ignore*. Repeatable.
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

/// What counts as a lesion.
#[derive(Debug, Clone, Copy, Args)]
pub(super) struct RuleOptions {
    /// Annotations up to this far apart are one lesion.
    #[arg(long, value_name = "UM", default_value_t = 75.0)]
    merge_um: f64,

    /// Lesions shorter than this are isolated tumour cells, which count neither
    /// way; 0 = none are.
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

/// The form of what a detection silences.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum NmsForm {
    /// As in NCRF and MONAI.
    Square,
    /// Points nearer than the radius.
    Disc,
}

/// A region's score.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum RegionScoreArg {
    /// Mean of its points.
    Mean,
    /// The largest.
    Max,
    /// Their sum.
    Sum,
}

/// A region's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum RegionPlaceArg {
    /// Mean of its points.
    Centroid,
    /// Its highest point.
    Peak,
}

/// How detections are made.
#[derive(Debug, Args)]
pub(super) struct DetectOptions {
    /// How points become detections.
    #[arg(long, value_enum)]
    pub(super) method: DetectMethod,

    /// Points above this count [default: 0.5 for nms, 0.9 for regions].
    #[arg(long, value_name = "SCORE")]
    threshold: Option<f32>,

    /// nms: a detection silences what is nearer than this.
    #[arg(long, value_name = "UM", default_value_t = 187.0)]
    radius_um: f64,

    /// nms: the same in points of the heatmap, whatever the resolution.
    #[arg(long, value_name = "N")]
    radius_points: Option<usize>,

    /// nms: the form of what is silenced.
    #[arg(long, value_enum, default_value_t = NmsForm::Square)]
    form: NmsForm,

    /// regions: a region's score.
    #[arg(long, value_enum, default_value_t = RegionScoreArg::Mean)]
    score: RegionScoreArg,

    /// regions: a region's place.
    #[arg(long, value_enum, default_value_t = RegionPlaceArg::Centroid)]
    place: RegionPlaceArg,

    /// regions: fewer points than this are no detection.
    #[arg(long, value_name = "N", default_value_t = 1)]
    min_points: usize,
}

impl DetectOptions {
    /// The detections of a heatmap, level-0 px.
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
        let on_slide = |of: Detection| Detection { x: of.x * pitch_px, y: of.y * pitch_px, ..of };
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

/// The slides of a folder of truth: those of `list`, or of its
/// `reference.csv`, or else those it has a file about, with tumour.
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

/// Files of truth in a folder, by slide, in order of name.
pub(super) fn truth_files(folder: &Path) -> Result<Vec<(String, PathBuf)>, Failure> {
    let wrong = |e| input(format!("{}: cannot list the folder of truth: {e}", folder.display()));
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(wrong)? {
        let path = entry.map_err(wrong)?.path();
        files.extend(crate::truth::slide_name(&path).map(|slide| (slide, path)));
    }
    files.sort();
    Ok(files)
}

/// The truth about a slide with tumour; `image_px`: level-0 px of a pixel of
/// mask images.
pub(super) fn truth_of(
    folder: &Path,
    slide: &str,
    groups: &AnnotationGroups,
    image_px: Option<f64>,
) -> Result<Truth, Failure> {
    let path = crate::truth::find(folder, slide).ok_or_else(|| {
        input(format!(
            "{}: no truth about {slide}, which is listed as having tumour; expected {slide}.xml, .geojson, .json, .png or .tif",
            folder.display()
        ))
    })?;
    let truth = Truth::read(&path, groups).map_err(input)?;
    Ok(match image_px {
        Some(px) => truth.with_pixel([px; 2]),
        None => truth,
    })
}
