//! Errors of a study.

use std::path::PathBuf;

use thiserror::Error;

use crate::chart::ChartError;
use crate::hdf5_file::FormatError;
use crate::run_dir::SlidesError;
use crate::staged::StageError;
use crate::study::detections_csv::CsvError;
use crate::truth::TruthError;

/// A reason why a study cannot be made.
#[derive(Debug, Error)]
pub(crate) enum StudyError {
    /// A heatmap or score file cannot be used.
    #[error(transparent)]
    Format(#[from] FormatError),
    /// A truth file cannot be used.
    #[error(transparent)]
    Truth(#[from] TruthError),
    /// A detections file cannot be written.
    #[error(transparent)]
    Csv(#[from] CsvError),
    /// A result cannot be written.
    #[error(transparent)]
    Write(#[from] StageError),
    /// The slides of a run cannot be read.
    #[error(transparent)]
    Slides(#[from] SlidesError),
    /// Some of the listed slides have no heatmap.
    #[error(
        "{}: {} of the {listed} listed slides have no heatmap: {}; stitch them, list only the slides to study with --slides, or leave them out with --allow-missing", run.display(), missing.len(), missing.join(", ")
    )]
    NoHeatmap {
        /// The run.
        run: PathBuf,
        /// Number of slides listed.
        listed: usize,
        /// Names of the slides without a heatmap.
        missing: Vec<String>,
    },
    /// The requested stride is not a multiple of the heatmap's stride.
    #[error(
        "{}: the heatmaps have stride {found} and can be studied at multiples of {found}, not at {stride}; give other --strides, or --rerun", run.display()
    )]
    Stride {
        /// The run.
        run: PathBuf,
        /// The heatmaps' stride, working px.
        found: u32,
        /// The requested stride, working px.
        stride: u32,
    },
    /// A problem with one slide.
    #[error("{slide}: {problem}")]
    Slide {
        /// The slide.
        slide: String,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// A problem with the study as a whole.
    #[error("{problem}")]
    Study {
        /// What is wrong, and what to do.
        problem: String,
    },
    /// A chart cannot be drawn.
    #[error(transparent)]
    Chart(#[from] ChartError),
}
