//! Dense scores of a slide held against those of single windows.
//!
//! Windows of a few tissue tiles, drawn by their place, are scored both ways. The
//! draw knows nothing of blocks and groups, so every task of a slide fits the same
//! calibration; the first to finish leaves it in `scores/<slide>/calibration.json`
//! for the others.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde::{Deserialize, Serialize};

use super::both_ways::{Both, Pair};
use super::calibration::{Calibration, Residual};
use super::cascade::DETECTION;
use super::colour::Normalizer;
use super::dense::Worker;
use super::sample::{Sample, samples};
use super::span::Span;
use super::{PredictError, Predictor};
use crate::config::Method;
use crate::geometry::{Lattice, Tiling};
use crate::hdf5_file::FormatError;
use crate::patches::{GroupReader, PatchesFile};
use crate::process;
use crate::progress::Progress;
use crate::scores::DenseMeta;
use crate::staged;

/// Tissue tiles to look at.
const TILES: usize = 32;

/// Windows of each tile.
const WINDOWS: usize = 8;

/// A calibration and what it leaves.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Calibrated {
    /// Hash of the configuration the scores are made with.
    config_sha256: String,
    pub(super) calibration: Calibration,
    /// Differences of windows that the calibration was not fitted to.
    pub(super) residual: Residual,
    /// Windows scored both ways.
    sampled: u64,
    /// Of these, windows near the threshold or above it.
    near: u64,
    /// 5 and 95 % of the positive class's slope, fitted to tiles drawn again and again;
    /// `None` where nothing was fitted.
    slope_range: Option<[f64; 2]>,
    /// Why the sample does not fix the calibration; empty: it does.
    open: String,
    /// The lowest score, in a calibration fitted to other windows, of one that alone is
    /// a detection.
    pub(super) lowest_detection: Option<f64>,
}

impl Calibrated {
    /// Why the calibration is not to be used; `None`: it is.
    pub(super) fn open(&self) -> Option<&str> {
        (!self.open.is_empty()).then_some(&self.open)
    }

    /// As stored with scores.
    pub(super) fn meta(&self, predictor: &Predictor<'_>) -> DenseMeta {
        let network = &predictor.dense.as_ref().expect("loaded for the calibration").network;
        let keys = &predictor.config.config.predict;
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
                && predictor.config.config.predict.method == Method::Dense
                && (self.residual.rms > keys.dense_tolerance || self.open().is_some()),
            near: Some(self.near),
            slope_range: self.slope_range,
            open: self.open.clone(),
        }
    }

    /// From pairs of tiles; folds of alternate tiles tell what is left.
    fn fit(
        pairs: &[Pair],
        (classes, positive): (usize, usize),
        exact: bool,
        config_sha256: String,
    ) -> Self {
        let join = |keep: &dyn Fn(usize) -> bool| {
            let mut joined = Pair::default();
            for (_, pair) in pairs.iter().enumerate().filter(|(tile, _)| keep(*tile)) {
                joined.dense.extend(&pair.dense);
                joined.exact.extend(&pair.exact);
            }
            joined
        };
        let all = join(&|_| true);
        let sampled = (all.exact.len() / classes.max(1)) as u64;
        let span = Span::of(pairs, classes, positive);
        let near = span.near;
        if exact || pairs.is_empty() || sampled == 0 {
            return Self {
                config_sha256,
                calibration: Calibration::identity(classes),
                residual: Residual::between(&all.dense, &all.exact),
                sampled,
                near,
                slope_range: None,
                // Without a point there is nothing to lose.
                open: if exact || pairs.is_empty() { String::new() } else { span.open },
                lowest_detection: None,
            };
        }
        let mut held_out = Pair::default();
        for fold in 0..2 {
            let (seen, mut unseen) =
                (join(&|tile| tile % 2 != fold), join(&|tile| tile % 2 == fold));
            Calibration::fit(&seen.dense, &seen.exact, classes).apply(&mut unseen.dense);
            held_out.dense.extend(unseen.dense);
            held_out.exact.extend(unseen.exact);
        }
        Self {
            config_sha256,
            calibration: Calibration::fit(&all.dense, &all.exact, classes),
            residual: Residual::between(&held_out.dense, &held_out.exact),
            sampled,
            near,
            slope_range: Some(span.slope),
            open: span.open,
            lowest_detection: lowest_detection(&held_out, classes, positive),
        }
    }

    /// What another task has left, if it is of this configuration.
    fn read(path: &Path, config_sha256: &str) -> Option<Self> {
        let known: Self = serde_json::from_slice(&std::fs::read(path).ok()?).ok()?;
        (known.config_sha256 == config_sha256).then_some(known)
    }
}

/// The lowest dense score of the windows that alone are detections.
fn lowest_detection(pair: &Pair, classes: usize, positive: usize) -> Option<f64> {
    let of = |scores: &[f32]| -> Vec<f64> {
        scores.iter().skip(positive).step_by(classes).map(|&score| f64::from(score)).collect()
    };
    let both = of(&pair.dense).into_iter().zip(of(&pair.exact));
    both.filter(|(_, exact)| *exact >= DETECTION).map(|(dense, _)| dense).min_by(f64::total_cmp)
}

