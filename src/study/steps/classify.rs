//! Scores of slides by a random forest over their features.

use std::path::Path;

use serde::Serialize;

use super::error::StepError;
use crate::metrics::auc::{Auc, auc};
use crate::metrics::features::NAMES;
use crate::metrics::forest::{Forest, ForestRules, cross_validated};
use crate::study::detections_csv::{read_columns, read_numbers};

struct FeatureTable {
    names: Vec<String>,
    tumor: Vec<Option<bool>>,
    features: Vec<Vec<f64>>,
}

/// The scores, and their area under the ROC curve where the truth is known.
#[derive(Serialize)]
pub(crate) struct ClassifyReport {
    pub(crate) auc: Option<Auc>,
    pub(crate) slides: Vec<ScoredSlide>,
}

/// The score of one slide.
#[derive(Serialize)]
pub(crate) struct ScoredSlide {
    name: String,
    tumor: Option<bool>,
    score: f64,
}

/// What the forest is trained on.
pub(crate) enum Training<'t> {
    /// All other parts of the table, part by part.
    CrossValidation {
        /// Number of parts.
        folds: usize,
    },
    /// Another table.
    Table(&'t Path),
}

/// Scores the slides of a table of features.
///
/// # Errors
/// [`StepError`] if a table cannot be used, or a forest cannot be trained on it.
pub(crate) fn classify(
    features: &Path,
    training: &Training<'_>,
    rules: &ForestRules,
) -> Result<ClassifyReport, StepError> {
    let table = read(features)?;
    let scores = match training {
        Training::Table(path) => {
            let train = read(path)?;
            let truth = known_truth(path, &train)?;
            let forest = Forest::train(&train.features, &truth, rules);
            forest.and_then(|forest| forest.predict(&table.features))
        }
        Training::CrossValidation { folds } => {
            let truth = known_truth(features, &table)?;
            cross_validated(&table.features, &truth, *folds, rules)
        }
    };
    let scores = scores.map_err(|e| StepError::content(features, e.to_string()))?;
    let truth: Option<Vec<bool>> = table.tumor.iter().copied().collect();
    Ok(ClassifyReport {
        auc: truth.and_then(|truth| auc(&truth, &scores).ok()),
        slides: (table.names.into_iter().zip(table.tumor).zip(scores))
            .map(|((name, tumor), score)| ScoredSlide { name, tumor, score })
            .collect(),
    })
}

fn read(path: &Path) -> Result<FeatureTable, StepError> {
    let numbers = read_numbers(path, &NAMES)?;
    let mut texts = read_columns(path, &["name", "tumor"])?.into_iter();
    let names = texts.next().unwrap_or_default();
    let kind = |text: String| match text.as_str() {
        "1" | "1.0" => Ok(Some(true)),
        "0" | "0.0" => Ok(Some(false)),
        "" | "NaN" | "nan" => Ok(None),
        _ => {
            let problem = format!("column tumor has {text:?}, expected 1, 0 or nothing");
            Err(StepError::content(path, problem))
        }
    };
    let tumor = texts.next().unwrap_or_default().into_iter().map(kind).collect::<Result<_, _>>()?;
    let row = |slide: usize| numbers.iter().map(|column| column[slide]).collect();
    let features = (0..names.len()).map(row).collect();
    Ok(FeatureTable { names, tumor, features })
}

fn known_truth(path: &Path, table: &FeatureTable) -> Result<Vec<bool>, StepError> {
    let kind = |(name, tumor): (&String, &Option<bool>)| {
        tumor.ok_or_else(|| {
            let problem = format!("column tumor is empty for {name}, expected 1 or 0");
            StepError::content(path, problem)
        })
    };
    table.names.iter().zip(&table.tumor).map(kind).collect()
}

/// A table of the scores.
pub(crate) fn scores_csv(slides: &[ScoredSlide]) -> String {
    let mut csv = String::from("name,tumor,score\n");
    for ScoredSlide { name, tumor, score } in slides {
        let tumor = tumor.map_or("", |tumor| if tumor { "1" } else { "0" });
        csv += &format!("{name},{tumor},{score}\n");
    }
    csv
}
