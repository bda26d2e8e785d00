//! Describes in words by which rules a study was made.

use super::detections::{MAXIMA_ABOVE, REGIONS_ABOVE};
use crate::config::{DetectionKey, SlideScore, StudyKeys};

/// A phrase that says how detections are made.
pub(crate) fn describe_detection(keys: &StudyKeys) -> String {
    match keys.detection {
        DetectionKey::Regions => {
            format!("regions of points above {}", keys.detection_threshold.unwrap_or(REGIONS_ABOVE))
        }
        DetectionKey::Nms => format!(
            "maxima above {}, {} um apart",
            keys.detection_threshold.unwrap_or(MAXIMA_ABOVE),
            keys.nms_radius_um
        ),
    }
}

/// Sentences that say by which rules the study was made.
pub(super) fn describe_rules(keys: &StudyKeys) -> String {
    let detection = describe_detection(keys);
    let score = match keys.slide_score {
        SlideScore::Forest => format!(
            "a random forest of {} trees over 30 features, {} folds, seed {}",
            keys.trees, keys.folds, keys.seed
        ),
        SlideScore::Max => "the slide's largest score".into(),
    };
    let itc = match keys.itc_um {
        0.0 => "all lesions count".to_owned(),
        um => format!(
            "lesions below {um} um (isolated tumor cells) count neither as hit nor as missed"
        ),
    };
    format!(
        "Slide score: {score}. Detections: {detection}. Lesions: annotations within {} um are one; {itc}.",
        keys.merge_um
    )
}
