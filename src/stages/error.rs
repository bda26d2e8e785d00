//! What stops a stage.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::config::ConfigError;
use crate::damage::SetAside;
use crate::jobs::lookup::LookupError;
use crate::number::{NumberError, TaskNumber};
use crate::run_dir::SlidesError;
use crate::split::SplitError;
use crate::staged::StageError;

/// A stage cannot be done, or not be finished.
#[derive(Debug, Error)]
pub(crate) enum StagesError {
    /// The configuration cannot be used or written.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The table of slides cannot be used.
    #[error(transparent)]
    Slides(#[from] SlidesError),
    /// A slide's outcome cannot be recorded.
    #[error(transparent)]
    Split(#[from] SplitError),
    /// The table of tasks cannot be made.
    #[error(transparent)]
    Lookup(#[from] LookupError),
    /// The run has more groups than there are numbers for tasks.
    #[error(transparent)]
    Number(#[from] NumberError),
    /// The patches of a slide were damaged, and set aside.
    #[error(transparent)]
    Damaged(#[from] SetAside),
    /// A record cannot be written.
    #[error(transparent)]
    Write(#[from] StageError),
    /// There is nothing to work on.
    #[error("{}: this run has no slides yet; name some: files, folders or .txt lists", run.display())]
    NoSlides {
        /// The run directory.
        run: PathBuf,
    },
    /// The task is not in the table of slides.
    #[error("{}: --task {task} is out of range: the run has {slides} slides, numbered from 1", table.display())]
    NoTask {
        /// The table of slides.
        table: PathBuf,
        /// The task.
        task: TaskNumber,
        /// Number of rows.
        slides: usize,
    },
    /// The run does not have the slide, or the slide has no groups.
    #[error("{}: {problem}; `slidegrid status` lists the slides", run.display())]
    NoSlide {
        /// The run directory.
        run: PathBuf,
        /// Which slide, and what it lacks.
        problem: String,
    },
    /// The run has scores, which a fit over the slides would not belong to.
    #[error("{}: this run has scores already, which a fit would no longer belong to; use another run directory, or delete {}/scores", run.display(), run.display())]
    HasScores {
        /// The run directory.
        run: PathBuf,
    },
    /// The run has no files to export.
    #[error("{}: no .h5 files to export here; `slidegrid status` shows what the run has", folder.display())]
    NothingToExport {
        /// The folder of such files.
        folder: PathBuf,
    },
    /// The slide has no patches.
    #[error("{}: {slide} has no patches to stitch: {reason}", run.display())]
    NoPatches {
        /// The run directory.
        run: PathBuf,
        /// The slide.
        slide: String,
        /// Why, or what to do.
        reason: String,
    },
    /// The method is not allowed for single slides.
    #[error(
        "--method {method}: expected window, or {of_run}, the method of the run; for another method use another run directory"
    )]
    SlideMethod {
        /// The requested method.
        method: &'static str,
        /// The method of the run.
        of_run: &'static str,
    },
    /// A file or folder could not be removed.
    #[error("{}: cannot be removed: {source}; remove it, then run the same command again", path.display())]
    Remove {
        /// The file or folder.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
}
