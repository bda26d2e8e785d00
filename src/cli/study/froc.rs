//! `slidegrid study froc`

use std::path::PathBuf;

use clap::Args;

use super::options::{GroupOptions, RuleOptions};
use super::print_json;
use crate::cli::{Exit, Failure, print};
use crate::metrics::froc::Interpolation;
use crate::progress::tell;
use crate::study::steps::froc::{AtFalsePositives, FrocReport, FrocRequest, froc};

/// Compute sensitivity over false positives per slide (FROC), as the CAMELYON16 challenge does.
///
/// All slides of the list count, also those without a detection. The interval comes from
/// resampling slides.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  slidegrid study froc --detections detections --truth annotations --mpp 0.243
  slidegrid study froc --detections detections --truth masks --mpp 0.243 --image-px 32 --json")]
pub(super) struct FrocArgs {
    /// Folder with the detections: SLIDE.csv with confidence, x, y (level-0 px).
    #[arg(long, value_name = "DIR")]
    detections: PathBuf,

    /// Folder with the truth: SLIDE.xml (ASAP), .geojson (QuPath), .json (NCRF), .png or
    /// .tif (masks).
    #[arg(long, value_name = "DIR")]
    truth: PathBuf,

    /// Resolution of the slides, um per level-0 px.
    #[arg(long, value_name = "UM")]
    mpp: f64,

    /// List of slides and their types (columns image,type) [default: reference.csv in the
    /// folder of the truth, or else all slides with truth or detections].
    #[arg(long, value_name = "CSV")]
    slides: Option<PathBuf>,

    /// Level-0 px per pixel of mask images.
    #[arg(long, value_name = "PX")]
    image_px: Option<f64>,

    /// Downsample at which lesions are evaluated [default: the power of two that comes
    /// nearest to the challenge's 7.776 um per px].
    #[arg(long, value_name = "N")]
    downsample: Option<f64>,

    #[command(flatten)]
    rules: RuleOptions,

    #[command(flatten)]
    groups: GroupOptions,

    /// Take the curve between its points as steps instead of straight lines.
    #[arg(long)]
    step: bool,

    /// Number of resamples for the interval; 0 = no interval.
    #[arg(long, value_name = "N", default_value_t = 1000)]
    bootstrap: usize,

    /// Seed of the resamples.
    #[arg(long, value_name = "SEED", default_value_t = 1)]
    seed: u64,

    /// Print the result as JSON, with the curve.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &FrocArgs) -> Result<Exit, Failure> {
    if !(args.mpp > 0.0 && args.mpp.is_finite()) {
        let problem = format!("--mpp {}: expected um per level-0 px, above 0", args.mpp);
        return Err(Failure::new(Exit::Usage, problem));
    }
    let request = FrocRequest {
        detections: args.detections.clone(),
        truth: args.truth.clone(),
        slides: args.slides.clone(),
        mpp: args.mpp,
        image_px: args.image_px,
        downsample: args.downsample,
        rules: args.rules.rules(),
        groups: args.groups.groups(),
        interpolation: if args.step { Interpolation::Step } else { Interpolation::Linear },
        bootstrap: args.bootstrap,
        seed: args.seed,
    };
    let report = froc(&request, &tell)?;
    if args.json {
        print_json(&report)?
    } else {
        print(&table(&report))?
    }
    Ok(Exit::Done)
}

fn table(report: &FrocReport) -> String {
    let interval = report
        .score_interval_95
        .map_or(String::new(), |i| format!(" (95 %: {:.4}-{:.4})", i.low, i.high));
    let mut lines = vec![
        format!("FROC score {:.4}{interval}", report.score),
        format!("{:>22}  {:>11}", "false positives/slide", "sensitivity"),
    ];
    for AtFalsePositives { false_positives, sensitivity } in &report.sensitivity {
        lines.push(format!("{false_positives:>22}  {sensitivity:>11.4}"));
    }
    lines.push(format!(
        "{} slides, {} lesions, {} isolated tumor cells left out, {} false positives in all",
        report.slides, report.lesions, report.isolated_tumor_cells, report.false_positives
    ));
    if report.curve.dropped_a_real_score {
        lines.push("every lesion was hit: like the official script, this curve leaves out the lowest score".into());
    }
    lines.join("\n")
}
