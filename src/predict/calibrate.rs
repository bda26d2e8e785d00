//! Calibrates the dense scores of a slide to those of single windows.
//!
//! Windows of a few tissue tiles, drawn by place, are scored both ways. The draw does not
//! depend on blocks and groups, so every task of a slide fits the same calibration; the first
//! task to finish stores it in `scores/<slide>/calibration.json` for the others.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::calibration::{Calibration, Residual};
use super::classes::{Classes, DETECTION};
use super::context::Context;
use super::error::PredictError;
use super::fit_support::{FitSupport, ScorePair};
use super::group::{Group, lattice_of};
use super::loaded_dense::{DenseWorker, LoadedDense};
use super::pair_scorer::PairScorer;
use super::sample::{Sample, SampleSize, samples};
use crate::config::Method;
use crate::hdf5_file::FormatError;
use crate::model::{DenseNetwork, Session};
use crate::patches::GroupReader;
use crate::pipeline::map;
use crate::process;
use crate::progress::Progress;
use crate::scores::DenseMeta;
use crate::staged;

/// Size of the sample: at most 256 windows.
const SAMPLE: SampleSize = SampleSize { tiles: 32, points: 8 };

/// A calibration and its residual.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Calibrated {
    /// Hash of the configuration the scores are made with.
    config_sha256: String,
    pub(super) calibration: Calibration,
    /// Differences on windows that the calibration was not fitted to.
    pub(super) residual: Residual,
    /// Windows scored both ways.
    sampled: u64,
    /// Windows among them near the threshold or above it.
    near: u64,
    /// 5 % and 95 % quantile of the positive class's slope over bootstrap draws of tiles;
    /// `None` if nothing was fitted.
    slope_range: Option<[f64; 2]>,
    /// Why the sample does not determine the calibration; empty if it does.
    open: String,
    /// The lowest dense score of a window whose exact score is a detection, calibrated by a fit
    /// to other windows; `None` if no sampled window is one.
    pub(super) lowest_detection: Option<f64>,
}

impl Calibrated {
    /// Why the calibration must not be used; `None` if it may.
    pub(super) fn open(&self) -> Option<&str> {
        (!self.open.is_empty()).then_some(&self.open)
    }

    /// The attributes of score files that describe the calibration.
    pub(super) fn meta(&self, context: &Context<'_>, network: &DenseNetwork) -> DenseMeta {
        let keys = context.keys();
        DenseMeta {
            exact: network.inexact.is_empty(),
            reach_px: network.reach_px,
            sampled: self.sampled,
            slope: self.calibration.slope.clone(),
            offset: self.calibration.offset.clone(),
            rms: self.residual.rms,
            p99: self.residual.p99,
            tolerance: keys.dense_tolerance,
            forced: keys.dense_force
                && keys.method == Method::Dense
                && (self.residual.rms > keys.dense_tolerance || self.open().is_some()),
            near: Some(self.near),
            slope_range: self.slope_range,
            open: self.open.clone(),
        }
    }

    /// Checks that the calibration is good enough to use dense scores alone.
    ///
    /// # Errors
    /// [`PredictError::OpenFit`] and [`PredictError::Residual`], unless the run forces dense
    /// scores.
    pub(super) fn check(&self, context: &Context<'_>, slide: &str) -> Result<(), PredictError> {
        if context.keys().dense_force {
            return Ok(());
        }
        if let Some(open) = self.open() {
            let (redo, open) = (context.run.redo_by_window(slide), open.to_owned());
            return Err(PredictError::OpenFit { redo, slide: slide.to_owned(), open });
        }
        let (rms, tolerance) = (self.residual.rms, context.keys().dense_tolerance);
        if rms > tolerance {
            let (slide, sampled) = (slide.to_owned(), self.sampled);
            return Err(PredictError::Residual { slide, rms, sampled, tolerance });
        }
        Ok(())
    }

    /// Fits a calibration to sampled tiles. The residual is that of two folds of alternate
    /// tiles, each calibrated by a fit to the other.
    fn fit(pairs: &[ScorePair], classes: Classes, exact: bool, config_sha256: String) -> Self {
        let join = |keep: &dyn Fn(usize) -> bool| {
            let mut joined = ScorePair::default();
            for (_, pair) in pairs.iter().enumerate().filter(|(tile, _)| keep(*tile)) {
                joined.dense.extend(&pair.dense);
                joined.exact.extend(&pair.exact);
            }
            joined
        };
        let all = join(&|_| true);
        let sampled = (all.exact.len() / classes.count.max(1)) as u64;
        let support = FitSupport::measure(pairs, classes);
        let near = support.near;
        if exact || pairs.is_empty() || sampled == 0 {
            return Self {
                config_sha256,
                calibration: Calibration::identity(classes.count),
                residual: Residual::between(&all.dense, &all.exact),
                sampled,
                near,
                slope_range: None,
                // A slide without points has nothing to calibrate.
                open: if exact || pairs.is_empty() { String::new() } else { support.open },
                lowest_detection: None,
            };
        }
        let mut held_out = ScorePair::default();
        for fold in 0..2 {
            let (seen, mut unseen) =
                (join(&|tile| tile % 2 != fold), join(&|tile| tile % 2 == fold));
            Calibration::fit(&seen.dense, &seen.exact, classes.count).apply(&mut unseen.dense);
            held_out.dense.extend(unseen.dense);
            held_out.exact.extend(unseen.exact);
        }
        Self {
            config_sha256,
            calibration: Calibration::fit(&all.dense, &all.exact, classes.count),
            residual: Residual::between(&held_out.dense, &held_out.exact),
            sampled,
            near,
            slope_range: Some(support.slope),
            open: support.open,
            lowest_detection: lowest_detection(&held_out, classes),
        }
    }

