//! `slidegrid study detect`

use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use super::heatmaps::HeatmapOptions;
use super::options::DetectOptions;
use super::{input, print_json};
use crate::cli::{Exit, Failure, print};
use crate::study::detections_csv::write_detections;

/// Find lesions in heatmaps: a CSV file of confidence, x, y a slide.
///
/// Coordinates are level-0 px. The files are those that CAMELYON16 took: no
/// header, one file a slide, with the slide's name; empty where nothing is
/// found.
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

    /// A .csv file, or a folder for one file a slide.
    #[arg(long, value_name = "CSV|DIR")]
    out: PathBuf,

    /// As JSON, what was found where.
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
            "--out {}: one file, but {} heatmaps; name a folder",
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
        let rows = detections.iter().map(|of| [of.score, of.x, of.y]).collect();
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

/// Not by `with_extension`: slide names may hold dots.
pub(super) fn csv_of(folder: &Path, slide: &str) -> PathBuf {
    folder.join(format!("{slide}.csv"))
}
