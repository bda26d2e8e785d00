//! `slidegrid redo`

use std::path::PathBuf;

use clap::Args;

use super::options::{EngineOptions, ThreadOptions, catch_signals};
use super::output::print_path;
use super::{CommandEnd, Exit, Failure};
use crate::config::{Method, RunConfig};
use crate::progress::Progress;
use crate::run_dir::RunDir;
use crate::stages::redo::{self, RedoRequest};
use crate::threads::Workers;

/// Remove the scores and heatmaps of slides and make them again.
///
/// A slide whose file has changed since it was split is split again; --split does so for any
/// slide. Other slides keep their patches. With --method window, the slides get that method,
/// and the run remembers it; otherwise they get the run's method. The command is refused while
/// tasks of these slides are queued or running; if a slide has to be split, while any task of
/// the run is.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  slidegrid redo --run run tumor_001 --method window
                                   exact scores for a slide whose audit does not hold
  slidegrid redo --run run tumor_001 tumor_002
                                   the run's own method again
  slidegrid redo --run run tumor_001 --method window --later
  slidegrid master retry --run run --scheduler slurm
                                   the same on a cluster")]
pub(crate) struct RedoArgs {
    /// Run directory.
    #[arg(long, value_name = "DIR")]
    run: PathBuf,

    /// Names of the slides, as `slidegrid status` lists them.
    #[arg(value_name = "NAME", required = true)]
    names: Vec<String>,

    /// Method for these slides: window (exact scores, one network run per window) or the
    /// run's method [default: the run's method].
    #[arg(long, value_name = "METHOD")]
    method: Option<Method>,

    /// Split the slides again, even if their files have not changed.
    #[arg(long)]
    split: bool,

    /// Only remove the scores and heatmaps. The next `slidegrid run`, `predict` or
    /// `master retry` makes them.
    #[arg(long)]
    later: bool,

    /// Print no progress, only warnings and errors.
    #[arg(long, short)]
    quiet: bool,

    #[command(flatten)]
    threads: ThreadOptions,

    #[command(flatten)]
    engine: EngineOptions,
}

pub(super) fn run(args: &RedoArgs) -> Result<CommandEnd, Failure> {
    let (run, progress) = (RunDir::new(&args.run), Progress::on_stderr(args.quiet));
    let mut config = RunConfig::read(&args.run)?;
    let request = RedoRequest { names: &args.names, method: args.method, split: args.split };
    let split_again = redo::remove(&run, &mut config, &request, &progress)?;
    if args.later {
        let names = args.names.join(", ");
        progress.note(&format!(
            "redo: removed the scores and heatmaps of {names}; `slidegrid run` or `master retry` makes them again"
        ));
        return Ok(Exit::Done.into());
    }
    args.engine.over(&mut config);
    let pool = args.threads.pool(config.config.predict.threads, &progress);
    let signals = catch_signals()?;
    let workers = Workers { pool: &pool, interrupt: signals.interrupt() };
    let end = redo::make_again::<Failure>(
        &run,
        &config,
        &args.names,
        &split_again,
        &workers,
        &print_path,
        &progress,
    )?;
    Ok(end.into())
}
