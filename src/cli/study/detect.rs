//! `slidegrid study detect`

use std::path::PathBuf;

use clap::Args;

use super::heatmaps::HeatmapOptions;
use super::options::DetectOptions;
use super::print_json;
use crate::cli::{Exit, Failure, print};
use crate::study::steps::detect::{DetectionsOut, SlideDetections, write_all};

/// Detect lesions in heatmaps and write one CSV file of confidence, x, y per slide.
///
/// Coordinates are in level-0 px. The files have the format of the CAMELYON16 challenge: one
/// file per slide with the slide's name, without a header, empty if nothing is detected.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  slidegrid study detect run/heatmaps/*.h5 --method nms --out detections
  slidegrid study detect tumor_001.npy --stride 64 --method regions --out tumor_001.csv")]
pub(super) struct DetectArgs {
    #[command(flatten)]
    heatmaps: HeatmapOptions,

    #[command(flatten)]
    detect: DetectOptions,

    /// CSV file to write, or a folder for one file per slide.
    #[arg(long, value_name = "CSV|DIR")]
    out: PathBuf,

    /// Print the detections as JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &DetectArgs) -> Result<Exit, Failure> {
    let is_file = args.out.extension().is_some_and(|e| e == "csv");
    if is_file && args.heatmaps.count() > 1 {
        let problem = format!(
            "--out {}: one file for {} heatmaps, expected a folder",
            args.out.display(),
            args.heatmaps.count()
        );
        return Err(Failure::new(Exit::Usage, problem));
    }
    let out =
        if is_file { DetectionsOut::File(&args.out) } else { DetectionsOut::Folder(&args.out) };
    let written = write_all(args.heatmaps.load(), &args.detect.rules(), &out)?;
    if args.json {
        print_json(&written)?;
    } else {
        for SlideDetections { file, detections, .. } in &written {
            print(&format!("{}: {} detections", file.display(), detections.len()))?;
        }
    }
    Ok(Exit::Done)
}
