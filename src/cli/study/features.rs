//! `slidegrid study features`

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::heatmaps::HeatmapOptions;
use super::{input, print_json, write_output};
use crate::cli::{Exit, Failure};
use crate::metrics::features::{FeatureRules, NAMES, features};
use crate::truth::read_slide_list;

/// Compute the 30 features by which the paper's random forest classifies slides.
///
/// Writes a table with the columns number, name, tumor (1, 0 or empty), and the features under
/// their published names.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  slidegrid study features run/heatmaps/*.h5 --slides truth/reference.csv --out features.csv
  slidegrid study features tumor_001.npy --threshold 0.9 --clear-border --tissue-points 35100")]
pub(super) struct FeaturesArgs {
    #[command(flatten)]
    heatmaps: HeatmapOptions,

    /// Points with scores above this belong to regions; the paper used 0.5 to 0.9.
    #[arg(long, value_name = "SCORE", default_value_t = 0.5)]
    threshold: f32,

    /// Leave out regions that touch the heatmap's edge, as the paper's script does.
    #[arg(long)]
    clear_border: bool,

    /// Number of points of tissue [default: number of points with a score].
    #[arg(long, value_name = "N")]
    tissue_points: Option<f64>,

    /// List of slides and their types (columns image,type), for the column tumor.
    #[arg(long, value_name = "CSV")]
    slides: Option<PathBuf>,

    /// CSV file to write [default: stdout].
    #[arg(long, value_name = "CSV")]
    out: Option<PathBuf>,

    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct FeatureRow {
    name: String,
    tumor: Option<bool>,
    features: BTreeMap<&'static str, f64>,
}

pub(super) fn run(args: &FeaturesArgs) -> Result<Exit, Failure> {
    let rules = FeatureRules {
        threshold: args.threshold,
        clear_border: args.clear_border,
        tissue_points: args.tissue_points,
    };
    let kinds: BTreeMap<String, bool> = match &args.slides {
        Some(list) => {
            let slides = read_slide_list(list).map_err(input)?;
            slides.into_iter().map(|slide| (slide.name, slide.is_tumor)).collect()
        }
        None => BTreeMap::new(),
    };
    let mut rows: Vec<(String, Option<bool>, [f64; 30])> = Vec::new();
    for heatmap in args.heatmaps.load() {
        let heatmap = heatmap?;
        let tumor = kinds.get(&heatmap.slide).copied();
        rows.push((heatmap.slide, tumor, features(heatmap.score.view(), &rules)));
    }
    if args.out.is_some() || !args.json {
        write_output(&features_csv(&rows), args.out.as_deref())?;
    }
    if args.json {
        let row = |(name, tumor, values): (String, Option<bool>, [f64; 30])| FeatureRow {
            name,
            tumor,
            features: NAMES.into_iter().zip(values).collect(),
        };
        print_json(&rows.into_iter().map(row).collect::<Vec<_>>())?;
    }
    Ok(Exit::Done)
}

/// The table in the layout of the original code.
fn features_csv(rows: &[(String, Option<bool>, [f64; 30])]) -> String {
    let mut csv = format!(",name,tumor,{}\n", NAMES.join(","));
    for (index, (name, tumor, values)) in rows.iter().enumerate() {
        let tumor = tumor.map_or("", |tumor| if tumor { "1" } else { "0" });
        let values: Vec<String> = values.iter().map(f64::to_string).collect();
        csv += &format!("{index},{name},{tumor},{}\n", values.join(","));
    }
    csv
}
