//! The section `[study]`: how heatmaps are measured against truth.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::violation::Violation;
use crate::metrics::detect::{Neighbourhood, RegionPoint, RegionScore};
use crate::metrics::features::FeatureRules;
use crate::metrics::forest::ForestRules;
use crate::metrics::lesions::LesionRules;
use crate::truth::AnnotationGroups;

/// `[study]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StudyKeys {
    /// Folder with the truth; if set, runs on a scheduler end with a study.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub truth: Option<PathBuf>,
    /// Strides to compare, working px; empty = the run's stride and 4, 8 and 14 times it.
    pub strides: Vec<u32>,
    /// How a slide's score is computed from its heatmap.
    pub slide_score: SlideScore,
    /// Points with scores above this belong to the regions that features describe.
    pub feature_threshold: f64,
    /// Number of parts for cross-validating the forest.
    pub folds: usize,
    /// Number of trees in the forest.
    pub trees: usize,
    /// Seed of all random numbers.
    pub seed: u64,
    /// How points become detections.
    pub detection: DetectionKey,
    /// Points with scores above this may be detections; if absent, 0.9 for regions and 0.5 for
    /// nms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detection_threshold: Option<f64>,
    /// For nms: radius around a detection in which no other detection is made, um.
    pub nms_radius_um: f64,
    /// For nms: shape of that neighbourhood.
    pub nms_form: Neighbourhood,
    /// For regions: smallest number of points in a detection.
    pub region_min_points: usize,
    /// For regions: how the score of a region is computed.
    pub region_score: RegionScore,
    /// For regions: which point stands for a region.
    pub region_place: RegionPoint,
    /// Annotations at most this far apart are one lesion, um.
    pub merge_um: f64,
    /// Lesions shorter than this count neither as hit nor as missed, um; 0 = all count.
    pub itc_um: f64,
    /// Number of resamples of slides for the interval of the FROC score; 0 = no interval.
    pub bootstrap: usize,
    /// Annotation groups that are lesions, in addition to the default ones.
    pub lesion_groups: Vec<String>,
    /// Annotation groups whose areas are taken away from lesions, in addition to the default ones.
    pub exclude_groups: Vec<String>,
    /// Values of mask images that are lesions; empty where all but 0 are.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lesion_values: Vec<u16>,
}

/// How a slide's score is computed from its heatmap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SlideScore {
    /// By a random forest over 30 features, with cross-validation.
    #[default]
    Forest,
    /// As the largest score of the heatmap.
    Max,
}

/// How points become detections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DetectionKey {
    /// Connected regions above a threshold.
    #[default]
    Regions,
    /// Non-maximum suppression.
    Nms,
}

impl Default for StudyKeys {
    fn default() -> Self {
        let (forest, lesions) = (ForestRules::default(), LesionRules::default());
        Self {
            truth: None,
            strides: Vec::new(),
            slide_score: SlideScore::default(),
            feature_threshold: f64::from(FeatureRules::default().threshold),
            folds: 5,
            trees: forest.trees,
            seed: forest.seed,
            detection: DetectionKey::default(),
            detection_threshold: None,
            nms_radius_um: 187.0,
            nms_form: Neighbourhood::default(),
            region_min_points: 1,
            region_score: RegionScore::default(),
            region_place: RegionPoint::default(),
            merge_um: lesions.merge_um,
            itc_um: lesions.itc_um,
            bootstrap: 1000,
            lesion_groups: Vec::new(),
            exclude_groups: Vec::new(),
            lesion_values: Vec::new(),
        }
    }
}

impl StudyKeys {
    /// The first value that breaks a rule.
    pub(super) fn violation(&self) -> Option<Violation> {
        let positive = |value: f64| value.is_finite() && value > 0.0;
        let share = |value: f64| (0.0..1.0).contains(&value);
        let counts = [
            ("study.folds", self.folds, 2),
            ("study.trees", self.trees, 1),
            ("study.region_min_points", self.region_min_points, 1),
        ];
        if let Some((key, value, least)) =
            counts.into_iter().find(|(_, value, least)| value < least)
        {
            let expected = if least == 2 { "at least 2" } else { "at least 1" };
            return Some(Violation::new(key, value.to_string(), expected));
        }
        let threshold = self.detection_threshold.unwrap_or(0.5);
        for (key, value) in [
            ("study.feature_threshold", self.feature_threshold),
            ("study.detection_threshold", threshold),
        ] {
            if !share(value) {
                return Some(Violation::new(key, value.to_string(), "a score from 0 to below 1"));
            }
        }
        if !positive(self.nms_radius_um) {
            let found = self.nms_radius_um.to_string();
            return Some(Violation::new("study.nms_radius_um", found, "micrometres above 0"));
        }
        for (key, value) in [("study.merge_um", self.merge_um), ("study.itc_um", self.itc_um)] {
            if !(value.is_finite() && value >= 0.0) {
                return Some(Violation::new(key, value.to_string(), "micrometres, at least 0"));
            }
        }
        None
    }

    /// The lengths by which annotations become lesions.
    pub fn lesion_rules(&self) -> LesionRules {
        LesionRules { merge_um: self.merge_um, itc_um: self.itc_um }
    }

    /// The parameters of the random forest.
    pub fn forest_rules(&self) -> ForestRules {
        ForestRules { trees: self.trees, seed: self.seed, ..ForestRules::default() }
    }

    /// The meaning of annotation groups: the default ones and those of this section.
    pub fn groups(&self) -> AnnotationGroups {
        let mut groups = AnnotationGroups::default();
        groups.lesion.extend(self.lesion_groups.iter().cloned());
        groups.excluded.extend(self.exclude_groups.iter().cloned());
        groups.values.clone_from(&self.lesion_values);
        groups
    }
}
