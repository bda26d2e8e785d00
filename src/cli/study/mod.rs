//! `slidegrid study`

mod auc;
mod classify;
mod detect;
mod dice;
mod features;
mod froc;
mod heatmaps;
mod options;
mod over_run;

use std::path::Path;

use clap::{Args, Subcommand};

use super::failure::{Exit, Failure, input};
use super::output::{number, print_json, write_output};

const EXAMPLES: &str = "\
Examples:
  Compare strides and methods; tables and curves go to run/study:
    slidegrid study --run run --truth truth --strides 16,64,128,224
    slidegrid study --run run --truth truth --compare dense=run-dense --rerun

  Single steps, also on files of other programs:
    slidegrid study auc results.csv --truth truth --score model_a --score model_b
    slidegrid study detect run/heatmaps/*.h5 --method nms --out detections
    slidegrid study froc --detections detections --truth annotations --mpp 0.243
    slidegrid study features run/heatmaps/*.h5 --out features.csv
    slidegrid study dice run/heatmaps/*.h5 --truth annotations";

/// Measure a run against truth: accuracy and cost at several strides.
///
/// For each stride, the study gives the AUC of slide scores, the sensitivity at 1/4 to 8
/// false positives per slide and the FROC score, with intervals, and windows and
/// core-hours. A coarser stride takes every n-th point of the heatmaps, which equals
/// scoring at that stride. Writes study.md, study.csv, study.json, lesions.csv, and ROC, FROC
/// and trade-off curves as SVG and PNG. For each lesion, the study gives the share of points
/// that were scored, and warns if it is below nine tenths.
///
/// The commands below do single steps, also on files of other programs.
#[derive(Debug, Args)]
#[command(
    after_help = EXAMPLES,
    arg_required_else_help = true,
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    disable_help_subcommand = true
)]
pub(crate) struct StudyArgs {
    #[command(flatten)]
    over_run: over_run::OverRunArgs,

    #[command(subcommand)]
    command: Option<StudyCommand>,
}

#[derive(Debug, Subcommand)]
enum StudyCommand {
    Auc(auc::AucArgs),
    Features(features::FeaturesArgs),
    Classify(classify::ClassifyArgs),
    Detect(detect::DetectArgs),
    Froc(froc::FrocArgs),
    Dice(dice::DiceArgs),
}

/// Runs `slidegrid study --run RUN` with the run's own settings.
pub(super) fn study_run(run: &Path, quiet: bool) -> Result<Exit, Failure> {
    #[derive(clap::Parser)]
    struct StudyProgram {
        #[command(flatten)]
        over_run: over_run::OverRunArgs,
    }
    let mut words = vec!["study".into(), "--run".into(), run.as_os_str().to_owned()];
    words.extend(quiet.then(|| "--quiet".into()));
    let words = <StudyProgram as clap::Parser>::try_parse_from(words);
    over_run::run(&words.expect("the arguments are valid").over_run)
}

pub(super) fn run(args: &StudyArgs) -> Result<Exit, Failure> {
    let Some(command) = &args.command else { return over_run::run(&args.over_run) };
    match command {
        StudyCommand::Auc(args) => auc::run(args),
        StudyCommand::Features(args) => features::run(args),
        StudyCommand::Classify(args) => classify::run(args),
        StudyCommand::Detect(args) => detect::run(args),
        StudyCommand::Froc(args) => froc::run(args),
        StudyCommand::Dice(args) => dice::run(args),
    }
}
