//! `slidegrid study classify`

use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use super::{input, print_json, write_output};
use crate::cli::{Exit, Failure};
use crate::metrics::auc::{Auc, auc};
use crate::metrics::features::NAMES;
use crate::metrics::forest::{Forest, ForestRules, cross_validated};
use crate::progress::tell;
use crate::study::detections_csv::{read_columns, read_numbers};

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

struct FeatureTable {
    names: Vec<String>,
    tumor: Vec<Option<bool>>,
    features: Vec<Vec<f64>>,
}

#[derive(Serialize)]
struct ClassifyReport {
    auc: Option<Auc>,
    slides: Vec<ScoredSlide>,
}

#[derive(Serialize)]
struct ScoredSlide {
    name: String,
    tumor: Option<bool>,
    score: f64,
}

pub(super) fn run(args: &ClassifyArgs) -> Result<Exit, Failure> {
    let rules = ForestRules { trees: args.trees, seed: args.seed, ..ForestRules::default() };
    let table = read(&args.features)?;
    let scores = match &args.train {
        Some(path) => {
            let train = read(path)?;
            let truth = known_truth(path, &train)?;
            let forest = Forest::train(&train.features, &truth, &rules);
            forest.and_then(|forest| forest.predict(&table.features))
        }
        None => {
            let truth = known_truth(&args.features, &table)?;
            cross_validated(&table.features, &truth, usize::from(args.folds), &rules)
        }
    };
    let scores = scores.map_err(|e| input(format!("{}: {e}", args.features.display())))?;
    let truth: Option<Vec<bool>> = table.tumor.iter().copied().collect();
    let report = ClassifyReport {
        auc: truth.and_then(|truth| auc(&truth, &scores).ok()),
        slides: (table.names.into_iter().zip(table.tumor).zip(scores))
            .map(|((name, tumor), score)| ScoredSlide { name, tumor, score })
            .collect(),
    };
    if args.out.is_some() || !args.json {
        write_output(&csv(&report.slides), args.out.as_deref())?;
    }
    if args.json {
        print_json(&report)?;
    } else if let Some(auc) = &report.auc {
        tell(&format!("AUC {:.4}, SD {:.4}", auc.auc, auc.sd));
    }
    Ok(Exit::Done)
}

fn read(path: &Path) -> Result<FeatureTable, Failure> {
    let numbers = read_numbers(path, &NAMES).map_err(input)?;
    let mut texts = read_columns(path, &["name", "tumor"]).map_err(input)?.into_iter();
    let names = texts.next().unwrap_or_default();
    let kind = |text: String| match text.as_str() {
        "1" | "1.0" => Ok(Some(true)),
        "0" | "0.0" => Ok(Some(false)),
        "" | "NaN" | "nan" => Ok(None),
        _ => Err(input(format!(
            "{}: column tumor has {text:?}, expected 1, 0 or nothing",
            path.display()
        ))),
    };
    let tumor = texts.next().unwrap_or_default().into_iter().map(kind).collect::<Result<_, _>>()?;
    let row = |slide: usize| numbers.iter().map(|column| column[slide]).collect();
    let features = (0..names.len()).map(row).collect();
    Ok(FeatureTable { names, tumor, features })
}

fn known_truth(path: &Path, table: &FeatureTable) -> Result<Vec<bool>, Failure> {
    let kind = |(name, tumor): (&String, &Option<bool>)| {
        tumor.ok_or_else(|| {
            input(format!("{}: column tumor is empty for {name}, expected 1 or 0", path.display()))
        })
    };
    table.names.iter().zip(&table.tumor).map(kind).collect()
}

fn csv(slides: &[ScoredSlide]) -> String {
    let mut csv = String::from("name,tumor,score\n");
    for ScoredSlide { name, tumor, score } in slides {
        let tumor = tumor.map_or("", |tumor| if tumor { "1" } else { "0" });
        csv += &format!("{name},{tumor},{score}\n");
    }
    csv
}
