//! `slidegrid redo`

use std::collections::HashSet;
use std::path::PathBuf;

use clap::Args;

use super::options::{EngineOptions, ThreadOptions, catch_signals};
use super::output::print_path;
use super::{CommandEnd, Exit, Failure};
use crate::config::{Method, RunConfig};
use crate::jobs::lookup::Lookup;
use crate::jobs::scheduler::System;
use crate::jobs::state::RunState;
use crate::jobs::submitted::read_submitted;
use crate::progress::Progress;
use crate::run_dir::{self, RunDir, SlideRecord};
use crate::split::Extent;
use crate::staged;
use crate::stages::plan::plan;
use crate::stages::predict::{groups_where, predict_all};
use crate::stages::split::split_all;
use crate::stages::stitch::{StitchOptions, stitch_all};
use crate::stages::{Completion, StageEnd, StagesError, redo};
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
    let mut lookup = Lookup::read(&run)?;
    if let Some(name) = args.names.iter().find(|name| lookup.of_slide(name).is_none()) {
        let problem = format!("no slide {name} with groups");
        return Err(StagesError::NoSlide { run: run.root().to_owned(), problem }.into());
    }
    let records = run_dir::list_slides(&run).map_err(StagesError::from)?;
    let is_named = |record: &&SlideRecord| args.names.contains(&record.name);
    let again: Vec<&SlideRecord> = records
        .iter()
        .filter(is_named)
        .filter(|record| args.split || record.change(&record.path).is_some())
        .collect();
    refuse_queued(&run, &args.names, !again.is_empty())?;
    redo::set_method(&run, &mut config, &args.names, args.method)?;
    for name in &args.names {
        redo::remove_results(&run, name)?;
    }
    for record in &again {
        redo::remove_patches(&run, &record.name)?;
        progress.note(&format!("redo: {} is split again", record.name));
    }
    if staged::is_there(&run.study())? {
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
    let pool = args.threads.pool(config.config.predict.threads, &progress);
    let signals = catch_signals()?;
    let workers = Workers { pool: &pool, interrupt: signals.interrupt() };
    let mut planned = Completion::Done;
    if !again.is_empty() {
        let split = split_all(&run, &config, &again, Extent::Patches, &workers, &progress)?;
        run_dir::refresh_slides(&run).map_err(StagesError::from)?;
        (lookup, planned) = plan(&run, &progress)?;
        if split.completion == Completion::Failed {
            return Ok(split.into());
        }
    }
    let names: HashSet<&str> = args.names.iter().map(String::as_str).collect();
    let groups = groups_where(&lookup, &|name| names.contains(name));
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
    Ok(StageEnd::from(planned).and(predicted).and(stitched).into())
}

/// Refuses to touch what queued or running tasks use: those of the slides `names`, or with
/// `any` those of the whole run.
fn refuse_queued(run: &RunDir, names: &[String], any: bool) -> Result<(), Failure> {
    let state = RunState::read(run, &read_submitted(run)?, &System::BRIEF, false)?;
    if let Some(error) = state.queue_errors().next() {
        let problem = format!("{error}; tasks may be queued: nothing is removed");
        return Err(Failure::new(Exit::Input, problem));
    }
    let live = state.live_items();
    let mut live = live.iter().filter(|item| any || names.iter().any(|n| n == item.slide()));
    let Some(first) = live.next() else { return Ok(()) };
    let others = live.count();
    let problem = format!(
        "{}: {} {} is queued or running{}; wait for it or cancel it, then run the same command again",
        run.root().display(),
        first.stage().name(),
        first.slide(),
        if others > 0 { format!(", and {others} more") } else { String::new() },
    );
    Err(Failure::new(Exit::Input, problem))
}
