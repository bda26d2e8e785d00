//! The request for a study: runs, truth, slides and rules.

use super::error::StudyError;
use crate::config::{Config, ConfigError, RunConfig, StudyKeys};
use crate::geometry::CoordinateOrigin;
use crate::run_dir::{RunDir, SlideRecord, list_slides};
use crate::staged;
use crate::truth::{SlideKind, TruthSources};

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

/// Default strides as multiples of the run's stride. With the paper's stride of 16 they are the
/// paper's strides.
const MULTIPLES: [u32; 4] = [1, 4, 8, 14];

/// The strides to study, working px, the finest first: those that were `given`, or else those of
/// the configuration, or else the default ones.
pub(crate) fn study_strides(given: &[u32], config: &Config) -> Vec<u32> {
    let mut strides = match (given, config.study.strides.as_slice()) {
        ([], []) => MULTIPLES.map(|factor| factor * config.predict.stride).to_vec(),
        ([], configured) => configured.to_vec(),
        (given, _) => given.to_vec(),
    };
    strides.sort_unstable();
    strides.dedup();
    strides
}

impl HeatmapSource {
    /// A run to compare with. Its strides are those of `strides` that are multiples of its own
    /// stride, or else that one.
    ///
    /// # Errors
    /// [`ConfigError`] if there is no such run, or its configuration is invalid.
    pub(crate) fn compared(name: &str, run: RunDir, strides: &[u32]) -> Result<Self, ConfigError> {
        let found = RunConfig::read(run.root())?.config.predict.stride;
        let multiples: Vec<u32> =
            strides.iter().copied().filter(|stride| stride.is_multiple_of(found)).collect();
        let strides = if multiples.is_empty() { vec![found] } else { multiples };
        Ok(Self { name: name.to_owned(), run, strides })
    }
}

/// What a study compares, and by which rules.
#[derive(Debug, Clone)]
pub(crate) struct StudyRequest {
    /// The studied run, followed by the runs it is compared with.
    pub sources: Vec<HeatmapSource>,
    /// Where the truth is.
    pub truth: TruthSources,
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

/// The slides of a run; none for a folder that holds heatmaps alone.
///
/// # Errors
/// [`StudyError`] if the slides cannot be read.
pub(super) fn records_of(run: &RunDir) -> Result<Vec<SlideRecord>, StudyError> {
    let is_run =
        staged::is_there(&run.slides_csv())? || staged::has_entries(&run.patches_folder())?;
    Ok(if is_run { list_slides(run)? } else { Vec::new() })
}
