//! The section `[stitch]`: which files are written for a heatmap.

use serde::{Deserialize, Serialize};

use super::violation::Violation;
use super::{Slides, StudyKeys};
use crate::export::{ExportFormat, GeoJsonObjects, GeoJsonRules};
use crate::heatmap::render::MIN_SIDE_PX;

/// `[stitch]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StitchKeys {
    /// Whether the scores of every class are written, in addition to the positive class.
    pub all_classes: bool,
    /// Whether `heatmaps/<slide>.npy` is written.
    pub npy: bool,
    /// Whether the picture `heatmaps/<slide>.png` is written.
    pub png: bool,
    /// Longest side of the picture, px.
    pub max_side_px: u32,
    /// Formats for other programs.
    pub export: Vec<ExportFormat>,
    /// Kind of the objects in GeoJSON files.
    pub geojson_objects: GeoJsonObjects,
    /// Smallest score of the objects in GeoJSON files.
    pub geojson_min_score: f64,
}

impl Default for StitchKeys {
    fn default() -> Self {
        Self {
            all_classes: false,
            npy: false,
            png: true,
            max_side_px: 2048,
            export: Vec::new(),
            geojson_objects: GeoJsonObjects::default(),
            geojson_min_score: 0.5,
        }
    }
}

impl StitchKeys {
    /// Which points become objects in GeoJSON files.
    #[expect(clippy::cast_possible_truncation, reason = "scores are f32")]
    pub fn geojson_rules(&self, study: &StudyKeys, slides: &Slides) -> GeoJsonRules {
        GeoJsonRules {
            objects: self.geojson_objects,
            min_score: self.geojson_min_score as f32,
            nms_radius_um: study.nms_radius_um,
            nms_form: study.nms_form,
            origin: slides.origin(),
        }
    }

    /// The first value that breaks a rule.
    pub(super) fn violation(&self) -> Option<Violation> {
        if (self.max_side_px as usize) < MIN_SIDE_PX {
            let expected = format!("at least {MIN_SIDE_PX}");
            return Some(Violation::new(
                "stitch.max_side_px",
                self.max_side_px.to_string(),
                expected,
            ));
        }
        let least = self.geojson_min_score;
        (!least.is_finite())
            .then(|| Violation::new("stitch.geojson_min_score", least.to_string(), "a score"))
    }
}
