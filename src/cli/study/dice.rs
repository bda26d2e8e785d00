//! `slidegrid study dice`

use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use super::heatmaps::{HeatmapOptions, LoadedHeatmap};
use super::options::GroupOptions;
use super::{input, number, print_json};
use crate::cli::{Exit, Failure, print};
use crate::metrics::overlap::{Overlap, per_class, threshold_sweep};
use crate::truth::{self, Truth, read_labels};

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

    #[command(flatten)]
    groups: GroupOptions,

    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct OverlapRow {
    slide: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    threshold: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    class: Option<usize>,
    dice: Option<f64>,
    iou: Option<f64>,
    #[serde(flatten)]
    overlap: Overlap,
}

/// Name of the row for all slides together.
const ALL: &str = "all";

pub(super) fn run(args: &DiceArgs) -> Result<Exit, Failure> {
    let (mut rows, mut sums, mut slides) = (Vec::new(), Vec::new(), 0);
    let mut add = |slide: &str, keys: RowKeys, overlaps: Vec<Overlap>| {
        sums.resize(overlaps.len(), Overlap::default());
        for (index, overlap) in overlaps.into_iter().enumerate() {
            sums[index] += overlap;
            rows.extend(row(slide, &keys, index, overlap));
        }
        slides += 1;
    };
    if args.labels {
        for path in args.heatmaps.paths() {
            let slide = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            add(&slide, RowKeys::Classes, label_overlaps(args, path, &slide)?);
        }
    } else {
        for heatmap in args.heatmaps.load() {
            let heatmap = heatmap?;
            let overlaps = heatmap_overlaps(args, &heatmap)?;
            add(&heatmap.slide, RowKeys::Thresholds(args.thresholds.clone()), overlaps);
        }
    }
    if slides > 1 {
        let keys = match args.labels {
            true => RowKeys::Classes,
            false => RowKeys::Thresholds(args.thresholds.clone()),
        };
        for (index, &overlap) in sums.iter().enumerate() {
            rows.extend(row(ALL, &keys, index, overlap));
        }
    }
    if args.json {
        print_json(&rows)?
    } else {
        print(&table(&rows))?
    }
    Ok(Exit::Done)
}

/// What the index of a row stands for: a threshold, or a class.
enum RowKeys {
    Thresholds(Vec<f32>),
    Classes,
}

fn row(slide: &str, keys: &RowKeys, index: usize, overlap: Overlap) -> Option<OverlapRow> {
    let (threshold, class) = match keys {
        RowKeys::Thresholds(thresholds) => (Some(thresholds[index]), None),
        // Only classes that occur get a row.
        RowKeys::Classes => {
            overlap.dice()?;
            (None, Some(index))
        }
    };
    let (dice, iou) = (overlap.dice(), overlap.iou());
    Some(OverlapRow { slide: slide.to_owned(), threshold, class, dice, iou, overlap })
}

fn truth_path(args: &DiceArgs, slide: &str) -> Result<Option<PathBuf>, Failure> {
    if args.truth.is_dir() {
        return Ok(truth::find(&args.truth, slide));
    }
    if args.heatmaps.count() > 1 {
        let problem = format!(
            "--truth {}: one file for {} predictions, expected a folder",
            args.truth.display(),
            args.heatmaps.count()
        );
        return Err(Failure::new(Exit::Usage, problem));
    }
    Ok(Some(args.truth.clone()))
}

fn label_overlaps(args: &DiceArgs, path: &Path, slide: &str) -> Result<Vec<Overlap>, Failure> {
    let truth = truth_path(args, slide)?.ok_or_else(|| {
        input(format!("{}: no truth about {slide}, expected {slide}.png", args.truth.display()))
    })?;
    let (predicted, drawn) =
        (read_labels(path).map_err(input)?, read_labels(&truth).map_err(input)?);
    if predicted.dim() != drawn.dim() {
        let ((h, w), (rows, cols)) = (predicted.dim(), drawn.dim());
        let problem = format!(
            "{}: {w} x {h} px, but {} has {cols} x {rows} px; label images must have the same size",
            path.display(),
            truth.display()
        );
        return Err(input(problem));
    }
    Ok(per_class(predicted.view(), drawn.view()))
}

fn heatmap_overlaps(args: &DiceArgs, heatmap: &LoadedHeatmap) -> Result<Vec<Overlap>, Failure> {
    let grid = heatmap.grid()?;
    let truth = match truth_path(args, &heatmap.slide)? {
        Some(path) => Truth::read(&path, &args.groups.groups()).map_err(input)?,
        None if kind_is_normal(args, &heatmap.slide)? => Truth::Outlines(Vec::new()),
        None => {
            let slide = &heatmap.slide;
            let problem = format!(
                "{}: no truth about {slide}; expected {slide}.xml, .geojson, .json, .png or .tif, or reference.csv that calls it Normal",
                args.truth.display()
            );
            return Err(input(problem));
        }
    };
    let truth = match (args.image_px, heatmap.size_px) {
        (Some(px), _) => truth.with_pixel([px; 2]),
        (None, Some([width, height])) => truth.covering(width, height),
        (None, None) => truth,
    };
    let mask = truth.raster(&grid).ok_or_else(|| {
        input(format!(
            "{}: an array does not give the size of its slide; give --image-px for the mask image",
            heatmap.path.display()
        ))
    })?;
    Ok(threshold_sweep(heatmap.score.view(), mask.to_array().view(), &args.thresholds))
}

fn kind_is_normal(args: &DiceArgs, slide: &str) -> Result<bool, Failure> {
    let list = args.truth.join("reference.csv");
    if !list.is_file() {
        return Ok(false);
    }
    let slides = truth::read_slide_list(&list).map_err(input)?;
    Ok(slides.iter().any(|known| known.name == slide && !known.is_tumor))
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
