//! `slidegrid study auc`

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::{input, print_json};
use crate::cli::{Exit, Failure, print};
use crate::metrics::auc::{Auc, AucDifference, auc, auc_difference};
use crate::study::detections_csv::read_numbers;

/// Compute the area under the ROC curve of scores in a CSV file, and compare scores.
///
/// Prints the AUC with standard deviation and 95 % interval by two methods: that of the
/// paper (one-shot estimator, mean squares) and that of DeLong et al. Further columns of
/// scores are compared with the first column, paired by case.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  slidegrid study auc results.csv --truth truth --score random_forest
  slidegrid study auc results.csv --truth truth --score stride16 --score stride224 --json")]
pub(super) struct AucArgs {
    /// CSV table with a header and one row per case.
    csv: PathBuf,

    /// Column of the truth, with values 1 and 0.
    #[arg(long, value_name = "COL")]
    truth: String,

    /// Column of scores, higher for truth 1. Repeat the option to compare columns.
    #[arg(long, value_name = "COL", required = true)]
    score: Vec<String>,

    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct AucReport {
    scores: Vec<ScoreAuc>,
    differences: Vec<PairDifference>,
}

#[derive(Serialize)]
struct ScoreAuc {
    score: String,
    #[serde(flatten)]
    auc: Auc,
}

#[derive(Serialize)]
struct PairDifference {
    first: String,
    second: String,
    #[serde(flatten)]
    difference: AucDifference,
}

pub(super) fn run(args: &AucArgs) -> Result<Exit, Failure> {
    let mut columns = vec![args.truth.as_str()];
    columns.extend(args.score.iter().map(String::as_str));
    let mut numbers = read_numbers(&args.csv, &columns).map_err(input)?.into_iter();
    let truth = kinds(args, &numbers.next().unwrap_or_default())?;
    let readings: Vec<(&String, Vec<f64>)> = args.score.iter().zip(numbers).collect();
    let error = |e| input(format!("{}: {e}", args.csv.display()));
    let mut report = AucReport { scores: Vec::new(), differences: Vec::new() };
    for (score, values) in &readings {
        let auc = auc(&truth, values).map_err(error)?;
        report.scores.push(ScoreAuc { score: (*score).clone(), auc });
    }
    for (score, values) in &readings[1..] {
        let (first, of_first) = &readings[0];
        report.differences.push(PairDifference {
            first: (*first).clone(),
            second: (*score).clone(),
            difference: auc_difference(&truth, of_first, values).map_err(error)?,
        });
    }
    if args.json {
        print_json(&report)?
    } else {
        print(&table(&report))?
    }
    Ok(Exit::Done)
}

fn kinds(args: &AucArgs, truth: &[f64]) -> Result<Vec<bool>, Failure> {
    let kind = |(index, &value): (usize, &f64)| match value {
        1.0 => Ok(true),
        0.0 => Ok(false),
        _ => Err(input(format!(
            "{}: line {}, column {}: {value}, expected 1 or 0",
            args.csv.display(),
            index + 2,
            args.truth
        ))),
    };
    truth.iter().enumerate().map(kind).collect()
}

fn table(report: &AucReport) -> String {
    let width = report.scores.iter().map(|row| row.score.len()).max().unwrap_or(0).max(10);
    let mut lines = vec![format!(
        "{:width$}  {:>6}  {:>7}  {:>15}  {:>9}  {:>15}",
        "score", "AUC", "SD", "95 % interval", "DeLong SD", "95 % interval"
    )];
    for ScoreAuc { score, auc } in &report.scores {
        let interval =
            |i: &crate::metrics::interval::Interval| format!("{:.4}-{:.4}", i.low, i.high);
        lines.push(format!(
            "{score:width$}  {:.4}  {:.5}  {:>15}  {:>9.5}  {:>15}",
            auc.auc,
            auc.sd,
            interval(&auc.interval_95),
            auc.delong_sd,
            interval(&auc.delong_interval_95)
        ));
    }
    for PairDifference { first, second, difference } in &report.differences {
        lines.push(format!(
            "{first} - {second}: {:.4}, SD {:.5}, p {} (DeLong: SD {:.5}, p {})",
            difference.difference,
            difference.sd,
            super::number(difference.p),
            difference.delong_sd,
            super::number(difference.delong_p)
        ));
    }
    if let Some(ScoreAuc { auc, .. }) = report.scores.first() {
        lines.push(format!("{} positive and {} negative cases", auc.positives, auc.negatives));
    }
    lines.join("\n")
}
