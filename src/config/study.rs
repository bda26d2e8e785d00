//! `[study]`: how a run is measured against truth.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::metrics::detect::{Neighbourhood, RegionPoint, RegionScore};
use crate::metrics::features::FeatureRules;
use crate::metrics::forest::ForestRules;
use crate::metrics::lesions::LesionRules;
use crate::truth::AnnotationGroups;

/// `[study]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StudyKeys {
    /// Folder with truth: given, runs on a scheduler end with a study.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub truth: Option<PathBuf>,
    /// Strides to compare, working px; empty: the run's, and 4, 8, 14 times it.
    pub strides: Vec<u32>,
    /// What decides whether a slide has tumour.
    pub slide_score: SlideScore,
    /// Points above this belong to the regions that features describe.
    pub feature_threshold: f64,
    /// Parts for cross-validating the forest.
    pub folds: usize,
    /// Trees of the forest.
    pub trees: usize,
    /// Everything random follows from this number.
    pub seed: u64,
    /// How points become detections.
    pub detection: DetectionKey,
    /// Points above this are detected; 0.9 for regions, 0.5 for nms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detection_threshold: Option<f64>,
    /// What a detection silences around it, for nms.
    pub nms_radius_um: f64,
    /// The form of that.
    pub nms_form: Neighbourhood,
    /// Regions of fewer points are no detection.
    pub region_min_points: usize,
    /// A region's score.
    pub region_score: RegionScore,
    /// A region's place.
    pub region_place: RegionPoint,
    /// Annotations up to this far apart are one lesion.
    pub merge_um: f64,
    /// Lesions shorter than this count neither way; 0 = all count.
    pub itc_um: f64,
    /// Draws of slides for the interval of the FROC score; 0 = none.
    pub bootstrap: usize,
    /// Annotation groups that are lesions, besides the usual ones.
    pub lesion_groups: Vec<String>,
    /// Annotation groups that take away from lesions, besides the usual ones.
    pub exclude_groups: Vec<String>,
}

/// What decides whether a slide has tumour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SlideScore {
    /// A random forest over 30 features, cross-validated.
    #[default]
    Forest,
    /// The largest score on the slide.
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
        }
    }
}

impl StudyKeys {
    /// The first rule broken: key, what was found, what was expected.
    pub(super) fn fault(&self) -> Option<(&'static str, String, &'static str)> {
        let positive = |value: f64| value.is_finite() && value > 0.0;
        let share = |value: f64| (0.0..1.0).contains(&value);
        let counts = [
            ("study.folds", self.folds, 2),
            ("study.trees", self.trees, 1),
            ("study.region_min_points", self.region_min_points, 1),
        ];
        if let Some(stride) = self.strides.iter().find(|&&stride| stride == 0) {
            return Some(("study.strides", stride.to_string(), "strides of at least 1"));
        }
        if let Some((key, value, least)) =
            counts.into_iter().find(|(_, value, least)| value < least)
        {
            let expected = if least == 2 { "at least 2" } else { "at least 1" };
            return Some((key, value.to_string(), expected));
        }
        let threshold = self.detection_threshold.unwrap_or(0.5);
        for (key, value) in [
            ("study.feature_threshold", self.feature_threshold),
            ("study.detection_threshold", threshold),
        ] {
            if !share(value) {
                return Some((key, value.to_string(), "a score from 0 to below 1"));
            }
        }
        if !positive(self.nms_radius_um) {
            let found = self.nms_radius_um.to_string();
            return Some(("study.nms_radius_um", found, "micrometres above 0"));
        }
        for (key, value) in [("study.merge_um", self.merge_um), ("study.itc_um", self.itc_um)] {
            if !(value.is_finite() && value >= 0.0) {
                return Some((key, value.to_string(), "micrometres, at least 0"));
            }
        }
        None
    }

    /// The evaluation's lengths.
    pub fn lesion_rules(&self) -> LesionRules {
        LesionRules { merge_um: self.merge_um, itc_um: self.itc_um }
    }

    /// How the forest is grown.
    pub fn forest_rules(&self) -> ForestRules {
        ForestRules { trees: self.trees, seed: self.seed, ..ForestRules::default() }
    }

    /// What annotation groups mean.
    pub fn groups(&self) -> AnnotationGroups {
        let mut groups = AnnotationGroups::default();
        groups.lesion.extend(self.lesion_groups.iter().cloned());
        groups.excluded.extend(self.exclude_groups.iter().cloned());
        groups
    }
}
