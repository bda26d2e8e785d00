//! `slidegrid study auc`

use std::path::PathBuf;

use clap::Args;

use super::{number, print_json};
use crate::cli::{Exit, Failure, print};
use crate::metrics::interval::Interval;
use crate::study::steps::auc::{AucReport, PairDifference, ScoreAuc, compare_scores};

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

pub(super) fn run(args: &AucArgs) -> Result<Exit, Failure> {
    let report = compare_scores(&args.csv, &args.truth, &args.score)?;
    if args.json {
        print_json(&report)?
    } else {
        print(&table(&report))?
    }
    Ok(Exit::Done)
}

fn table(report: &AucReport) -> String {
    let width = report.scores.iter().map(|row| row.score.len()).max().unwrap_or(0).max(10);
    let mut lines = vec![format!(
        "{:width$}  {:>6}  {:>7}  {:>15}  {:>9}  {:>15}",
        "score", "AUC", "SD", "95 % interval", "DeLong SD", "95 % interval"
    )];
    for ScoreAuc { score, auc } in &report.scores {
        let interval = |i: &Interval| format!("{:.4}-{:.4}", i.low, i.high);
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
            number(difference.p),
            difference.delong_sd,
            number(difference.delong_p)
        ));
    }
    if let Some(ScoreAuc { auc, .. }) = report.scores.first() {
        lines.push(format!("{} positive and {} negative cases", auc.positives, auc.negatives));
    }
    lines.join("\n")
}
