//! Summarises each setting in one row: its accuracy and its cost.

use super::error::StudyError;
use super::outcome::{SettingOutcome, SlideOutcome};
use super::results::{SettingStudy, SlideResult, Study, StudyRow, VERSION};
use super::rules::describe_rules;
use super::{lesion_tables, lesions_scored};
use crate::config::{SlideScore, StudyKeys};
use crate::metrics::auc::{Auc, auc, auc_difference, roc};
use crate::metrics::forest::{ForestError, cross_validated};
use crate::metrics::froc::{Froc, Interpolation, SCORED_AT, SlideHits, score_interval};

/// Summarises all settings and compares them with the first. `warn` receives the warnings.
///
/// # Errors
/// [`StudyError::Study`] if there are too few slides with or without tumor.
pub(crate) fn summarise(
    settings: &[SettingOutcome],
    keys: &StudyKeys,
    warn: &dyn Fn(&str),
) -> Result<Study, StudyError> {
    let mut summaries: Vec<SettingStudy> = Vec::new();
    for setting in settings {
        let summary = summarise_setting(setting, keys, summaries.first(), warn)?;
        summaries.push(summary);
    }
    let slides = settings.first().map_or(0, |setting| setting.slides.len());
    let tumor = |setting: &SettingOutcome| setting.slides.iter().filter(|s| s.is_tumor).count();
    let study = Study {
        version: VERSION,
        writer: crate::version::WRITER.to_owned(),
        slides,
        tumor_slides: settings.first().map_or(0, tumor),
        rules: describe_rules(keys),
        settings: summaries,
    };
    lesion_tables::warnings(&study).iter().for_each(|line| warn(line));
    Ok(study)
}

fn summarise_setting(
    setting: &SettingOutcome,
    keys: &StudyKeys,
    first: Option<&SettingStudy>,
    warn: &dyn Fn(&str),
) -> Result<SettingStudy, StudyError> {
    let error = |e: &dyn std::fmt::Display| StudyError::Study {
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
            ForestError::Library(_) => Err(error(&e)),
        })?,
    };
    let slide_auc = auc(&truth, &scores).map_err(|e| error(&e))?;
    let auc_of_max = auc(&truth, &maxima).map_err(|e| error(&e))?.auc;
    let roc = roc(&truth, &scores).map_err(|e| error(&e))?;
    let hits: Vec<SlideHits> = setting.slides.iter().map(|slide| slide.hits.clone()).collect();
    let froc = Froc::compute(&hits);
    let slides: Vec<SlideResult> =
        setting.slides.iter().zip(&scores).map(|(slide, &score)| result(slide, score)).collect();
    let mut row = new_row(setting, &slide_auc, auc_of_max, &slides);
    if let Some(froc) = &froc {
        row.sensitivity = Some(SCORED_AT.map(|n| froc.sensitivity_at(n, Interpolation::Linear)));
        row.froc_score = Some(froc.score(Interpolation::Linear));
        row.froc_interval_95 =
            score_interval(&hits, Interpolation::Linear, 0.95, keys.bootstrap, keys.seed);
    }
    if let Some(first) = first {
        let first_scores: Vec<f64> = first.slides.iter().map(|slide| slide.score).collect();
        compare(&mut row, &first.row, &truth, &scores, &first_scores).map_err(|e| error(&e))?;
    } else {
        row.saving = row.core_hours.map(|_| 0.0);
        row.froc_change = row.froc_score.map(|_| 0.0);
    }
    let coverage = setting.slides.iter().flat_map(lesions_scored::slide_lesions).collect();
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

fn result(slide: &SlideOutcome, score: f64) -> SlideResult {
    SlideResult {
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

/// The row of a setting without its results for lesions and its comparison with the first row.
fn new_row(
    setting: &SettingOutcome,
    auc: &Auc,
    auc_of_max: f64,
    slides: &[SlideResult],
) -> StudyRow {
    let core_s: Option<f64> = slides.iter().map(|slide| slide.core_s).sum();
    let core_hours = core_s.map(|core_s| core_s / 3600.0);
    let (sum, points) = setting.slides.iter().fold((0.0, 0), |(sum, points), slide| {
        (sum + slide.deviation.0, points + slide.deviation.1)
    });
    StudyRow {
        source: setting.source.clone(),
        method: setting.method.clone(),
        stride_px: setting.stride_px,
        auc: auc.auc,
        auc_sd: auc.sd,
        auc_interval_95: auc.interval_95,
        auc_delong_interval_95: auc.delong_interval_95,
        auc_of_max,
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

/// Fills in a row's comparison with the first row. `scores` and `first_scores` are the slide
/// scores of the two rows, in the order of `truth`.
fn compare(
    row: &mut StudyRow,
    first: &StudyRow,
    truth: &[bool],
    scores: &[f64],
    first_scores: &[f64],
) -> Result<(), crate::metrics::auc::AucError> {
    let difference = auc_difference(truth, scores, first_scores)?;
    row.auc_change = difference.difference;
    row.auc_change_p = difference.p;
    row.froc_change = row.froc_score.zip(first.froc_score).map(|(own, first)| own - first);
    let hours = row.core_hours.zip(first.core_hours).filter(|(_, first)| *first > 0.0);
    row.saving = hours.map(|(own, first)| 1.0 - own / first);
    let differences = scores.iter().zip(first_scores).map(|(a, b)| (a - b).abs()).sum::<f64>();
    row.slide_score_deviation = differences / scores.len() as f64;
    Ok(())
}
