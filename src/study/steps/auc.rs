//! Areas under ROC curves of the columns of a CSV file.

use std::path::Path;

use serde::Serialize;

use super::error::StepError;
use crate::metrics::auc::{Auc, AucDifference, auc, auc_difference};
use crate::study::detections_csv::read_numbers;

/// The areas, and how they differ from that of the first column.
#[derive(Serialize)]
pub(crate) struct AucReport {
    pub(crate) scores: Vec<ScoreAuc>,
    pub(crate) differences: Vec<PairDifference>,
}

/// The area of one column of scores.
#[derive(Serialize)]
pub(crate) struct ScoreAuc {
    pub(crate) score: String,
    #[serde(flatten)]
    pub(crate) auc: Auc,
}

/// The difference between two columns of scores, paired by case.
#[derive(Serialize)]
pub(crate) struct PairDifference {
    pub(crate) first: String,
    pub(crate) second: String,
    #[serde(flatten)]
    pub(crate) difference: AucDifference,
}

/// Compares columns of scores with a column of the truth, which has the values 1 and 0.
///
/// # Errors
/// [`StepError`] if a column is missing, a value is none, or there are too few cases.
pub(crate) fn compare_scores(
    csv: &Path,
    truth_column: &str,
    score_columns: &[String],
) -> Result<AucReport, StepError> {
    let mut columns = vec![truth_column];
    columns.extend(score_columns.iter().map(String::as_str));
    let mut numbers = read_numbers(csv, &columns)?.into_iter();
    let truth = kinds(csv, truth_column, &numbers.next().unwrap_or_default())?;
    let readings: Vec<(&String, Vec<f64>)> = score_columns.iter().zip(numbers).collect();
    let error = |e: crate::metrics::auc::AucError| StepError::content(csv, e.to_string());
    let mut report = AucReport { scores: Vec::new(), differences: Vec::new() };
    for (score, values) in &readings {
        let auc = auc(&truth, values).map_err(error)?;
        report.scores.push(ScoreAuc { score: (*score).clone(), auc });
    }
    for (score, values) in readings.iter().skip(1) {
        let (first, of_first) = &readings[0];
        report.differences.push(PairDifference {
            first: (*first).clone(),
            second: (*score).clone(),
            difference: auc_difference(&truth, of_first, values).map_err(error)?,
        });
    }
    Ok(report)
}

fn kinds(csv: &Path, column: &str, truth: &[f64]) -> Result<Vec<bool>, StepError> {
    let kind = |(index, &value): (usize, &f64)| match value {
        1.0 => Ok(true),
        0.0 => Ok(false),
        _ => {
            let line = index + 2;
            let problem = format!("line {line}, column {column}: {value}, expected 1 or 0");
            Err(StepError::content(csv, problem))
        }
    };
    truth.iter().enumerate().map(kind).collect()
}
