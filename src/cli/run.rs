//! `slidegrid run`

use std::collections::HashSet;
use std::path::PathBuf;

use clap::Args;

use super::cluster::{self, ClusterOptions, Wanted};
use super::options::{EngineOptions, RunOptions, ThreadOptions, catch_signals};
use super::output::print_path;
use super::{CommandEnd, Exit, Failure, inputs, study};
use crate::config::{RunConfig, SchedulerKind};
use crate::jobs::outcome::{OutcomeKind, Undone};
use crate::progress::Progress;
use crate::run_dir::{self, RunDir, SlideRecord};
use crate::slide_inputs::GivenSlides;
use crate::split::Extent;
use crate::staged;
use crate::stages::calibrate::{calibrate_all, slides_to_fit};
use crate::stages::plan::plan;
use crate::stages::predict::{groups_where, predict_all, try_network};
use crate::stages::slides::{register, select_records};
use crate::stages::split::split_all;
use crate::stages::stitch::{StitchOptions, stitch_all, stitchable};
use crate::stages::{Completion, StageEnd};
use crate::threads::Workers;

/// Make heatmaps from slides: split, plan, predict and stitch.
///
/// If study.truth is set in the configuration, the run ends with a study.
///
/// After an interruption, the same command does what is missing. With a scheduler, the
/// command submits the first array and a master job, and returns.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  slidegrid run --config configs/quickstart.toml --run run slides/
  slidegrid run --config c.toml --run run --set predict.stride=64 a.svs b.svs
  slidegrid run --run run                    do what is missing
  slidegrid run --run run --mpp tumor_9=0.25 what a slide does not state
  slidegrid run --config c.toml --run run --scheduler slurm slides/")]
pub(crate) struct RunArgs {
    #[command(flatten)]
    options: RunOptions,

    #[command(flatten)]
    cluster: ClusterOptions,

    #[command(flatten)]
    given: inputs::SlideOptions,

    #[command(flatten)]
    threads: ThreadOptions,

    #[command(flatten)]
    engine: EngineOptions,

    /// Slides: files, folders, or .txt lists with one path per line [default: all slides of
    /// the run].
    #[arg(value_name = "SLIDE")]
    slides: Vec<PathBuf>,
}

pub(super) fn run(args: &RunArgs) -> Result<CommandEnd, Failure> {
    let (run, progress) = (args.options.dir(), args.options.progress());
    let GivenSlides { slides, keys } = args.given.collect(&run, &args.slides, &progress)?;
    let mut config = args.options.settle_with(&keys)?;
    args.engine.over(&mut config);
    let records = register(&run, &slides)?;
    if args.cluster.kind(&args.options, &config)? != SchedulerKind::Local || args.cluster.dry_run {
        return cluster::submit(&args.options, &args.cluster, &Wanted::default()).map(Exit::into);
    }
    let signals = catch_signals()?;
    let interrupt = signals.interrupt();
    let wanted = select_records(&records, &slides);
    let names: HashSet<String> = wanted.iter().map(|record| record.name.clone()).collect();
    let pool = args.threads.pool(config.config.predict.threads, &progress);
    let workers = Workers { pool: &pool, interrupt };
    // A network that cannot score a window would fail after hours of splitting.
    let is_unsplit = |record: &&SlideRecord| {
        staged::is_there(&run.patches(&record.name)).is_ok_and(|is_split| !is_split)
    };
    if wanted.iter().any(is_unsplit) {
        try_network(&run, &config, &workers, &progress)?;
    }
    let split = split_all(&run, &config, &wanted, Extent::Patches, &workers, &progress)?;
    if staged::is_there(&run.slides_csv())? {
        run_dir::refresh_slides(&run)?;
    }
    let records = run_dir::list_slides(&run)?;
    if interrupt.requested().is_some() {
        return Ok(interrupted(split.undone));
    }
    if split.completion == Completion::Failed
        && !records.iter().any(|r| staged::is_there(&run.patches(&r.name)).unwrap_or(true))
    {
        return Ok(split.into());
    }
    let (lookup, planned) = plan(&run, &progress)?;
    fit_if_due(&run, &mut config, &workers, &progress)?;
    if interrupt.requested().is_some() {
        return Ok(interrupted(split.undone));
    }
    let predicted = match groups_where(&lookup, &|name| names.contains(name)) {
        groups if groups.is_empty() => Completion::Done.into(),
        groups => predict_all(&run, &config, &groups, &workers, &progress)?,
    };
    if interrupt.requested().is_some() {
        return Ok(interrupted(split.and(predicted).undone));
    }
    let wanted = records.into_iter().filter(|record| names.contains(&record.name)).collect();
    let options = StitchOptions { allow_missing: false, interrupt, on_file: &print_path };
    let stitched = stitch_all(&run, &config, &stitchable(&run, wanted), &options, &progress)?;
    if interrupt.requested().is_some() {
        return Ok(interrupted(split.and(predicted).and(stitched).undone));
    }
    let studied = match &config.config.study.truth {
        Some(_) => study::study_run(run.root(), args.options.quiet)?,
        None => Exit::Done,
    };
    let StageEnd { completion, undone } = split.and(planned.into()).and(predicted).and(stitched);
    let end = CommandEnd::from(Exit::from(completion).worst(studied));
    Ok(CommandEnd { undone, ..end })
}

/// Fits the dense network's head over the slides, if the run is to have a fit. A fit that is
/// no screen is said, and makes no slide partial.
fn fit_if_due(
    run: &RunDir,
    config: &mut RunConfig,
    workers: &Workers<'_>,
    progress: &Progress,
) -> Result<(), Failure> {
    if let Some(slides) = slides_to_fit(run, config)? {
        calibrate_all(run, config, &slides, workers, progress)?;
    }
    Ok(())
}

/// The end of a command that a signal stopped between two stages, or within one.
fn interrupted(undone: Vec<Undone>) -> CommandEnd {
    CommandEnd { kind: OutcomeKind::Interrupted, undone }
}
