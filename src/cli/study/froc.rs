//! `slidegrid study froc`

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::detect::csv_of;
use super::options::{GroupOptions, RuleOptions, slides_of, truth_of};
use super::{input, print_json};
use crate::cli::{Exit, Failure, print};
use crate::metrics::froc::{Froc, Interpolation, SCORED_AT, SlideHits, score_interval};
use crate::metrics::interval::Interval;
use crate::metrics::lesions::{Lesions, evaluation_downsample};
use crate::metrics::raster::SampleGrid;
use crate::progress::tell;
use crate::study::detections_csv::read_detections;
use crate::truth::Truth;

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

#[derive(Serialize)]
struct FrocReport {
    slides: usize,
    lesions: usize,
    isolated_tumor_cells: usize,
    false_positives: usize,
    slides_without_file: Vec<String>,
    score: f64,
    score_interval_95: Option<Interval>,
    #[serde(rename = "read_off")]
    interpolation: Interpolation,
    sensitivity: Vec<AtFalsePositives>,
    #[serde(flatten)]
    curve: Froc,
}

#[derive(Serialize)]
struct AtFalsePositives {
    false_positives: f64,
    sensitivity: f64,
}

pub(super) fn run(args: &FrocArgs) -> Result<Exit, Failure> {
    if !(args.mpp > 0.0 && args.mpp.is_finite()) {
        let problem = format!("--mpp {}: expected um per level-0 px, above 0", args.mpp);
        return Err(Failure::new(Exit::Usage, problem));
    }
    let mut slides = slides_of(&args.truth, args.slides.as_deref())?;
    let listed: BTreeSet<String> = slides.iter().map(|slide| slide.name.clone()).collect();
    let is_list = args.slides.is_some() || args.truth.join("reference.csv").is_file();
    for name in detected(args)? {
        if listed.contains(&name) {
            continue;
        }
        if is_list {
            let problem = format!(
                "{}: slide {name} is not in the list of slides; add the slide to the list, or remove the file",
                csv_of(&args.detections, &name).display()
            );
            return Err(input(problem));
        }
        slides.push(crate::truth::SlideKind { name, is_tumor: false });
    }
    let groups = args.groups.groups();
    let (mut hits, mut without_file, mut itc) = (Vec::new(), Vec::new(), 0);
    for slide in &slides {
        let lesions = match slide.is_tumor {
            true => {
                let truth = truth_of(&args.truth, &slide.name, &groups, args.image_px)?;
                lesions_of(args, &slide.name, &truth)?
            }
            false => Lesions::none(),
        };
        itc += lesions.lesions.len() - lesions.to_find();
        let file = csv_of(&args.detections, &slide.name);
        let detections = match file.is_file() {
            true => read_detections(&file).map_err(input)?,
            false => Vec::new(),
        };
        if !file.is_file() {
            without_file.push(slide.name.clone());
        }
        hits.push(SlideHits::count(&detections, &lesions));
    }
    if !without_file.is_empty() {
        tell(&format!(
            "warning: {} of {} slides have no file in {} and count as slides without detections: {}",
            without_file.len(),
            slides.len(),
            args.detections.display(),
            without_file.join(", ")
        ));
    }
    let report = report(args, &hits, without_file, itc)?;
    if args.json {
        print_json(&report)?
    } else {
        print(&table(&report))?
    }
    Ok(Exit::Done)
}

/// The names of the slides that have a file of detections.
fn detected(args: &FrocArgs) -> Result<Vec<String>, Failure> {
    let folder = &args.detections;
    let error = |e| input(format!("{}: cannot list the detections: {e}", folder.display()));
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(error)? {
        let path = entry.map_err(error)?.path();
        if path.extension().is_some_and(|e| e == "csv") {
            names.extend(path.file_stem().map(|stem| stem.to_string_lossy().into_owned()));
        }
    }
    names.sort();
    Ok(names)
}

fn lesions_of(args: &FrocArgs, slide: &str, truth: &Truth) -> Result<Lesions, Failure> {
    let downsample = args.downsample.unwrap_or_else(|| evaluation_downsample(args.mpp));
    let [width, height] = truth.extent().ok_or_else(|| {
        input(format!(
            "{}: the truth about {slide} is an image, which does not give the size of its pixels; give --image-px",
            args.truth.display()
        ))
    })?;
    // Outlines do not give the size of their slide, so the grid leaves room for growing them.
    let room = match truth {
        Truth::Outlines(_) => args.rules.rules().merge_um / args.mpp + 2.0 * downsample,
        Truth::Image(..) => 0.0,
    };
    let grid = SampleGrid::pixels(width + room, height + room, downsample);
    let mask = truth.raster(&grid).expect("the extent of the truth is known");
    Ok(Lesions::find(&mask, grid, args.mpp, &args.rules.rules()))
}

fn report(
    args: &FrocArgs,
    hits: &[SlideHits],
    slides_without_file: Vec<String>,
    isolated_tumor_cells: usize,
) -> Result<FrocReport, Failure> {
    let interpolation = if args.step { Interpolation::Step } else { Interpolation::Linear };
    let curve = Froc::compute(hits).ok_or_else(|| {
        input(format!(
            "{}: no lesion to find on {} slides, expected at least one",
            args.truth.display(),
            hits.len()
        ))
    })?;
    let at = |&false_positives: &f64| AtFalsePositives {
        false_positives,
        sensitivity: curve.sensitivity_at(false_positives, interpolation),
    };
    Ok(FrocReport {
        slides: hits.len(),
        lesions: hits.iter().map(|hits| hits.to_find).sum(),
        isolated_tumor_cells,
        false_positives: hits.iter().map(|hits| hits.false_positives.len()).sum(),
        slides_without_file,
        score: curve.score(interpolation),
        score_interval_95: score_interval(hits, interpolation, 0.95, args.bootstrap, args.seed),
        interpolation,
        sensitivity: SCORED_AT.iter().map(at).collect(),
        curve,
    })
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
