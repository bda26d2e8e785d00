//! Removes what a run has of a slide, unless tasks use it.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::error::StagesError;
use crate::damage;
use crate::export::ExportFormat;
use crate::jobs::scheduler::System;
use crate::jobs::state::RunState;
use crate::jobs::state_error::StateError;
use crate::jobs::submitted::read_submitted;
use crate::jobs::work::WorkItem;
use crate::run_dir::{self, RunDir};
use crate::split::forget_deaths;

/// The results of slides cannot be removed.
#[derive(Debug, Error)]
pub(crate) enum RemovalError {
    /// The run does not have the slides, or a file cannot be removed or written.
    #[error(transparent)]
    Stages(#[from] StagesError),
    /// What is queued or running cannot be read.
    #[error(transparent)]
    State(#[from] StateError),
    /// A scheduler cannot be asked.
    #[error("{problem}; tasks may be queued: nothing is removed")]
    Queue {
        /// Why not.
        problem: String,
    },
    /// Tasks use what would be removed.
    #[error("{}: {live} is queued or running{others}; wait for it or cancel it, then run the same command again", run.display())]
    Live {
        /// The run directory.
        run: PathBuf,
        /// Stage and slide of the first task.
        live: String,
        /// The number of others, if there are any.
        others: String,
    },
}

/// Refuses to touch what queued or running tasks use: those of the slides `names`, and others that
/// `also` is true for.
pub(super) fn refuse_queued(
    run: &RunDir,
    names: &[String],
    also: &dyn Fn(&WorkItem) -> bool,
) -> Result<(), RemovalError> {
    let submitted = read_submitted(run).map_err(StateError::from)?;
    let state = RunState::read(run, &submitted, &System::BRIEF, false)?;
    if let Some(error) = state.queue_errors().next() {
        return Err(RemovalError::Queue { problem: error.to_string() });
    }
    let live = state.live_items();
    let is_named = |item: &WorkItem| item.slide().is_some_and(|s| names.iter().any(|n| n == s));
    let mut live = live.iter().filter(|item| is_named(item) || also(item));
    let Some(first) = live.next() else { return Ok(()) };
    let others = match live.count() {
        0 => String::new(),
        others => format!(", and {others} more"),
    };
    let stage = first.stage().name();
    let live = first.slide().map_or(stage.to_owned(), |slide| format!("{stage} {slide}"));
    Err(RemovalError::Live { run: run.root().to_owned(), live, others })
}

/// Removes the scores of a slide and all files made from them. The heatmap goes first, because
/// its existence means that the slide is complete.
///
/// # Errors
/// [`StagesError::Remove`] if a file or folder stays.
pub(super) fn remove_results(run: &RunDir, name: &str) -> Result<(), StagesError> {
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
        remove_path(&path)?;
    }
    damage::clear(&run.heatmap(name, "h5"));
    Ok(run_dir::forget_files(run, name, "heatmaps/")?)
}

/// Removes the patches of a slide and what is known of its split.
///
/// # Errors
/// [`StagesError::Remove`] if a file stays.
pub(super) fn remove_patches(run: &RunDir, name: &str) -> Result<(), StagesError> {
    let files =
        [run.patches(name), run.split_outcome(name), run.mask_png(name), run.recorded(name)];
    files.iter().try_for_each(|file| remove_path(file))?;
    damage::clear(&run.patches(name));
    forget_deaths(run, name)
        .map_err(|source| StagesError::Remove { path: run.split_markers(), source })
}

/// Removes a file or folder if it exists.
pub(super) fn remove_path(path: &Path) -> Result<(), StagesError> {
    let removed = match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(source) if source.kind() != ErrorKind::NotFound => {
            Err(StagesError::Remove { path: path.to_owned(), source })
        }
        _ => Ok(()),
    }
}
