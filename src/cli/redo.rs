//! `slidegrid redo`

use std::collections::HashSet;
use std::path::PathBuf;

use clap::Args;

use super::options::{EngineOptions, ThreadOptions, catch_signals};
use super::output::print_path;
use super::{CommandEnd, Exit, Failure};
use crate::config::{Method, RunConfig};
use crate::jobs::lookup::Lookup;
use crate::progress::Progress;
use crate::run_dir::RunDir;
use crate::stages::predict::{groups_where, predict_all};
use crate::stages::stitch::{StitchOptions, stitch_all};
use crate::stages::{Completion, StagesError, redo};
use crate::threads::Workers;

/// Remove the scores and heatmaps of slides and make them again.
///
/// With --method window the slides get the method window, which the run remembers, whatever
/// its own method is; without it they get the run's method again. Patches are kept. Do not
/// use this command while tasks of these slides are running.
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
    let lookup = Lookup::read(&run)?;
    if let Some(name) = args.names.iter().find(|name| lookup.of_slide(name).is_none()) {
        let problem = format!("no slide {name} with groups");
        return Err(StagesError::NoSlide { run: run.root().to_owned(), problem }.into());
    }
    redo::set_method(&run, &mut config, &args.names, args.method)?;
    for name in &args.names {
        redo::remove_results(&run, name)?;
    }
    if run.study().exists() {
        progress.note(
            "note: the study, and exports to other folders, still show the old scores; make them again when the slides are done",
        );
    }
    if args.later {
        let names = args.names.join(", ");
        progress.note(&format!(
            "redo: removed the scores and heatmaps of {names}; `slidegrid run` or `master retry` makes them again"
        ));
        return Ok(Exit::Done.into());
    }
    args.engine.over(&mut config);
    let names: HashSet<&str> = args.names.iter().map(String::as_str).collect();
    let groups = groups_where(&lookup, &|name| names.contains(name));
    let pool = args.threads.pool(config.config.predict.threads, &progress);
    let signals = catch_signals()?;
    let workers = Workers { pool: &pool, interrupt: signals.interrupt() };
    let predicted = predict_all(&run, &config, &groups, &workers, &progress)?;
    if predicted.completion == Completion::Failed {
        return Ok(predicted.into());
    }
    let options = StitchOptions {
        allow_missing: false,
        interrupt: signals.interrupt(),
        on_file: &print_path,
    };
    let stitched = stitch_all(&run, &config, &args.names, &options, &progress)?;
    Ok(predicted.and(stitched).into())
}
