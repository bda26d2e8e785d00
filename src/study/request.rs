//! What is to be studied.

use std::path::PathBuf;

use crate::config::StudyKeys;
use crate::run_dir::RunDir;
use crate::truth::SlideKind;

/// A run to take heatmaps from.
#[derive(Debug, Clone)]
pub struct HeatmapSource {
    /// What its rows are called.
    pub name: String,
    /// The run.
    pub run: RunDir,
    /// Strides to look at, each a multiple of the run's.
    pub strides: Vec<u32>,
}

/// What is to be studied.
#[derive(Debug, Clone)]
pub struct StudyRequest {
    /// The run in question first, then those beside it.
    pub sources: Vec<HeatmapSource>,
    /// Folder of truth.
    pub truth: PathBuf,
    /// The slides that count.
    pub slides: Vec<SlideKind>,
    /// Leave out slides without a heatmap instead of refusing.
    pub allow_missing: bool,
    /// Resolution of slides that do not state theirs, um per level-0 px.
    pub mpp: Option<f64>,
    /// `[study]`.
    pub keys: StudyKeys,
}