    /// Reads the calibration that another task stored, if it has this configuration.
    fn read(path: &Path, config_sha256: &str) -> Option<Self> {
        let known: Self = serde_json::from_slice(&std::fs::read(path).ok()?).ok()?;
        (known.config_sha256 == config_sha256).then_some(known)
    }
}

/// The lowest dense score of the windows whose exact score is a detection.
fn lowest_detection(pair: &ScorePair, classes: Classes) -> Option<f64> {
    let scores = classes.positives(&pair.dense).zip(classes.positives(&pair.exact));
    let detections = scores.filter(|&(_, exact)| f64::from(exact) >= DETECTION);
    detections.map(|(dense, _)| f64::from(dense)).min_by(f64::total_cmp)
}

/// Checks that the margin of the patches is as wide as the reach of the dense network.
///
/// # Errors
/// [`PredictError::Margin`].
pub(super) fn check_margin(
    context: &Context<'_>,
    dense: &LoadedDense,
    group: &Group<'_>,
) -> Result<(), PredictError> {
    let (reach_px, margin_px) = (dense.network.reach_px, group.tiling.margin_px());
    if reach_px <= margin_px {
        return Ok(());
    }
    let (path, method) = (group.patches.path().to_owned(), context.keys().method.name());
    Err(PredictError::Margin { path, margin_px, method, reach_px })
}

/// Returns the calibration of a group's slide: the one that another task stored, or one that is
/// fitted here and stored for the others.
///
/// `sessions` gives the sessions for single windows; it is called only if a fit is needed.
///
/// # Errors
/// [`PredictError`] when a sample cannot be read or scored, or when the calibration cannot be
/// written.
pub(super) fn calibrate<S: AsMut<[Box<dyn Session>]>>(
    context: &Context<'_>,
    dense: &LoadedDense,
    group: &Group<'_>,
    sessions: impl FnOnce() -> Result<S, PredictError>,
    progress: &Progress,
) -> Result<Calibrated, PredictError> {
    let (slide, patches) = (group.slide, group.patches);
    let path = context.run.scores_of(slide).join("calibration.json");
    let config_sha256 = context.config.scores_sha256();
    if let Some(known) = Calibrated::read(&path, &config_sha256) {
        return Ok(known);
    }
    let readers = patches.group_numbers().map(|group| patches.group(group));
    let readers: Vec<GroupReader> = readers.collect::<Result<_, FormatError>>()?;
    let samples = samples(&readers, group.tiling, &lattice_of(context, patches), SAMPLE);
    let mut sessions = sessions()?;
    let pairs = pairs(context, dense, group, &samples, sessions.as_mut())?;
    drop(sessions);
    process::release_freed_memory();
    let exact = dense.network.inexact.is_empty();
    let calibrated = Calibrated::fit(&pairs, context.classes(), exact, config_sha256);
    let Residual { rms, p99 } = calibrated.residual;
    progress.note(&format!(
        "predict {slide}: dense scores against {} single windows: root mean square difference {rms:.2e}, 99 % within {p99:.2e}",
        calibrated.sampled
    ));
    if let Some(open) = calibrated.open() {
        progress.note(&format!(
            "predict {slide}: the sample does not determine the calibration, so dense scores are not trusted: {open}"
        ));
    }
    let bytes = serde_json::to_vec_pretty(&calibrated).expect("a calibration is plain data");
    staged::write(&path, &bytes)?;
    Ok(calibrated)
}

/// Scores the samples both ways, on all workers.
fn pairs(
    context: &Context<'_>,
    dense: &LoadedDense,
    group: &Group<'_>,
    samples: &[Sample<'_>],
    windows: &mut [Box<dyn Session>],
) -> Result<Vec<ScorePair>, PredictError> {
    let mut loaded = dense.load_samples(context, &context.engine, context.workers())?;
    let (preparation, tiles) = (&context.preparation, loaded.tiles);
    let (classes, normalizer) = (context.classes().count, group.normalizer.as_ref());
    let workers = loaded.sessions.iter_mut().zip(windows).map(|(session, windows)| {
        let (session, windows) = (session.as_mut(), windows.as_mut());
        let dense = DenseWorker { session, preparation, tiles, classes };
        let mut scorer = PairScorer { dense, windows, preparation, normalizer };
        move |sample: &Sample<'_>| scorer.score(sample)
    });
    map(samples.iter(), workers)
}
