//! Why named slides cannot be used.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::run_dir::SlidesError;

/// Named slides cannot be used.
#[derive(Debug, Error)]
pub(crate) enum InputsError {
    /// A file cannot be a slide of a run.
    #[error(transparent)]
    Slides(#[from] SlidesError),
    /// A path of the command line leads to nothing.
    #[error("{}: no such file or folder{}; check the path. Nothing was registered", path.display(), near.as_deref().map_or(String::new(), |near| format!(", did you mean {near}?")))]
    NotFound {
        /// The path.
        path: PathBuf,
        /// The most similar name in the same folder.
        near: Option<String>,
    },
    /// A folder cannot be read.
    #[error("{}: cannot list the folder: {source}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The folder has no slides.
    #[error("{}: no slides in this folder; expected files such as .svs, .tif, .ndpi, .mrxs", path.display())]
    EmptyFolder {
        /// The folder.
        path: PathBuf,
    },
    /// A list cannot be read.
    #[error("{}: cannot read the list of slides: {source}", path.display())]
    List {
        /// The list.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The list has no slides.
    #[error("{}: the list names no slides; expected one path per line", path.display())]
    EmptyList {
        /// The list.
        path: PathBuf,
    },
    /// The manifest is not a table of slides.
    #[error("{}: {problem}; expected a CSV table with the column slide and any of id, mpp, mask, truth, label, tissue_method, tissue_threshold", path.display())]
    Manifest {
        /// The table.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// The manifest names a slide twice.
    #[error("{}: the table has this slide twice", slide.display())]
    Twice {
        /// The slide.
        slide: PathBuf,
    },
    /// The manifest names a file of truth that is not there.
    #[error("{}: the truth of {slide} in the table, is no file; check the path. Nothing was registered", path.display())]
    NoTruth {
        /// The slide.
        slide: String,
        /// The path.
        path: PathBuf,
    },
    /// `--mpp` names a slide that the run does not have.
    #[error("--mpp {name}={mpp}: no slide of this run has that name")]
    UnknownMpp {
        /// The name.
        name: String,
        /// The resolution, um per level-0 px.
        mpp: f64,
    },
}
