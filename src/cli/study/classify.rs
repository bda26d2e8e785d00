//! `slidegrid study classify`

use std::path::PathBuf;

use clap::Args;

use super::{print_json, write_output};
use crate::cli::{Exit, Failure};
use crate::metrics::forest::ForestRules;
use crate::progress::tell;
use crate::study::steps::classify::{Training, classify, scores_csv};

/// Score slides with a random forest over their features.
///
/// By default the forest is cross-validated: each slide is scored by a forest that was
/// trained without it. With --train, the forest is trained on one table and applied to
/// another.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  slidegrid study classify features.csv --out scores.csv
  slidegrid study classify test.csv --train train.csv --trees 1000 --json")]
pub(super) struct ClassifyArgs {
    /// Table of features that `study features` wrote, with a filled column tumor.
    features: PathBuf,

    /// Table to train on. FEATURES is then only scored, and its column tumor may be empty.
    #[arg(long, value_name = "CSV", conflicts_with = "folds")]
    train: Option<PathBuf>,

    /// Number of parts for cross-validation.
    #[arg(long, value_name = "K", default_value_t = 5, value_parser = clap::value_parser!(u8).range(2..))]
    folds: u8,

    /// Number of trees.
    #[arg(long, value_name = "N", default_value_t = 300)]
    trees: usize,

    /// Seed of all random numbers.
    #[arg(long, value_name = "SEED", default_value_t = 42)]
    seed: u64,

    /// CSV file to write, with the columns name, tumor and score [default: stdout].
    #[arg(long, value_name = "CSV")]
    out: Option<PathBuf>,

    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &ClassifyArgs) -> Result<Exit, Failure> {
    let rules = ForestRules { trees: args.trees, seed: args.seed, ..ForestRules::default() };
    let training = match &args.train {
        Some(table) => Training::Table(table),
        None => Training::CrossValidation { folds: usize::from(args.folds) },
    };
    let report = classify(&args.features, &training, &rules)?;
    if args.out.is_some() || !args.json {
        write_output(&scores_csv(&report.slides), args.out.as_deref())?;
    }
    if args.json {
        print_json(&report)?;
    } else if let Some(auc) = &report.auc {
        tell(&format!("AUC {:.4}, SD {:.4}", auc.auc, auc.sd));
    }
    Ok(Exit::Done)
}
