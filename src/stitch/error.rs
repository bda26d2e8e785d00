//! Why a heatmap could not be made.

use std::path::PathBuf;

use thiserror::Error;

use crate::export::ExportError;
use crate::export::npy::NpyError;
use crate::export::png::PngError;
use crate::hdf5_file::FormatError;
use crate::heatmap::{HeatmapError, RenderError};
use crate::model::ModelError;
use crate::number::{GroupNumber, ranges};
use crate::staged::StageError;

/// Why a heatmap could not be made.
#[derive(Debug, Error)]
pub enum StitchError {
    /// Groups without scores.
    #[error("{slide}: {} of {groups} groups have no scores: {}; run `slidegrid predict` for them, or stitch with --allow-missing", missing.len(), ranges(missing))]
    Missing {
        /// The slide.
        slide: String,
        /// How many groups it has.
        groups: u32,
        /// Those without scores.
        missing: Vec<GroupNumber>,
    },
    /// Scores of another slide, stride, model or configuration.
    #[error("{}: {what} is {found}, expected {expected}; delete the file and run `slidegrid predict` again", path.display())]
    Foreign {
        /// The score file.
        path: PathBuf,
        /// What disagrees.
        what: &'static str,
        /// In the file.
        found: String,
        /// In the run.
        expected: String,
    },
    /// Of a slide that the run says is done by another method.
    #[error("{}: it is of method {found}, expected {expected}, as the run says of this slide; `slidegrid redo` does a slide afresh, with all that follows", path.display())]
    OtherMethod {
        /// The file.
        path: PathBuf,
        /// Its method.
        found: String,
        /// The slide's.
        expected: &'static str,
    },
    /// Scores that do not fit the lattice.
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
    /// The model card was edited since the run was made.
    #[error("{}: the model card says something else than when the run was made; put the old card back, or use another run directory", path.display())]
    OtherCard {
        /// The card.
        path: PathBuf,
    },
    /// The model card cannot be read.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The picture cannot be drawn.
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
    /// The heatmap cannot be written.
    #[error(transparent)]
    Stage(#[from] StageError),
    /// The array cannot be written.
    #[error(transparent)]
    Npy(#[from] NpyError),
    /// The picture cannot be written.
    #[error(transparent)]
    Picture(#[from] PngError),
}
