//! Calibrates the dense scores of a slide to those of single windows.
//!
//! Windows of a few tissue tiles, drawn by place, are scored both ways. The draw does not
//! depend on blocks and groups, so every task of a slide fits the same calibration; the first
//! task to finish stores it in `scores/<slide>/calibration.json` for the others.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::calibration::{Calibration, Residual};
use super::calibration_file;
use super::classes::{Classes, DETECTION};
use super::context::Context;
use super::dense_plan::TileMargin;
use super::draw::Purpose;
use super::error::PredictError;
use super::fit_support::{FitSupport, ScorePair, joined};
use super::group::{Group, lattice_of};
use super::loaded_dense::LoadedDense;
use super::refit::{self, Fitted, HeadSample};
use super::sample::{SampleSize, samples};
use super::tile_sample::{TileSample, TileSampler};
use crate::config::Method;
use crate::hdf5_file::FormatError;
use crate::model::{DenseNetwork, FitFile, HeadFit, Session};
use crate::patches::{GroupReader, PatchesMeta};
use crate::process;
use crate::progress::Progress;
use crate::scores::DenseMeta;
use crate::staged::StageError;

/// Size of the sample for a fit to one slide: at most 256 windows.
const SAMPLE: SampleSize = SampleSize { draw: Purpose::Tiles, skip: 0, tiles: 32, points: 8 };

/// Size of the sample that checks a cohort's fit on a slide: at most 128 windows.
const CHECK: SampleSize = SampleSize { draw: Purpose::Tiles, skip: 0, tiles: 16, points: 8 };

/// A calibration and its residual.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Calibrated {
    /// Hash of the configuration the scores are made with.
    config_sha256: String,
    pub(super) calibration: Calibration,
    /// The head that was fitted instead of a slope and an offset.
    #[serde(default)]
    pub(super) head: Option<HeadFit>,
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
    /// 99th percentile of the differences on the slides that a cohort's fit was judged on.
    #[serde(default)]
    cohort_p99: Option<f64>,
}

impl Calibrated {
    /// Why the calibration must not be used; `None` if it may.
    pub(super) fn open(&self) -> Option<&str> {
        (!self.open.is_empty()).then_some(&self.open)
    }

    /// 99 % quantile of the screen's error, the larger of the slide's and the cohort's.
    pub(super) fn screen_p99(&self) -> f64 {
        self.residual.p99.max(self.cohort_p99.unwrap_or(0.0))
    }

