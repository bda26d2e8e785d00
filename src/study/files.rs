//! Writes the files of a study into a folder, by default `study/` of the run.

use std::path::{Path, PathBuf};

use super::error::StudyError;
use super::lesion_tables::lesions_csv;
use super::outcome::SettingOutcome;
use super::results::{SettingStudy, Study};
use super::tables::{scores_csv, study_csv, study_md};
use crate::chart::{Chart, IntervalBar, Series, png, significant, svg};
use crate::metrics::features::NAMES;
use crate::metrics::interval::Interval;
use crate::staged;
use crate::study::detections_csv::write_detections;

/// Writes the tables, the charts, and the features and detections that they were made from.
/// Returns the paths of the files, except those of the detections, of which there is one per
/// slide and setting.
///
/// # Errors
/// [`StudyError`] if a file cannot be written.
pub(crate) fn write(
    folder: &Path,
    study: &Study,
    settings: &[SettingOutcome],
) -> Result<Vec<PathBuf>, StudyError> {
    for setting in settings {
        let detections = folder.join("detections").join(setting.label());
        for slide in &setting.slides {
            let file = detections.join(format!("{}.csv", slide.name));
            write_detections(&file, &slide.detections)?;
        }
    }
    let json = serde_json::to_vec_pretty(study).expect("a study is plain data");
    let mut files = vec![
        ("study.md".to_owned(), study_md(study).into_bytes()),
        ("study.csv".to_owned(), study_csv(study).into_bytes()),
        ("study.json".to_owned(), json),
        ("scores.csv".to_owned(), scores_csv(study).into_bytes()),
        ("lesions.csv".to_owned(), lesions_csv(study).into_bytes()),
    ];
    for setting in settings {
        let name = format!("features-{}.csv", setting.label());
        files.push((name, features_csv(setting).into_bytes()));
    }
    for (name, chart) in charts(study) {
        files.push((format!("{name}.svg"), svg(&chart)?.into_bytes()));
        files.push((format!("{name}.png"), png(&chart)?));
    }
    let mut written = Vec::new();
    for (name, bytes) in files {
        let path = folder.join(name);
        staged::write(&path, &bytes)?;
        written.push(path);
    }
    Ok(written)
}

fn features_csv(setting: &SettingOutcome) -> String {
    let mut csv = format!(",name,tumor,{}\n", NAMES.join(","));
    for (index, slide) in setting.slides.iter().enumerate() {
        let values: Vec<String> = slide.features.iter().map(f64::to_string).collect();
        let tumor = u8::from(slide.is_tumor);
        csv += &format!("{index},{},{tumor},{}\n", slide.name, values.join(","));
    }
    csv
}

/// The charts that have something to show, of ROC, FROC and trade-off; each with the name of
/// its file.
fn charts(study: &Study) -> Vec<(&'static str, Chart)> {
    let mut charts = vec![("roc", roc_chart(study))];
    if study.settings.iter().any(|setting| setting.froc.is_some()) {
        charts.push(("froc", froc_chart(study)));
    }
    charts.extend(tradeoff_chart(study).map(|chart| ("tradeoff", chart)));
    charts
}

fn label(setting: &SettingStudy) -> String {
    format!("{}, stride {}", setting.row.source, setting.row.stride_px)
}

fn roc_chart(study: &Study) -> Chart {
    let series = study.settings.iter().map(|setting| Series {
        name: format!("{}: AUC {:.3}", label(setting), setting.row.auc),
        points: (setting.roc.iter())
            .map(|point| (point.false_positive_rate, point.true_positive_rate))
            .collect(),
        bars: Vec::new(),
        marks: false,
    });
    Chart {
        title: format!("ROC of {} slides", study.slides),
        x: "false positive rate".into(),
        y: "true positive rate".into(),
        x_range: (0.0, 1.0),
        log_x: false,
        y_top: 1.0,
        series: series.collect(),
    }
}

/// Lower end of the FROC chart's logarithmic axis, in false positives per slide. The score
/// is taken from 1/4 on.
const MIN_FALSE_POSITIVES: f64 = 0.03125;

fn froc_chart(study: &Study) -> Chart {
    let series = study.settings.iter().filter_map(|setting| {
        let froc = setting.froc.as_ref()?;
        let points = froc.points.iter().rev();
        let mut points: Vec<(f64, f64)> =
            points.map(|p| (p.false_positives.max(MIN_FALSE_POSITIVES), p.sensitivity)).collect();
        // A curve that ends before the axis continues at its last sensitivity, as in the score.
        points.extend(points.last().map(|&(x, y)| (x.max(16.0), y)));
        let score = setting.row.froc_score.unwrap_or(0.0);
        Some(Series {
            name: format!("{}: {score:.3}", label(setting)),
            points,
            bars: Vec::new(),
            marks: false,
        })
    });
    let lesions = study.settings.first().map_or(0, |setting| setting.row.lesions);
    Chart {
        title: format!("FROC of {lesions} lesions"),
        x: "false positives per slide".into(),
        y: "sensitivity".into(),
        x_range: (MIN_FALSE_POSITIVES, 16.0),
        log_x: true,
        y_top: 1.0,
        series: series.collect(),
    }
}

fn bar(x: f64, interval: &Interval) -> IntervalBar {
    IntervalBar { x, low: interval.low, high: interval.high }
}

fn tradeoff_chart(study: &Study) -> Option<Chart> {
    let costs: Vec<f64> = (study.settings.iter())
        .filter_map(|setting| setting.row.core_hours_per_slide)
        .filter(|&hours| hours > 0.0)
        .collect();
    let least = costs.iter().copied().reduce(f64::min)?;
    let most = costs.iter().copied().reduce(f64::max)?;
    let mut sources: Vec<&str> = Vec::new();
    for setting in &study.settings {
        if !sources.contains(&setting.row.source.as_str()) {
            sources.push(&setting.row.source);
        }
    }
    let mut series = Vec::new();
    for source in sources {
        let rows = || {
            let settings = study.settings.iter().filter(move |s| s.row.source == source);
            settings.filter_map(|s| {
                let hours = s.row.core_hours_per_slide.filter(|&hours| hours > 0.0)?;
                Some((hours, &s.row))
            })
        };
        series.push(Series {
            name: format!("{source}: AUC"),
            points: rows().map(|(hours, row)| (hours, row.auc)).collect(),
            bars: rows().map(|(x, row)| bar(x, &row.auc_interval_95)).collect(),
            marks: true,
        });
        series.push(Series {
            name: format!("{source}: FROC score"),
            points: rows().filter_map(|(x, row)| Some((x, row.froc_score?))).collect(),
            bars: rows().filter_map(|(x, row)| Some(bar(x, &row.froc_interval_95?))).collect(),
            marks: true,
        });
    }
    Some(Chart {
        title: "Accuracy and cost".into(),
        x: format!("core-hours per slide ({} to {})", significant(least), significant(most)),
        y: "AUC, FROC score".into(),
        x_range: (least / 1.6, most * 1.6),
        log_x: true,
        y_top: 1.0,
        series,
    })
}
