//! Makes detections in a heatmap by the rules of `[study]`.

use ndarray::ArrayView2;

use crate::config::{DetectionKey, StudyKeys};
use crate::metrics::detect::{Detection, PeakRules, RegionRules, detect_peaks, detect_regions};

/// Default threshold of detections by regions.
pub(super) const REGIONS_ABOVE: f64 = 0.9;
/// Default threshold of detections by maxima.
pub(super) const MAXIMA_ABOVE: f64 = 0.5;

/// Detections in a heatmap, `[row, col]`, by the rules of `keys`; their x and y are in lattice
/// points. `pitch_um` is the distance between points and matters only for
/// [`DetectionKey::Nms`].
pub(crate) fn detect(
    keys: &StudyKeys,
    heatmap: ArrayView2<'_, f32>,
    pitch_um: f64,
) -> Vec<Detection> {
    match keys.detection {
        DetectionKey::Regions => {
            let rules = RegionRules {
                threshold: to_f32(keys.detection_threshold.unwrap_or(REGIONS_ABOVE)),
                min_points: keys.region_min_points,
                score: keys.region_score,
                point: keys.region_place,
            };
            detect_regions(heatmap, &rules)
        }
        DetectionKey::Nms => {
            let rules = PeakRules {
                threshold: to_f32(keys.detection_threshold.unwrap_or(MAXIMA_ABOVE)),
                radius: PeakRules::points_of(keys.nms_radius_um, pitch_um),
                form: keys.nms_form,
            };
            detect_peaks(heatmap, &rules)
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "heatmaps are f32")]
pub(super) fn to_f32(threshold: f64) -> f32 {
    threshold as f32
}