    /// The attributes of score files that describe the calibration.
    pub(super) fn meta(&self, context: &Context<'_>, dense: &LoadedDense) -> DenseMeta {
        let (keys, network) = (context.keys(), &dense.network);
        let own_fit = || calibration_file::id(self);
        DenseMeta {
            fit_id: context.config.resolved.fit_sha256.clone().unwrap_or_else(own_fit),
            image_px: Some(dense.tiles.side_px()),
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

    /// Fits a head, or a slope and an offset, to windows of tiles, whichever has the smaller
    /// residual.
    fn fit(tiles: &[TileSample], context: &Context<'_>, network: &DenseNetwork) -> Self {
        let (classes, exact) = (context.classes(), network.inexact.is_empty());
        let pairs: Vec<&ScorePair> = tiles.iter().map(|tile| &tile.pair).collect();
        let line = Self::fit_line(&pairs, classes, exact, context.config.scores_sha256());
        if exact || line.sampled == 0 {
            return line;
        }
        let fitted = context.pool.install(|| fit_head(tiles, network));
        let Some(fitted) = fitted.filter(|head| head.residual.rms < line.residual.rms) else {
            return line;
        };
        let mut held_out = fitted.held_out.chunks_exact(classes.count);
        let pairs: Vec<ScorePair> = pairs
            .iter()
            .map(|pair| {
                let windows = pair.exact.len() / classes.count;
                let dense = held_out.by_ref().take(windows).flatten().copied().collect();
                ScorePair { dense, exact: pair.exact.clone() }
            })
            .collect();
        let support = FitSupport::measure(&pairs.iter().collect::<Vec<_>>(), classes);
        let all = joined(pairs.iter());
        Self {
            calibration: Calibration::identity(classes.count),
            head: Some(fitted.head),
            residual: fitted.residual,
            slope_range: Some(support.slope),
            open: support.open,
            lowest_detection: lowest_detection(&all, classes),
            ..line
        }
    }

    /// Fits a slope and an offset to sampled tiles. The residual is that of two folds of
    /// alternate tiles, each calibrated by a fit to the other.
    fn fit_line(
        pairs: &[&ScorePair],
        classes: Classes,
        exact: bool,
        config_sha256: String,
    ) -> Self {
        let join = |keep: &dyn Fn(usize) -> bool| {
            let kept = pairs.iter().enumerate().filter(|(tile, _)| keep(*tile));
            joined(kept.map(|(_, pair)| *pair))
        };
        let all = join(&|_| true);
        let sampled = (all.exact.len() / classes.count.max(1)) as u64;
        let support = FitSupport::measure(pairs, classes);
        let near = support.near;
        if exact || pairs.is_empty() || sampled == 0 {
            return Self {
                config_sha256,
                calibration: Calibration::identity(classes.count),
                head: None,
                residual: Residual::between(&all.dense, &all.exact),
                sampled,
                near,
                slope_range: None,
                // A slide without points has nothing to calibrate.
                open: if exact || pairs.is_empty() { String::new() } else { support.open },
                lowest_detection: None,
                cohort_p99: None,
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
            head: None,
            residual: Residual::between(&held_out.dense, &held_out.exact),
            sampled,
            near,
            slope_range: Some(support.slope),
            open: support.open,
            lowest_detection: lowest_detection(&held_out, classes),
            cohort_p99: None,
        }
    }

    /// Takes the fit over a cohort and measures its residual on windows of the slide.
    fn check_fit(fit: &FitFile, tiles: &[TileSample], context: &Context<'_>) -> Self {
        let (classes, keys) = (context.classes(), context.keys());
        let pairs: Vec<&ScorePair> = tiles.iter().map(|tile| &tile.pair).collect();
        let all = joined(pairs.iter().copied());
        let residual = Residual::between(&all.dense, &all.exact);
        let open = if !fit.open.is_empty() {
            format!("the fit over the slides cannot serve as a screen: {}", fit.open)
        } else if residual.rms > keys.dense_tolerance && keys.method == Method::Cascade {
            format!(
                "scores of the fit over the slides differ from those of this slide's single windows by {:.4} (root mean square), expected at most predict.dense_tolerance = {}",
                residual.rms, keys.dense_tolerance
            )
        } else {
            String::new()
        };
        let lowest = lowest_detection(&all, classes).into_iter().chain(fit.judged.low_detection);
        Self {
            config_sha256: context.config.scores_sha256(),
            calibration: Calibration::identity(classes.count),
            head: Some(fit.head.clone()),
            residual,
            sampled: (all.exact.len() / classes.count) as u64,
            near: FitSupport::near_in(&pairs, classes),
            slope_range: None,
            open,
            lowest_detection: lowest.min_by(f64::total_cmp),
            cohort_p99: Some(fit.judged.p99),
        }
    }

    /// Reads the calibration that another task stored, if it has this configuration.
    fn read(
        path: &Path,
        patches: &PatchesMeta,
        config_sha256: &str,
    ) -> Result<Option<Self>, StageError> {
        let known: Option<Self> = calibration_file::read(path, patches)?;
        Ok(known.filter(|known| known.config_sha256 == config_sha256))
    }
}

/// Fits a head to the windows of tiles; whole tiles are left out to judge the fit.
fn fit_head(tiles: &[TileSample], network: &DenseNetwork) -> Option<Fitted> {
    let (link, shape) = (network.score_link()?, network.head_shape()?);
    let mut sample = HeadSample::default();
    for (unit, tile) in tiles.iter().enumerate() {
        sample.inputs.extend(tile.inputs.iter().cloned());
        sample.units.extend(tile.inputs.iter().map(|_| unit));
        sample.exact.extend(&tile.pair.exact);
    }
    refit::fit(&sample, &link, shape)
}

/// Notes why a slide gets a slope and an offset instead of a head of its own.
fn note_line(calibrated: &Calibrated, network: &DenseNetwork, slide: &str, progress: &Progress) {
    if network.inexact.is_empty() || calibrated.head.is_some() {
        return;
    }
    let why = match network.score_link() {
        None => "the last map of the network cannot be reached",
        Some(_) => "a fitted head is no better, or the sample is too small for one",
    };
    progress.note(&format!("predict {slide}: a slope and an offset are fitted: {why}"));
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
    if let Some(known) = Calibrated::read(&path, patches.meta(), &config_sha256)? {
        return Ok(known);
    }
    let readers = patches.group_numbers().map(|group| patches.group(group));
    let readers: Vec<GroupReader> = readers.collect::<Result<_, FormatError>>()?;
    let drawn = |size| samples(&readers, group.tiling, &lattice_of(context, patches), size);
    let scored = |network: DenseNetwork, size| -> Result<Vec<TileSample>, PredictError> {
        let mut sampler = TileSampler::load(context, dense, network, TileMargin::Reach)?;
        let mut sessions = sessions()?;
        sampler.score(group.normalizer.as_ref(), &drawn(size), sessions.as_mut())
    };
    let calibrated = match &context.fit {
        // A fit that cannot serve as a screen is not checked on windows.
        Some(fit) if !fit.open.is_empty() => Calibrated::check_fit(fit, &[], context),
        Some(fit) => {
            let tiles = scored(dense.network.refitted(&fit.head), CHECK)?;
            Calibrated::check_fit(fit, &tiles, context)
        }
        None => {
            let exact = dense.network.inexact.is_empty();
            let sampling = dense.network.sampling().filter(|_| !exact);
            let tiles = scored(sampling.unwrap_or_else(|| dense.network.clone()), SAMPLE)?;
            let calibrated = Calibrated::fit(&tiles, context, &dense.network);
            note_line(&calibrated, &dense.network, slide, progress);
            calibrated
        }
    };
    process::release_freed_memory();
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
    calibration_file::write(&path, patches.meta(), &calibrated)?;
    // Every task of the slide uses the numbers of the file, to the last digit.
    Ok(Calibrated::read(&path, patches.meta(), &config_sha256)?.unwrap_or(calibrated))
}