impl Predictor<'_> {
    /// The calibration of a slide, the dense network loaded.
    pub(super) fn calibrated(
        &mut self,
        patches: &PatchesFile,
        normalizer: Option<&Normalizer>,
        tiling: Tiling,
        slide: &str,
        progress: &Progress,
    ) -> Result<Arc<Calibrated>, PredictError> {
        let method = self.config.config.predict.method;
        let reach_px = self.load_dense(tiling)?.network.reach_px;
        if reach_px > tiling.margin_px() {
            return Err(PredictError::Margin {
                path: patches.path().to_owned(),
                margin_px: tiling.margin_px(),
                method: method.name(),
                reach_px,
            });
        }
        let calibrated = match &self.calibrated {
            Some((of, calibrated)) if of == slide => Arc::clone(calibrated),
            _ => {
                let calibrated =
                    Arc::new(self.calibrate(patches, normalizer, tiling, slide, progress)?);
                self.calibrated = Some((slide.to_owned(), Arc::clone(&calibrated)));
                calibrated
            }
        };
        let keys = &self.config.config.predict;
        let (rms, tolerance) = (calibrated.residual.rms, keys.dense_tolerance);
        if method != Method::Dense || keys.dense_force {
            return Ok(calibrated);
        }
        if let Some(open) = calibrated.open() {
            let (redo, open) = (self.run.redo_by_window(slide), open.to_owned());
            return Err(PredictError::OpenFit { redo, slide: slide.to_owned(), open });
        }
        if rms > tolerance {
            let (slide, sampled) = (slide.to_owned(), calibrated.sampled);
            return Err(PredictError::Residual { slide, rms, sampled, tolerance });
        }
        Ok(calibrated)
    }

    fn calibrate(
        &mut self,
        patches: &PatchesFile,
        normalizer: Option<&Normalizer>,
        tiling: Tiling,
        slide: &str,
        progress: &Progress,
    ) -> Result<Calibrated, PredictError> {
        let path = self.run.scores_of(slide).join("calibration.json");
        let config_sha256 = self.config.scores_sha256();
        if let Some(known) = Calibrated::read(&path, &config_sha256) {
            return Ok(known);
        }
        let readers = patches.group_numbers().map(|group| patches.group(group));
        let readers: Vec<GroupReader> = readers.collect::<Result<_, FormatError>>()?;
        let stride_px = self.config.config.predict.stride;
        let lattice = Lattice::new(patches.meta().width_px, patches.meta().height_px, stride_px);
        let samples = samples(&readers, tiling, &lattice, (TILES, WINDOWS));
        self.load_windows()?;
        let pairs = self.pairs(&samples, normalizer)?;
        if self.config.config.predict.method == Method::Dense {
            // They were for this alone.
            self.sessions.clear();
        }
        process::release_freed_memory();
        let exact = self.load_dense(tiling)?.network.inexact.is_empty();
        let classes = self.model.card.classes.len();
        let positive = self.model.card.positive_index();
        let calibrated = Calibrated::fit(&pairs, (classes, positive), exact, config_sha256);
        let Residual { rms, p99 } = calibrated.residual;
        progress.note(&format!(
            "predict {slide}: dense scores against {} single windows: root mean square difference {rms:.2e}, 99 % within {p99:.2e}",
            calibrated.sampled
        ));
        if let Some(open) = calibrated.open() {
            progress.note(&format!(
                "predict {slide}: the sample does not fix the calibration, so that it is not used: {open}"
            ));
        }
        let bytes = serde_json::to_vec_pretty(&calibrated).expect("a calibration is plain data");
        staged::write(&path, &bytes)?;
        Ok(calibrated)
    }

    /// Scores the samples both ways, on all workers.
    fn pairs(
        &mut self,
        samples: &[Sample<'_>],
        normalizer: Option<&Normalizer>,
    ) -> Result<Vec<Pair>, PredictError> {
        let (preparation, card) = (&self.preparation, &self.model.card);
        let dense = self.dense.as_ref().expect("loaded before");
        let (tiles, mut sessions) = self.load_samples(&self.engine, dense, self.threads)?;
        let (classes, next) = (card.classes.len(), AtomicUsize::new(0));
        let found = std::thread::scope(|scope| {
            let workers: Vec<_> = sessions
                .iter_mut()
                .zip(&mut self.sessions)
                .map(|(session, windows)| {
                    let next = &next;
                    scope.spawn(move || {
                        let worker =
                            Worker { session: session.as_mut(), preparation, tiles, classes };
                        let mut both =
                            Both { worker, windows: windows.as_mut(), preparation, normalizer };
                        let mut pairs = Vec::new();
                        while let Some((at, sample)) = {
                            let at = next.fetch_add(1, Ordering::Relaxed);
                            samples.get(at).map(|sample| (at, sample))
                        } {
                            pairs.push((at, both.score(sample)?));
                        }
                        Ok::<_, PredictError>(pairs)
                    })
                })
                .collect();
            let joined = workers.into_iter();
            joined
                .map(|w| w.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
                .collect::<Result<Vec<_>, PredictError>>()
        })?;
        let mut pairs: Vec<(usize, Pair)> = found.into_iter().flatten().collect();
        pairs.sort_by_key(|(at, _)| *at);
        Ok(pairs.into_iter().map(|(_, pair)| pair).collect())
    }
}
