//! `slidegrid study detect`

use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use super::heatmaps::HeatmapOptions;
use super::options::DetectOptions;
use super::{input, print_json};
use crate::cli::{Exit, Failure, print};
use crate::study::detections_csv::write_detections;

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

#[derive(Serialize)]
struct SlideDetections {
    slide: String,
    file: PathBuf,
    detections: Vec<[f64; 3]>,
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
    let mut report = Vec::new();
    for heatmap in args.heatmaps.load() {
        let heatmap = heatmap?;
        let detections = args.detect.detections(&heatmap)?;
        let file = if is_file { args.out.clone() } else { csv_of(&args.out, &heatmap.slide) };
        write_detections(&file, &detections).map_err(input)?;
        let rows = detections.iter().map(|d| [d.score, d.x, d.y]).collect();
        report.push(SlideDetections { slide: heatmap.slide, file, detections: rows });
    }
    if args.json {
        print_json(&report)?;
    } else {
        for SlideDetections { file, detections, .. } in &report {
            print(&format!("{}: {} detections", file.display(), detections.len()))?;
        }
    }
    Ok(Exit::Done)
}

/// The path of a slide's file of detections. `with_extension` would cut slide names with dots.
pub(super) fn csv_of(folder: &Path, slide: &str) -> PathBuf {
    folder.join(format!("{slide}.csv"))
}
