//! Writes a study as CSV and Markdown text.

use super::lesion_tables::section_md;
use super::outcome::CostSource;
use super::results::{Study, StudyRow};
use crate::chart::significant;
use crate::metrics::froc::SCORED_AT;

/// Column names of `study.csv`.
const COLUMNS: [&str; 33] = [
    "source",
    "method",
    "stride_px",
    "auc",
    "auc_sd",
    "auc_low",
    "auc_high",
    "auc_delong_low",
    "auc_delong_high",
    "auc_of_max",
    "auc_change",
    "auc_change_p",
    "sensitivity_at_0.25",
    "sensitivity_at_0.5",
    "sensitivity_at_1",
    "sensitivity_at_2",
    "sensitivity_at_4",
    "sensitivity_at_8",
    "froc_score",
    "froc_low",
    "froc_high",
    "froc_change",
    "lesions",
    "lesions_hit",
    "false_positives",
    "windows",
    "core_hours",
    "core_hours_per_slide",
    "cost",
    "saving",
    "slide_score_deviation",
    "map_deviation",
    "slides",
];

/// `study.csv`: one row per setting, with empty cells where a number is absent.
pub(super) fn study_csv(study: &Study) -> String {
    let mut csv = COLUMNS.join(",") + "\n";
    for setting in &study.settings {
        csv += &cells(&setting.row, study.slides).join(",");
        csv.push('\n');
    }
    csv
}

fn cells(row: &StudyRow, slides: usize) -> Vec<String> {
    let or_empty = |value: Option<f64>| value.map_or(String::new(), |value| value.to_string());
    let mut cells = vec![
        row.source.clone(),
        row.method.clone(),
        row.stride_px.to_string(),
        row.auc.to_string(),
        row.auc_sd.to_string(),
        row.auc_interval_95.low.to_string(),
        row.auc_interval_95.high.to_string(),
        row.auc_delong_interval_95.low.to_string(),
        row.auc_delong_interval_95.high.to_string(),
        row.auc_of_max.to_string(),
        row.auc_change.to_string(),
        or_empty(row.auc_change_p),
    ];
    cells.extend((0..SCORED_AT.len()).map(|i| or_empty(row.sensitivity.map(|all| all[i]))));
    cells.extend([
        or_empty(row.froc_score),
        or_empty(row.froc_interval_95.map(|interval| interval.low)),
        or_empty(row.froc_interval_95.map(|interval| interval.high)),
        or_empty(row.froc_change),
        row.lesions.to_string(),
        row.lesions_hit.to_string(),
        row.false_positives.to_string(),
        row.windows.to_string(),
        or_empty(row.core_hours),
        or_empty(row.core_hours_per_slide),
        cost_name(row.cost).to_owned(),
        or_empty(row.saving),
        row.slide_score_deviation.to_string(),
        or_empty(row.map_deviation),
        slides.to_string(),
    ]);
    cells
}

fn cost_name(cost: CostSource) -> &'static str {
    match cost {
        CostSource::Measured => "measured",
        CostSource::Scaled => "scaled",
    }
}

/// `scores.csv`: one row per slide and setting.
pub(super) fn scores_csv(study: &Study) -> String {
    let mut csv = String::from(
        "source,method,stride_px,name,tumor,score,max,lesions,lesions_hit,false_positives,windows,core_s\n",
    );
    for setting in &study.settings {
        let row = &setting.row;
        for slide in &setting.slides {
            csv += &format!(
                "{},{},{},{},{},{},{},{},{},{},{},{}\n",
                row.source,
                row.method,
                row.stride_px,
                slide.name,
                u8::from(slide.is_tumor),
                slide.score,
                slide.max,
                slide.lesions,
                slide.lesions_hit,
                slide.false_positives,
                slide.windows,
                slide.core_s.map_or(String::new(), |core_s| core_s.to_string())
            );
        }
    }
    csv
}

/// `study.md`: the accuracy for slides and for lesions, as in Tables IV and V of the paper, and
/// the cost of each setting.
pub(super) fn study_md(study: &Study) -> String {
    let normal = study.slides - study.tumor_slides;
    let lesions = study.settings.first().map_or(0, |setting| setting.row.lesions);
    let mut md = format!(
        "# Study\n\n{} slides, {} with tumor and {normal} without; {lesions} lesions to find.\n{}\n",
        study.slides, study.tumor_slides, study.rules
    );
    md += "\n## Slides: area under the ROC curve\n\n| setting | stride, px | AUC | 95 % | DeLong 95 % | change | p | AUC of the largest score |\n|---|---|---|---|---|---|---|---|\n";
    for StudyRow {
        auc,
        auc_interval_95: interval,
        auc_delong_interval_95: delong,
        auc_change,
        auc_change_p,
        auc_of_max,
        source,
        stride_px,
        ..
    } in rows(study)
    {
        let p = auc_change_p.map_or("-".into(), |p| format!("{p:.2}"));
        md += &format!(
            "| {source} | {stride_px} | {auc:.3} | {:.3} to {:.3} | {:.3} to {:.3} | {auc_change:+.3} | {p} | {auc_of_max:.3} |\n",
            interval.low, interval.high, delong.low, delong.high
        );
    }
    md += "\n## Lesions: sensitivity at false positives per slide\n\n| setting | stride, px | 1/4 | 1/2 | 1 | 2 | 4 | 8 | FROC score | 95 % | change | lesions hit |\n|---|---|---|---|---|---|---|---|---|---|---|---|\n";
    for row in rows(study) {
        let three = |value: Option<f64>| value.map_or("-".into(), |value| format!("{value:.3}"));
        let sensitivity: Vec<String> =
            (0..SCORED_AT.len()).map(|i| three(row.sensitivity.map(|all| all[i]))).collect();
        let interval =
            row.froc_interval_95.map_or("-".into(), |i| format!("{:.3} to {:.3}", i.low, i.high));
        md += &format!(
            "| {} | {} | {} | {} | {interval} | {} | {}/{} |\n",
            row.source,
            row.stride_px,
            sensitivity.join(" | "),
            three(row.froc_score),
            row.froc_change.map_or("-".into(), |change| format!("{change:+.3}")),
            row.lesions_hit,
            row.lesions
        );
    }
    md += &section_md(study);
    md += "\n## Cost\n\n| setting | stride, px | windows | core-hours | core-hours per slide | | saving | slide score moved by | map moved by |\n|---|---|---|---|---|---|---|---|---|\n";
    for row in rows(study) {
        let hours = |value: Option<f64>| value.map_or("-".into(), significant);
        md += &format!(
            "| {} | {} | {} | {} | {} | {} | {} | {:.3} | {} |\n",
            row.source,
            row.stride_px,
            row.windows,
            hours(row.core_hours),
            hours(row.core_hours_per_slide),
            cost_name(row.cost),
            row.saving.map_or("-".into(), |saving| format!("{:.1} %", saving * 100.0)),
            row.slide_score_deviation,
            row.map_deviation.map_or("-".into(), |value| format!("{value:.3}"))
        );
    }
    md += "\nChanges, savings and moves are relative to the first row. Core time is processor time of `predict`. Scaled: the stride was not run; its core time is that of its run times the share of the run's windows that it needs.\n";
    md
}

fn rows(study: &Study) -> impl Iterator<Item = &StudyRow> {
    study.settings.iter().map(|setting| &setting.row)
}
