//! The results of a study: one row per setting, with the curves and slides behind the row.

use serde::Serialize;

use super::lesions_scored::LesionCoverage;
use super::outcome::CostSource;
use crate::metrics::auc::RocPoint;
use crate::metrics::froc::Froc;
use crate::metrics::interval::Interval;

/// The results of one setting. All shares and rates are 0 to 1.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct StudyRow {
    /// Name of the source, a run.
    pub source: String,
    /// `window`, `dense` or `cascade`.
    pub method: String,
    /// Stride, working px.
    pub stride_px: u32,
    /// Area under the ROC curve (AUC) of the slide scores.
    pub auc: f64,
    /// Standard deviation of the AUC.
    pub auc_sd: f64,
    /// 95 % interval of the AUC.
    pub auc_interval_95: Interval,
    /// 95 % interval of the AUC after DeLong et al.
    pub auc_delong_interval_95: Interval,
    /// AUC with the slides' largest scores in place of the slide scores.
    pub auc_of_max: f64,
    /// AUC minus the AUC of the first row.
    pub auc_change: f64,
    /// p-value of this change; absent where nothing differs.
    pub auc_change_p: Option<f64>,
    /// Sensitivity at 1/4, 1/2, 1, 2, 4 and 8 false positives per slide; absent without a
    /// lesion to find, as are the other results for lesions.
    pub sensitivity: Option<[f64; 6]>,
    /// FROC score: the mean of the six sensitivities.
    pub froc_score: Option<f64>,
    /// 95 % interval of the FROC score, by resampling slides.
    pub froc_interval_95: Option<Interval>,
    /// FROC score minus the FROC score of the first row.
    pub froc_change: Option<f64>,
    /// Number of lesions to find, over all slides.
    pub lesions: usize,
    /// Number of lesions hit by a detection.
    pub lesions_hit: usize,
    /// Number of detections outside lesions, over all slides.
    pub false_positives: usize,
    /// Number of windows scored, over all slides.
    pub windows: u64,
    /// Core time of all slides, hours.
    pub core_hours: Option<f64>,
    /// Core time per slide, hours.
    pub core_hours_per_slide: Option<f64>,
    /// Whether core time was measured or scaled.
    pub cost: CostSource,
    /// Share of the first row's core time that this row does not need.
    pub saving: Option<f64>,
    /// Mean absolute difference of slide scores from the first row's.
    pub slide_score_deviation: f64,
    /// Mean absolute difference of the heatmaps from the first row's.
    pub map_deviation: Option<f64>,
}

/// Everything about one setting.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct SettingStudy {
    /// The setting's row.
    #[serde(flatten)]
    pub row: StudyRow,
    /// ROC curve of the slide scores.
    pub roc: Vec<RocPoint>,
    /// FROC curve of the detections; absent without a lesion to find.
    pub froc: Option<Froc>,
    /// The result for each slide.
    pub slides: Vec<SlideResult>,
    /// How much of each lesion was scored.
    pub coverage: Vec<LesionCoverage>,
}

/// The result of one setting for one slide.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct SlideResult {
    /// Name of the slide.
    pub name: String,
    /// Whether the slide has tumor.
    pub is_tumor: bool,
    /// Slide score.
    pub score: f64,
    /// Largest score of the heatmap.
    pub max: f64,
    /// Number of lesions to find.
    pub lesions: usize,
    /// Number of those lesions that were hit.
    pub lesions_hit: usize,
    /// Number of detections outside lesions.
    pub false_positives: usize,
    /// Number of lattice points scored.
    pub windows: u64,
    /// Core time, seconds.
    pub core_s: Option<f64>,
}

/// A whole study, as `study.json` holds it.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Study {
    /// Version of the layout of `study.json`.
    pub version: u32,
    /// Program and version that wrote the study.
    pub writer: String,
    /// Number of slides.
    pub slides: usize,
    /// Number of slides with tumor.
    pub tumor_slides: usize,
    /// The rules of the study, in words.
    pub rules: String,
    /// The settings; the others are compared with the first.
    pub settings: Vec<SettingStudy>,
}

/// Version of the layout of `study.json`.
pub(super) const VERSION: u32 = 1;
