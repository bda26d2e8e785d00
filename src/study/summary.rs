//! A row a setting: how well, at what cost.

use serde::Serialize;

use super::lesion_tables::{self, LesionScored};
use super::{CostSource, SettingOutcome, StudyError};
use crate::config::{SlideScore, StudyKeys};
use crate::metrics::auc::{Auc, RocPoint, auc, auc_difference, roc};
use crate::metrics::forest::{ForestError, cross_validated};
use crate::metrics::froc::{Froc, Interpolation, SCORED_AT, SlideHits, score_interval};
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
const VERSION: u32 = 1;

/// Puts the settings side by side. `warn` hears what a reader has to know.
///
/// # Errors
/// [`StudyError::Study`] when there are too few slides of a kind.
pub fn summarise(
    settings: &[SettingOutcome],
    keys: &StudyKeys,
    warn: &dyn Fn(&str),
) -> Result<Study, StudyError> {
    let mut done: Vec<SettingStudy> = Vec::new();
    for setting in settings {
        let study = study_setting(setting, keys, done.first(), warn)?;
        done.push(study);
    }
    let slides = settings.first().map_or(0, |setting| setting.slides.len());
    let tumor = |of: &SettingOutcome| of.slides.iter().filter(|slide| slide.is_tumor).count();
    let study = Study {
        version: VERSION,
        writer: crate::version::WRITER.to_owned(),
        slides,
        tumor_slides: settings.first().map_or(0, tumor),
        rules: super::describe_rules(keys),
        settings: done,
    };
    lesion_tables::warnings(&study).iter().for_each(|line| warn(line));
    Ok(study)
}

fn study_setting(
    setting: &SettingOutcome,
    keys: &StudyKeys,
    first: Option<&SettingStudy>,
    warn: &dyn Fn(&str),
) -> Result<SettingStudy, StudyError> {
    let wrong = |e: &dyn std::fmt::Display| StudyError::Study {
        problem: format!("{}: {e}", setting.label()),
    };
    let truth: Vec<bool> = setting.slides.iter().map(|slide| slide.is_tumor).collect();
    let maxima: Vec<f64> = setting.slides.iter().map(|slide| slide.max).collect();
    let scores = match keys.slide_score {
        SlideScore::Max => maxima.clone(),
        SlideScore::Forest => forest_scores(setting, &truth, keys).or_else(|e| match e {
            ForestError::TooFew { .. } => {
                warn(&format!("warning: {}: {e}", setting.label()));
                Ok(maxima.clone())
            }
            ForestError::Library(_) => Err(wrong(&e)),
        })?,
    };
    let found = auc(&truth, &scores).map_err(|e| wrong(&e))?;
    let of_max = auc(&truth, &maxima).map_err(|e| wrong(&e))?.auc;
    let roc = roc(&truth, &scores).map_err(|e| wrong(&e))?;
    let hits: Vec<SlideHits> = setting.slides.iter().map(|slide| slide.hits.clone()).collect();
    let froc = Froc::compute(&hits);
    let slides: Vec<SlideScored> =
        setting.slides.iter().zip(&scores).map(|(slide, &score)| scored(slide, score)).collect();
    let mut row = row_of(setting, &found, of_max, &slides);
    if let Some(froc) = &froc {
        row.sensitivity = Some(SCORED_AT.map(|n| froc.sensitivity_at(n, Interpolation::Linear)));
        row.froc_score = Some(froc.score(Interpolation::Linear));
        row.froc_interval_95 =
            score_interval(&hits, Interpolation::Linear, 0.95, keys.bootstrap, keys.seed);
    }
    if let Some(first) = first {
        let theirs: Vec<f64> = first.slides.iter().map(|slide| slide.score).collect();
        compare(&mut row, &first.row, &truth, &scores, &theirs).map_err(|e| wrong(&e))?;
    } else {
        row.saving = row.core_hours.map(|_| 0.0);
        row.froc_change = row.froc_score.map(|_| 0.0);
    }
    let coverage = setting.slides.iter().flat_map(lesion_tables::of_slide).collect();
    Ok(SettingStudy { row, roc, froc, slides, coverage })
}

fn forest_scores(
    setting: &SettingOutcome,
    truth: &[bool],
    keys: &StudyKeys,
) -> Result<Vec<f64>, ForestError> {
    let features: Vec<Vec<f64>> =
        setting.slides.iter().map(|slide| slide.features.to_vec()).collect();
    cross_validated(&features, truth, keys.folds, &keys.forest_rules())
}

fn scored(slide: &super::SlideOutcome, score: f64) -> SlideScored {
    SlideScored {
        name: slide.name.clone(),
        is_tumor: slide.is_tumor,
        score,
        max: slide.max,
        lesions: slide.hits.to_find,
        lesions_hit: slide.hits.lesions.iter().filter(|&&score| score > 0.0).count(),
        false_positives: slide.hits.false_positives.len(),
        windows: slide.windows,
        core_s: slide.core_s,
    }
}

fn row_of(setting: &SettingOutcome, found: &Auc, of_max: f64, slides: &[SlideScored]) -> Row {
    let core_s: Option<f64> = slides.iter().map(|slide| slide.core_s).sum();
    let core_hours = core_s.map(|core_s| core_s / 3600.0);
    let (sum, points) = setting.slides.iter().fold((0.0, 0), |(sum, points), slide| {
        (sum + slide.deviation.0, points + slide.deviation.1)
    });
    Row {
        source: setting.source.clone(),
        method: setting.method.clone(),
        stride_px: setting.stride_px,
        auc: found.auc,
        auc_sd: found.sd,
        auc_interval_95: found.interval_95,
        auc_delong_interval_95: found.delong_interval_95,
        auc_of_max: of_max,
        auc_change: 0.0,
        auc_change_p: None,
        sensitivity: None,
        froc_score: None,
        froc_interval_95: None,
        froc_change: None,
        lesions: slides.iter().map(|slide| slide.lesions).sum(),
        lesions_hit: slides.iter().map(|slide| slide.lesions_hit).sum(),
        false_positives: slides.iter().map(|slide| slide.false_positives).sum(),
        windows: slides.iter().map(|slide| slide.windows).sum(),
        core_hours,
        core_hours_per_slide: core_hours.map(|hours| hours / slides.len().max(1) as f64),
        cost: setting.cost,
        saving: None,
        slide_score_deviation: 0.0,
        map_deviation: (points > 0).then(|| sum / points as f64),
    }
}

fn compare(
    row: &mut Row,
    first: &Row,
    truth: &[bool],
    scores: &[f64],
    theirs: &[f64],
) -> Result<(), crate::metrics::auc::AucError> {
    let difference = auc_difference(truth, scores, theirs)?;
    row.auc_change = difference.difference;
    row.auc_change_p = difference.p;
    row.froc_change = row.froc_score.zip(first.froc_score).map(|(here, there)| here - there);
    let spent = row.core_hours.zip(first.core_hours).filter(|(_, all)| *all > 0.0);
    row.saving = spent.map(|(here, all)| 1.0 - here / all);
    let apart = scores.iter().zip(theirs).map(|(a, b)| (a - b).abs()).sum::<f64>();
    row.slide_score_deviation = apart / scores.len() as f64;
    Ok(())
}
