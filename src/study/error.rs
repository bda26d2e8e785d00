//! What can stop a study.

use std::path::PathBuf;

use thiserror::Error;

use crate::chart::ChartError;
use crate::hdf5_file::FormatError;
use crate::staged::StageError;
use crate::study::detections_csv::CsvError;
use crate::truth::TruthError;

/// A study cannot be made, and what to do.
#[derive(Debug, Error)]
pub enum StudyError {
    /// A heatmap or score file cannot be used.
    #[error(transparent)]
    Format(#[from] FormatError),
    /// Truth cannot be used.
    #[error(transparent)]
    Truth(#[from] TruthError),
    /// A detections file cannot be written.
    #[error(transparent)]
    Csv(#[from] CsvError),
    /// A result cannot be written.
    #[error(transparent)]
    Write(#[from] StageError),
    /// A listed slide has no heatmap.
    #[error(
        "{}: {} of the {listed} listed slides have no heatmap: {}; stitch them, list only the slides to study with --slides, or leave them out with --allow-missing", run.display(), missing.len(), missing.join(", ")
    )]
    NoHeatmap {
        /// The run.
        run: PathBuf,
        /// Slides listed.
        listed: usize,
        /// Those without.
        missing: Vec<String>,
    },
    /// A stride that the heatmap does not hold.
    #[error(
        "{}: heatmaps of stride {found} hold strides that are multiples of it, not {stride}; give other --strides, or --rerun", run.display()
    )]
    Stride {
        /// The run.
        run: PathBuf,
        /// The run's.
        found: u32,
        /// The one asked for.
        stride: u32,
    },
    /// Something about one slide.
    #[error("{slide}: {problem}")]
    Slide {
        /// The slide.
        slide: String,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// The whole has no answer.
    #[error("{problem}")]
    Study {
        /// What is wrong, and what to do.
        problem: String,
    },
    /// A chart could not be drawn.
    #[error(transparent)]
    Chart(#[from] ChartError),
}
