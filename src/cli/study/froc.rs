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

/// Sensitivity against false positives a slide, as CAMELYON16 scored it.
///
/// Every slide of the list counts, also those without a detection. The
/// interval comes from drawing slides anew.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  slidegrid study froc --detections detections --truth annotations --mpp 0.243
  slidegrid study froc --detections detections --truth masks --mpp 0.243 --image-px 32 --json")]
pub(super) struct FrocArgs {
    /// Folder with a file of confidence, x, y (level-0 px) a slide: SLIDE.csv.
    #[arg(long, value_name = "DIR")]
    detections: PathBuf,

    /// Folder with truth: SLIDE.xml (ASAP), .geojson (QuPath), .json (NCRF),
    /// .png or .tif (masks).
    #[arg(long, value_name = "DIR")]
    truth: PathBuf,

    /// Resolution of the slides, um per level-0 px.
    #[arg(long, value_name = "UM")]
    mpp: f64,

    /// List of slides and their kind (image,type) [default: reference.csv in
    /// the folder of truth, or else the slides with truth and detections].
    #[arg(long, value_name = "CSV")]
    slides: Option<PathBuf>,

    /// Level-0 px to a pixel of mask images.
    #[arg(long, value_name = "PX")]
    image_px: Option<f64>,

    /// Shrink slides by this much to evaluate them [default: the power of two
    /// that comes nearest to 7.776 um per px, the challenge's].
    #[arg(long, value_name = "N")]
    downsample: Option<f64>,

    #[command(flatten)]
    rules: RuleOptions,

    #[command(flatten)]
    groups: GroupOptions,

    /// Read sensitivity off as a step, not along straight lines.
    #[arg(long)]
    step: bool,

    /// Draws for the interval; 0 = no interval.
    #[arg(long, value_name = "N", default_value_t = 1000)]
    bootstrap: usize,

    /// The draws follow from this number.
    #[arg(long, value_name = "SEED", default_value_t = 1)]
    seed: u64,

    /// As JSON, with the curve.
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
                "{}: slide {name} is not in the list of slides; add it there, or take the file away",
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
            "warning: {} of {} slides have no file in {} and count as without detections: {}",
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

/// Slides that have a file of detections.
fn detected(args: &FrocArgs) -> Result<Vec<String>, Failure> {
    let folder = &args.detections;
    let wrong = |e| input(format!("{}: cannot list the detections: {e}", folder.display()));
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(wrong)? {
        let path = entry.map_err(wrong)?.path();
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
            "{}: the truth about {slide} is an image, which does not say how large its pixels are; give --image-px",
            args.truth.display()
        ))
    })?;
    // Outlines do not say how large their slide is: room for what they grow by.
    let room = match truth {
        Truth::Outlines(_) => args.rules.rules().merge_um / args.mpp + 2.0 * downsample,
        Truth::Image(..) => 0.0,
    };
    let grid = SampleGrid::pixels(width + room, height + room, downsample);
    let mask = truth.raster(&grid).expect("its extent is known");
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
            "{}: {} slides without a lesion to find; a curve needs one",
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
        lesions: hits.iter().map(|of| of.to_find).sum(),
        isolated_tumor_cells,
        false_positives: hits.iter().map(|of| of.false_positives.len()).sum(),
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
        .map_or(String::new(), |of| format!(" (95 %: {:.4}-{:.4})", of.low, of.high));
    let mut lines = vec![
        format!("FROC score {:.4}{interval}", report.score),
        format!("{:>22}  {:>11}", "false positives/slide", "sensitivity"),
    ];
    for AtFalsePositives { false_positives, sensitivity } in &report.sensitivity {
        lines.push(format!("{false_positives:>22}  {sensitivity:>11.4}"));
    }
    lines.push(format!(
        "{} slides, {} lesions, {} isolated tumour cells left out, {} false positives in all",
        report.slides, report.lesions, report.isolated_tumor_cells, report.false_positives
    ));
    if report.curve.dropped_a_real_score {
        lines.push("every lesion was hit: the official script, and so this one, leaves out the lowest score".into());
    }
    lines.join("\n")
}
