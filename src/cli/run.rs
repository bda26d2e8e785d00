//! `slidegrid run`

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::options::{EngineOptions, RunOptions, ThreadOptions, catch_signals};
use super::predict::{every_group, predict_all};
use super::stitch::{stitch_all, stitchable};
use super::{Exit, Failure, inputs, master, split};
use crate::run_dir;

/// Take slides to heatmaps: split, plan, predict and stitch in one go.
///
/// Run it again after an interruption: it does what is missing.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  slidegrid run --config configs/camelyon16.toml --run run slides/
  slidegrid run --config c.toml --run run --set predict.stride=64 a.svs b.svs
  slidegrid run --run run                    do what is missing")]
pub struct RunArgs {
    #[command(flatten)]
    options: RunOptions,

    /// Where the tasks run.
    #[arg(long, value_enum, default_value_t = SchedulerName::Local)]
    scheduler: SchedulerName,

    #[command(flatten)]
    threads: ThreadOptions,

    #[command(flatten)]
    engine: EngineOptions,

    /// Slides: files, folders, or .txt lists with a path a line; none: all
    /// slides the run knows.
    #[arg(value_name = "SLIDE")]
    slides: Vec<PathBuf>,
}

/// Who runs the tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum SchedulerName {
    /// This process, on this machine.
    Local,
}

pub(super) fn run(args: &RunArgs) -> Result<Exit, Failure> {
    let SchedulerName::Local = args.scheduler;
    let (run, progress) = (args.options.dir(), args.options.progress());
    let interrupt = catch_signals()?.interrupt().clone();
    let slides = inputs::expand(&args.slides, &progress)?;
    let mut config = args.options.settle()?;
    args.engine.over(&mut config);
    let records = split::register(&run, &slides)?;
    let wanted = split::chosen(&records, &slides);
    let threads = args.threads.count(config.config.predict.threads, &progress);
    let split = split::split_all(&run, &config, &wanted, threads, &progress)?;
    if run.slides_csv().exists() {
        run_dir::write_slides(&run, &run_dir::read_slides(&run)?)?;
    }
    let records = run_dir::known_slides(&run)?;
    if interrupt.requested().is_some() {
        return Ok(Exit::Partial);
    }
    if split == Exit::Input && !records.iter().any(|r| run.patches(&r.name).exists()) {
        return Ok(split);
    }
    let (lookup, planned) = master::plan(&run, &progress)?;
    let predicted = match every_group(&lookup) {
        groups if groups.is_empty() => Exit::Done,
        groups => predict_all(&run, &config, &groups, &args.threads, &progress)?,
    };
    if interrupt.requested().is_some() {
        return Ok(Exit::Partial);
    }
    let names = stitchable(&run, records);
    let stitched = stitch_all(&run, &config, &names, false, &progress)?;
    Ok(split.and(planned).and(predicted).and(stitched))
}
