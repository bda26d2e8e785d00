//! `slidegrid study features`

use std::path::PathBuf;

use clap::Args;

use super::heatmaps::HeatmapOptions;
use super::{print_json, write_output};
use crate::cli::{Exit, Failure};
use crate::metrics::features::FeatureRules;
use crate::study::steps::features::{NamedFeatures, SlideFeatures, features_csv};

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

pub(super) fn run(args: &FeaturesArgs) -> Result<Exit, Failure> {
    let rules = FeatureRules {
        threshold: args.threshold,
        clear_border: args.clear_border,
        tissue_points: args.tissue_points,
    };
    let slides = SlideFeatures::compute_all(args.heatmaps.load(), args.slides.as_deref(), &rules)?;
    if args.out.is_some() || !args.json {
        write_output(&features_csv(&slides), args.out.as_deref())?;
    }
    if args.json {
        let named: Vec<NamedFeatures<'_>> = slides.iter().map(SlideFeatures::named).collect();
        print_json(&named)?;
    }
    Ok(Exit::Done)
}
