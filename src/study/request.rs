//! The request for a study: runs, truth, slides and rules.

use std::path::PathBuf;

use crate::config::StudyKeys;
use crate::geometry::CoordinateOrigin;
use crate::run_dir::RunDir;
use crate::truth::SlideKind;

/// A run whose heatmaps are studied.
#[derive(Debug, Clone)]
pub(crate) struct HeatmapSource {
    /// Name of the source in tables and charts.
    pub name: String,
    /// The run.
    pub run: RunDir,
    /// Strides to study, working px, the finest first; each a multiple of the run's stride.
    pub strides: Vec<u32>,
}

/// What a study compares, and by which rules.
#[derive(Debug, Clone)]
pub(crate) struct StudyRequest {
    /// The studied run, followed by the runs it is compared with.
    pub sources: Vec<HeatmapSource>,
    /// Folder with the truth.
    pub truth: PathBuf,
    /// The slides of the study.
    pub slides: Vec<SlideKind>,
    /// Whether slides without a heatmap are left out; otherwise they are an error.
    pub allow_missing: bool,
    /// Resolution of slides that do not state theirs, um per level-0 px.
    pub mpp: Option<f64>,
    /// Where files of truth begin to count that leave this open.
    pub origin: CoordinateOrigin,
    /// `[study]` of the configuration.
    pub keys: StudyKeys,
}
