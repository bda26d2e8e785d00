//! Errors of stitching.

use std::path::PathBuf;

use thiserror::Error;

use crate::damage::SetAside;
use crate::export::ExportError;
use crate::export::npy::NpyError;
use crate::export::png::PngError;
use crate::hdf5_file::FormatError;
use crate::heatmap::{HeatmapError, RenderError};
use crate::model::ModelError;
use crate::number::{GroupNumber, ranges};
use crate::staged::StageError;

/// A reason why a heatmap cannot be made.
#[derive(Debug, Error)]
pub(crate) enum StitchError {
    /// Some groups have no scores.
    #[error("{slide}: {} of {groups} groups have no scores: {}; run `slidegrid predict` for them, or stitch with --allow-missing", missing.len(), ranges(missing))]
    Missing {
        /// The slide.
        slide: String,
        /// Number of groups of the slide.
        groups: u32,
        /// Numbers of the groups without scores.
        missing: Vec<GroupNumber>,
    },
    /// A score file or heatmap was made with another slide, stride, window or configuration.
    #[error("{}: {what} is {found}, expected {expected}; delete the file and run `slidegrid predict` again", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What differs.
        what: &'static str,
        /// The value in the file.
        found: String,
        /// The value of the run.
        expected: String,
    },
    /// A score file or heatmap was made by another method than the run uses for the slide.
    #[error("{}: its method is {found}, expected {expected}, the run's method for this slide; `slidegrid redo` makes the scores of a slide and all that depends on them again", path.display())]
    OtherMethod {
        /// The file.
        path: PathBuf,
        /// The method in the file.
        found: String,
        /// The run's method for the slide.
        expected: &'static str,
    },
    /// Scores lie outside the slide's lattice.
    #[error("{}: {source}", path.display())]
    Assemble {
        /// The score file.
        path: PathBuf,
        /// What is wrong.
        source: HeatmapError,
    },
    /// A file cannot be read or written.
    #[error(transparent)]
    Format(#[from] FormatError),
    /// Patches or scores are damaged, and were set aside.
    #[error("{first}{}", match others { 0 => String::new(), n => format!(" (and {n} more score files of the slide)") })]
    Damaged {
        /// The first such file.
        first: SetAside,
        /// Number of further score files.
        others: usize,
    },
    /// The model card was edited since the run was made.
    #[error("{}: the model card has changed since the run was made; restore the old card, or use another run directory", path.display())]
    OtherCard {
        /// The card.
        path: PathBuf,
    },
    /// The model card cannot be read.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The heatmap's picture cannot be drawn.
    #[error("{slide}: {source}")]
    Render {
        /// The slide.
        slide: String,
        /// Why.
        source: RenderError,
    },
    /// An export cannot be made.
    #[error(transparent)]
    Export(#[from] ExportError),
    /// A result cannot be written.
    #[error(transparent)]
    Stage(#[from] StageError),
    /// The NumPy file cannot be written.
    #[error(transparent)]
    Npy(#[from] NpyError),
    /// The PNG file cannot be written.
    #[error(transparent)]
    Picture(#[from] PngError),
}

impl StitchError {
    pub(super) fn other_method(path: PathBuf, found: &str, expected: &'static str) -> Self {
        Self::OtherMethod { path, found: found.to_owned(), expected }
    }
}
