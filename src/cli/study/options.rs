//! Options that several commands of `slidegrid study` have in common.

use clap::{Args, ValueEnum};

use crate::metrics::detect::{Neighbourhood, RegionPoint, RegionRules, RegionScore};
use crate::metrics::lesions::LesionRules;
use crate::study::steps::detect::{DetectionRules, PeakRadius};
use crate::truth::AnnotationGroups;

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

    /// Value of mask images that is a lesion, where they have several besides 0. Repeatable.
    #[arg(long, value_name = "VALUE")]
    lesion_value: Vec<u16>,
}

impl GroupOptions {
    pub(super) fn groups(&self) -> AnnotationGroups {
        let mut groups = AnnotationGroups::default();
        groups.lesion.extend(self.lesion_group.iter().cloned());
        groups.excluded.extend(self.exclude_group.iter().cloned());
        groups.values.clone_from(&self.lesion_value);
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
    method: DetectMethod,

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
    pub(super) fn rules(&self) -> DetectionRules {
        match self.method {
            DetectMethod::Nms => DetectionRules::Peaks {
                threshold: self.threshold.unwrap_or(0.5),
                radius: match self.radius_points {
                    Some(points) => PeakRadius::Points(points),
                    None => PeakRadius::Um(self.radius_um),
                },
                form: match self.form {
                    NmsForm::Square => Neighbourhood::Square,
                    NmsForm::Disc => Neighbourhood::Disc,
                },
            },
            DetectMethod::Regions => DetectionRules::Regions(self.region_rules()),
        }
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
