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

/// Score slides afresh, and make their heatmaps anew.
///
/// Removes the scores and heatmaps of these slides, then scores and stitches them. With
/// --method window the run keeps in mind that they are done window by window, whatever
/// its own method is; without it they are done by the run's method again. Patches are
/// kept. Not while tasks of these slides are running.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  slidegrid redo --run run tumor_001 --method window
                                   a slide whose cascade missed something
  slidegrid redo --run run tumor_001 tumor_002
                                   by the run's own method, once more
  slidegrid redo --run run tumor_001 --method window --later
  slidegrid master retry --run run --scheduler slurm
                                   the same, on a cluster")]
pub(crate) struct RedoArgs {
    /// Run directory.
    #[arg(long, value_name = "DIR")]
    run: PathBuf,

    /// The slides, by the names that `slidegrid status` lists.
    #[arg(value_name = "NAME", required = true)]
    names: Vec<String>,

    /// window: one network run a window, exactly what the network gives; default: the
    /// run's method.
    #[arg(long, value_name = "METHOD")]
    method: Option<Method>,

    /// Remove what there is of them, and leave the rest to the next `slidegrid run`,
    /// `predict` or `master retry`.
    #[arg(long)]
    later: bool,

    /// No progress, only warnings and errors.
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
            "note: the study and exports to other folders are of before; make them again when the slides are done",
        );
    }
    if args.later {
        let them = args.names.join(", ");
        progress.note(&format!(
            "redo: nothing is left of {them}; `slidegrid run` or `master retry` does what is missing"
        ));
        return Ok(Exit::Done);
    }
    args.engine.over(&mut config);
    let names: HashSet<&str> = args.names.iter().map(String::as_str).collect();
    let groups = groups_where(&lookup, &|name| names.contains(name));
    let predicted = predict_all(&run, &config, &groups, &args.threads, &progress)?;
    if predicted == Exit::Input {
        return Ok(predicted);
    }
    Ok(predicted.and(stitch_all(&run, &config, &args.names, false, &progress)?))
}

/// Writes into the run by which method the slides are done. That comes before anything
/// is removed: what is left of another method is refused then, and never mixed.
fn settle(run: &RunDir, config: &mut RunConfig, args: &RedoArgs) -> Result<(), Failure> {
    let of_run = config.config.predict.method;
    let method = args.method.unwrap_or(of_run);
    if method != of_run && method != Method::Window {
        let problem = format!(
            "--method {}: expected window, or {} as the run's configuration says; for another method use another run directory",
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

/// Removes the scores of a slide and what was made of them, the heatmap first: that it
/// is there says that all of it is.
fn clear(run: &RunDir, name: &str) -> Result<(), Failure> {
    let folder = run.heatmaps();
    let pictures = ["h5", "png", "npy"].map(|suffix| run.heatmap(name, suffix));
    let exports = ExportFormat::ALL.map(|format| format.path(&folder, name));
    let others = [
        // Tiles of a DeepZoom export.
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

/// Removes a file or folder, where there is one.
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
