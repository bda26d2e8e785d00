//! Times a few groups and estimates what the rest of a run takes.

use std::path::PathBuf;
use std::time::Instant;

use thiserror::Error;

use super::predict::{PredictStageError, SlideGroup, all_groups, select_engine};
use crate::config::RunConfig;
use crate::geometry::Lattice;
use crate::hdf5_file::FormatError;
use crate::jobs::estimate::{
    Estimate, SlideWork, Terms, Timed, estimate, points_in_tissue, sample,
};
use crate::jobs::lookup::{Lookup, LookupError};
use crate::number::GroupNumber;
use crate::patches::PatchesFile;
use crate::predict::{GroupOutcome, Predictor};
use crate::progress::Progress;
use crate::run_dir::RunDir;
use crate::scores;
use crate::staged;
use crate::threads::Workers;

/// A run cannot be estimated.
#[derive(Debug, Error)]
pub(crate) enum EstimateError {
    /// The table of tasks cannot be used.
    #[error(transparent)]
    Lookup(#[from] LookupError),
    /// A group cannot be scored.
    #[error(transparent)]
    Predict(#[from] PredictStageError),
    /// A file of patches or scores cannot be used.
    #[error(transparent)]
    Format(#[from] FormatError),
    /// The run has no groups.
    #[error("{}: no groups; nothing to estimate", table.display())]
    NoGroups {
        /// The table of tasks.
        table: PathBuf,
    },
    /// No group has a point to score.
    #[error("no timed group has a window to score; give more with --groups")]
    NoWindows,
}

/// What to time, and the terms of the estimate.
pub(crate) struct EstimateTerms {
    /// Number of groups to time.
    pub(crate) groups: usize,
    /// Cores to plan for; those of a task if fewer or none are given.
    pub(crate) cores: Option<usize>,
    /// Price of a core-hour.
    pub(crate) price: Option<f64>,
}

/// An estimate and the figures behind it.
#[derive(serde::Serialize)]
pub(crate) struct EstimateReport {
    pub(crate) timed: Vec<Timed>,
    slides: Vec<SlideWork>,
    #[serde(flatten)]
    pub(crate) estimate: Estimate,
    pub(crate) cores: usize,
    pub(crate) cores_per_task: usize,
    pub(crate) start_s: f64,
    pub(crate) disk: Disk,
}

/// Bytes of a finished run.
#[derive(Default, serde::Serialize)]
pub(crate) struct Disk {
    pub(crate) patches_bytes: u64,
    pub(crate) scores_bytes: u64,
    pub(crate) heatmaps_bytes: u64,
}

/// Times groups and estimates the rest; `None` if a signal ended the timing.
///
/// # Errors
/// [`EstimateError`] if the run has no groups, or one cannot be scored.
pub(crate) fn estimate_run(
    run: &RunDir,
    config: &RunConfig,
    wanted: &EstimateTerms,
    workers: &Workers<'_>,
    progress: &Progress,
) -> Result<Option<EstimateReport>, EstimateError> {
    let lookup = Lookup::read(run)?;
    let groups = groups_to_time(run, &lookup, wanted.groups)?;
    if groups.is_empty() {
        return Err(EstimateError::NoGroups { table: run.lookup_csv() });
    }
    let &Workers { pool, interrupt } = workers;
    let threads = pool.current_num_threads();
    let engine = select_engine(config, progress).map_err(PredictStageError::from)?;
    let loading = Instant::now();
    let mut predictor = Predictor::load(run, config, engine, pool)
        .map_err(PredictStageError::from)?
        .with_interrupt(interrupt.clone());
    let start_s = loading.elapsed().as_secs_f64();
    let mut timed = Vec::new();
    for SlideGroup { slide, group } in groups {
        let outcome = predictor.predict(&slide, group, progress);
        match outcome.map_err(PredictStageError::from)? {
            GroupOutcome::Interrupted { .. } => return Ok(None),
            GroupOutcome::Present { .. } | GroupOutcome::Scored { .. } => {}
        }
        timed.extend(timed_group(run, &slide, group)?);
    }
    let (slides, disk) = work_left(run, config, &lookup)?;
    let cores = wanted.cores.unwrap_or(threads).max(threads);
    let terms = Terms { cores, cores_per_task: threads, start_s, price: wanted.price };
    let estimate = estimate(&timed, &slides, &terms).ok_or(EstimateError::NoWindows)?;
    Ok(Some(EstimateReport {
        timed,
        slides,
        estimate,
        cores,
        cores_per_task: threads,
        start_s,
        disk,
    }))
}

/// Chooses groups that are spread over the run, among those without scores if there are any.
fn groups_to_time(
    run: &RunDir,
    lookup: &Lookup,
    count: usize,
) -> Result<Vec<SlideGroup>, FormatError> {
    let all = all_groups(lookup);
    let mut unscored = Vec::new();
    for item in &all {
        if !staged::is_there(&run.scores(&item.slide, item.group))? {
            unscored.push(item.clone());
        }
    }
    Ok(sample(if unscored.is_empty() { &all } else { &unscored }, count))
}

/// The time of a group from its score file; `None` for a group without windows.
fn timed_group(
    run: &RunDir,
    slide: &str,
    group: GroupNumber,
) -> Result<Option<Timed>, EstimateError> {
    let meta = scores::read_scores_meta(&run.scores(slide, group))?;
    let timed = Timed {
        slide: slide.to_owned(),
        group,
        windows: meta.windows,
        wall_s: meta.wall_s,
        cores: meta.threads,
    };
    Ok((timed.windows > 0).then_some(timed))
}

/// Windows of the groups without scores, and the bytes of the whole run.
fn work_left(
    run: &RunDir,
    config: &RunConfig,
    lookup: &Lookup,
) -> Result<(Vec<SlideWork>, Disk), EstimateError> {
    let mut work = Vec::new();
    let mut disk = Disk::default();
    for row in lookup.rows() {
        let path = run.patches(&row.name);
        let file = PatchesFile::open(&path)?;
        let (meta, tissue) = (file.meta(), file.tissue()?);
        let stride_px = config.config.predict.stride;
        let (width_px, height_px) = (meta.width_px, meta.height_px);
        let windows = points_in_tissue(tissue.view(), meta.tile_px, width_px, height_px, stride_px);
        let mut scored = 0;
        for group in row.group_numbers() {
            let is_scored = staged::is_there(&run.scores(&row.name, group));
            scored += usize::from(is_scored.map_err(FormatError::from)?);
        }
        work.push(SlideWork {
            slide: row.name.clone(),
            groups: row.groups as usize - scored,
            windows_per_group: windows as f64 / f64::from(row.groups),
        });
        let (rows, cols) = Lattice::new(width_px, height_px, stride_px).shape();
        disk.patches_bytes += std::fs::metadata(&path).map_or(0, |metadata| metadata.len());
        // Row, column and two scores of 4 bytes each.
        disk.scores_bytes += windows * 16;
        disk.heatmaps_bytes += (rows * cols * 4) as u64;
    }
    Ok((work, disk))
}
