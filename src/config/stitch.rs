//! What becomes of heatmaps.

use serde::{Deserialize, Serialize};

use super::StudyKeys;
use crate::export::{ExportFormat, GeoJsonObjects, GeoJsonRules};
use crate::heatmap::render::MIN_SIDE_PX;

/// `[stitch]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StitchKeys {
    /// Write the scores of every class, not only of the positive one.
    pub all_classes: bool,
    /// Also write `heatmaps/<slide>.npy`.
    pub npy: bool,
    /// Write the picture.
    pub png: bool,
    /// Longest side of the picture.
    pub max_side_px: u32,
    /// Formats for other programs.
    pub export: Vec<ExportFormat>,
    /// What GeoJSON holds.
    pub geojson_objects: GeoJsonObjects,
    /// Least score of GeoJSON's objects.
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
    /// Which points become objects of GeoJSON.
    #[expect(clippy::cast_possible_truncation, reason = "scores are f32")]
    pub fn geojson_rules(&self, study: &StudyKeys) -> GeoJsonRules {
        GeoJsonRules {
            objects: self.geojson_objects,
            min_score: self.geojson_min_score as f32,
            nms_radius_um: study.nms_radius_um,
            nms_form: study.nms_form,
        }
    }

    /// The first rule broken: key, what was found, what was expected.
    pub(super) fn fault(&self) -> Option<(&'static str, String, String)> {
        if (self.max_side_px as usize) < MIN_SIDE_PX {
            let expected = format!("at least {MIN_SIDE_PX}");
            return Some(("stitch.max_side_px", self.max_side_px.to_string(), expected));
        }
        let least = self.geojson_min_score;
        (!least.is_finite())
            .then(|| ("stitch.geojson_min_score", least.to_string(), "a score".into()))
    }
}
