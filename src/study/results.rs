//! What a study found: a row for each setting, and what stands behind it.

use serde::Serialize;

use super::lesions_scored::LesionScored;
use super::outcome::CostSource;
use crate::metrics::auc::RocPoint;
use crate::metrics::froc::Froc;
use crate::metrics::interval::Interval;

/// One setting's results. Shares are 0 to 1.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// The run it is from.
    pub source: String,
    /// `window`, `dense`, `cascade`.
    pub method: String,
    /// Working px.
    pub stride_px: u32,
    /// Area under the ROC curve of the slide scores.
    pub auc: f64,
    /// Its standard deviation.
    pub auc_sd: f64,
    /// Its 95 % interval.
    pub auc_interval_95: Interval,
    /// Its 95 % interval after DeLong et al.
    pub auc_delong_interval_95: Interval,
    /// AUC of the slides' largest scores.
    pub auc_of_max: f64,
    /// AUC less that of the first row.
    pub auc_change: f64,
    /// Chance of such a difference; absent where nothing differs.
    pub auc_change_p: Option<f64>,
    /// Sensitivity at 1/4, 1/2, 1, 2, 4, 8 false positives a slide.
    pub sensitivity: Option<[f64; 6]>,
    /// Their mean.
    pub froc_score: Option<f64>,
    /// Its 95 % interval, by drawing slides.
    pub froc_interval_95: Option<Interval>,
    /// FROC score less that of the first row.
    pub froc_change: Option<f64>,
    /// Lesions to find, over all slides.
    pub lesions: usize,
    /// Lesions hit by any detection.
    pub lesions_hit: usize,
    /// Detections outside lesions, over all slides.
    pub false_positives: usize,
    /// Windows scored, over all slides.
    pub windows: u64,
    /// Core time over all slides.
    pub core_hours: Option<f64>,
    /// Per slide.
    pub core_hours_per_slide: Option<f64>,
    /// Whether core time was measured.
    pub cost: CostSource,
    /// Share of the first row's core time that is not needed.
    pub saving: Option<f64>,
    /// Mean absolute difference of slide scores from the first row's.
    pub slide_score_deviation: f64,
    /// Mean absolute difference of the heatmaps from the first row's.
    pub map_deviation: Option<f64>,
}

/// Everything about one setting.
#[derive(Debug, Clone, Serialize)]
pub struct SettingStudy {
    /// Its row.
    #[serde(flatten)]
    pub row: Row,
    /// The ROC curve.
    pub roc: Vec<RocPoint>,
    /// The FROC curve; absent without a lesion to find.
    pub froc: Option<Froc>,
    /// A score a slide.
    pub slides: Vec<SlideScored>,
    /// How much of each lesion was scored.
    pub coverage: Vec<LesionScored>,
}

/// One slide's score.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SlideScored {
    /// The slide.
    pub name: String,
    /// Its truth.
    pub is_tumor: bool,
    /// The slide score.
    pub score: f64,
    /// Its largest score.
    pub max: f64,
    /// Lesions to find, and of these found.
    pub lesions: usize,
    /// Of these hit.
    pub lesions_hit: usize,
    /// Detections outside lesions.
    pub false_positives: usize,
    /// Points scored.
    pub windows: u64,
    /// Core time.
    pub core_s: Option<f64>,
}

/// The answer.
#[derive(Debug, Clone, Serialize)]
pub struct Study {
    /// Version of the layout of `study.json`.
    pub version: u32,
    /// Program and version.
    pub writer: String,
    /// Slides.
    pub slides: usize,
    /// Of these with tumour.
    pub tumor_slides: usize,
    /// How it was made.
    pub rules: String,
    /// The first is what the others are compared with.
    pub settings: Vec<SettingStudy>,
}

/// Version of `study.json`.
pub(super) const VERSION: u32 = 1;
