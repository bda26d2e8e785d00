//! `slidegrid run`

use std::path::PathBuf;

use clap::Args;

use super::cluster::{self, ClusterOptions, SubmitOptions};
use super::options::{EngineOptions, RunOptions, ThreadOptions, catch_signals};
use super::output::print_path;
use super::{CommandEnd, Exit, Failure, inputs, study};
use crate::config::SchedulerKind;
use crate::jobs::outcome::OutcomeKind;
use crate::slide_inputs::GivenSlides;
use crate::stages::StageEnd;
use crate::stages::dense_cost::warn_before_split;
use crate::stages::slides::{register, select_records};
use crate::stages::whole_run::{WholeRunEnd, run_stages};
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
    let mut config = args.options.settle_unless(args.cluster.dry_run, &keys)?;
    let by_jobs = args.cluster.kind(&args.options, &config)? != SchedulerKind::Local;
    if by_jobs {
        args.engine.require_none_for_jobs()?;
    }
    args.engine.over(&mut config);
    if args.cluster.dry_run {
        let dry = SubmitOptions { given: &slides, ..SubmitOptions::default() };
        return cluster::submit(&args.options, &args.cluster, &dry).map(Exit::into);
    }
    let records = register(&run, &slides)?;
    let wanted = select_records(&records, &slides);
    warn_before_split(&run, &config, &wanted, &progress);
    if by_jobs {
        return cluster::submit(&args.options, &args.cluster, &SubmitOptions::default())
            .map(Exit::into);
    }
    let signals = catch_signals()?;
    let pool = args.threads.pool(config.config.predict.threads, &progress);
    let workers = Workers { pool: &pool, interrupt: signals.interrupt() };
    let ended =
        run_stages::<Failure>(&run, &mut config, &wanted, &workers, &print_path, &progress)?;
    let StageEnd { completion, undone } = match ended {
        WholeRunEnd::Interrupted(undone) => {
            return Ok(CommandEnd { kind: OutcomeKind::Interrupted, undone });
        }
        WholeRunEnd::NothingSplit(split) => return Ok(split.into()),
        WholeRunEnd::Ended(end) => end,
    };
    let studied = match &config.config.study.truth {
        Some(_) => study::study_run(run.root(), args.options.quiet)?,
        None => Exit::Done,
    };
    let end = CommandEnd::from(Exit::from(completion).worst(studied));
    Ok(CommandEnd { undone, ..end })
}
