//! `slidegrid study dice`

use std::path::PathBuf;

use clap::Args;

use super::heatmaps::HeatmapOptions;
use super::options::GroupOptions;
use super::{number, print_json};
use crate::cli::{Exit, Failure, print};
use crate::geometry::CoordinateOrigin;
use crate::study::steps::dice::{OverlapRow, TruthSource, heatmap_overlaps, label_overlaps};

/// Compute Dice and intersection over union of segmentations and truth.
///
/// Heatmaps are compared with truth point by point at each threshold: a point counts as
/// predicted tumor if its score is at least the threshold; points without a score count as
/// not predicted. Label images (--labels) are compared pixel by pixel for each class.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  slidegrid study dice run/heatmaps/*.h5 --truth annotations --thresholds 0.3,0.5,0.7
  slidegrid study dice heatmap.npy --stride 16 --truth tumor_001.xml --json
  slidegrid study dice predicted.png --labels --truth drawn.png")]
pub(super) struct DiceArgs {
    #[command(flatten)]
    heatmaps: HeatmapOptions,

    /// Truth: a folder with one file per slide, or the file of a single slide.
    #[arg(long, value_name = "DIR|FILE")]
    truth: PathBuf,

    /// Thresholds [default: 0.1 to 0.9].
    #[arg(long, value_name = "T,T,..", value_delimiter = ',', default_values_t = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9], hide_default_value = true)]
    thresholds: Vec<f32>,

    /// Take HEATMAP and truth as label images, in which the grey value is the class.
    #[arg(long)]
    labels: bool,

    /// Level-0 px per pixel of mask images; needed if the heatmap does not give the size of
    /// its slide.
    #[arg(long, value_name = "PX")]
    image_px: Option<f64>,

    /// Where outlines in GeoJSON begin to count on slides that state the bounds of the scanned
    /// area: at the corner of the bounds, as in QuPath, or of the plane.
    #[arg(long, value_name = "bounds|plane", default_value = "bounds")]
    origin: CoordinateOrigin,

    #[command(flatten)]
    groups: GroupOptions,

    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &DiceArgs) -> Result<Exit, Failure> {
    if args.heatmaps.count() > 1 && !args.truth.is_dir() {
        let problem = format!(
            "--truth {}: one file for {} predictions, expected a folder",
            args.truth.display(),
            args.heatmaps.count()
        );
        return Err(Failure::new(Exit::Usage, problem));
    }
    let truth = TruthSource {
        path: &args.truth,
        image_px: args.image_px,
        groups: args.groups.groups(),
        origin: args.origin,
    };
    let rows = match args.labels {
        true => label_overlaps(args.heatmaps.paths(), &truth)?,
        false => heatmap_overlaps(args.heatmaps.load(), &truth, &args.thresholds)?,
    };
    if args.json {
        print_json(&rows)?
    } else {
        print(&table(&rows))?
    }
    Ok(Exit::Done)
}

fn table(rows: &[OverlapRow]) -> String {
    let width = rows.iter().map(|row| row.slide.len()).max().unwrap_or(0).max(5);
    let key = if rows.iter().any(|row| row.class.is_some()) { "class" } else { "threshold" };
    let mut lines = vec![format!("{:width$}  {key:>9}  {:>6}  {:>6}", "slide", "Dice", "IoU")];
    for row in rows {
        let at = match (row.threshold, row.class) {
            (Some(threshold), _) => threshold.to_string(),
            (None, class) => class.map_or(String::new(), |class| class.to_string()),
        };
        let (dice, iou) = (number(row.dice), number(row.iou));
        lines.push(format!("{:width$}  {at:>9}  {dice:>6}  {iou:>6}", row.slide));
    }
    lines.join("\n")
}
