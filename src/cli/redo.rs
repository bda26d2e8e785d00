//! `slidegrid redo`

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use clap::Args;

use super::options::{EngineOptions, ThreadOptions};
use super::predict::{groups_where, predict_all};
use super::stitch::stitch_all;
use super::{Exit, Failure};
use crate::config::{Method, RunConfig};
use crate::export::ExportFormat;
use crate::jobs::lookup::Lookup;
use crate::progress::Progress;
use crate::run_dir::RunDir;

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

pub(super) fn run(args: &RedoArgs) -> Result<Exit, Failure> {
    let (run, progress) = (RunDir::new(&args.run), Progress::on_stderr(args.quiet));
    let mut config = RunConfig::read(&args.run)?;
    let lookup = Lookup::read(&run)?;
    if let Some(name) = args.names.iter().find(|name| lookup.of_slide(name).is_none()) {
        let problem = format!(
            "{}: no slide {name} with groups; `slidegrid status` lists the slides",
            run.root().display()
        );
        return Err(Failure::new(Exit::Usage, problem));
    }
    settle(&run, &mut config, args)?;
    for name in &args.names {
        clear(&run, name)?;
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
        return Ok(Exit::Done);
    }
    args.engine.over(&mut config);
    let names: HashSet<&str> = args.names.iter().map(String::as_str).collect();
    let groups = groups_where(&lookup, &|name| names.contains(name));
    let pool = args.threads.pool(config.config.predict.threads, &progress);
    let predicted = predict_all(&run, &config, &groups, &pool, &progress)?;
    if predicted == Exit::Input {
        return Ok(predicted);
    }
    Ok(predicted.worst(stitch_all(&run, &config, &args.names, false, &progress)?))
}

/// Writes the method of the slides into the run. This happens before anything is removed, so
/// that remaining scores of another method are rejected and never mixed with new ones.
fn settle(run: &RunDir, config: &mut RunConfig, args: &RedoArgs) -> Result<(), Failure> {
    let of_run = config.config.predict.method;
    let method = args.method.unwrap_or(of_run);
    if method != of_run && method != Method::Window {
        let problem = format!(
            "--method {}: expected window, or {}, the method of the run; for another method use another run directory",
            method.name(),
            of_run.name()
        );
        return Err(Failure::new(Exit::Configuration, problem));
    }
    let before: BTreeMap<String, Method> = config.config.slides.method_of.clone();
    let method_of = &mut config.config.slides.method_of;
    for name in &args.names {
        if method == of_run {
            method_of.remove(name);
        } else {
            method_of.insert(name.clone(), method);
        }
    }
    if *method_of != before {
        config.write(run.root())?;
    }
    Ok(())
}

/// Removes the scores of a slide and all files made from them. The heatmap goes first, because
/// its existence means that the slide is complete.
fn clear(run: &RunDir, name: &str) -> Result<(), Failure> {
    let folder = run.heatmaps();
    let pictures = ["h5", "png", "npy"].map(|suffix| run.heatmap(name, suffix));
    let exports = ExportFormat::ALL.map(|format| format.path(&folder, name));
    let others = [
        // The folder with the tiles of a DeepZoom export.
        folder.join(format!("{name}_files")),
        run.scores_of(name),
        run.failure("stitch", name),
        run.stitch_record(name),
    ];
    for path in pictures.into_iter().chain(exports).chain(others) {
        remove(&path)?;
    }
    Ok(())
}

/// Removes a file or folder if it exists.
fn remove(path: &Path) -> Result<(), Failure> {
    let removed = match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            let path = path.display();
            let problem = format!(
                "{path}: cannot be removed: {error}; remove it, then run the same command again"
            );
            Err(Failure::new(Exit::Input, problem))
        }
        _ => Ok(()),
    }
}
