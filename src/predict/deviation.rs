//! How far scores of less precision lie from those in f32.
//!
//! Before a group is scored, windows of a few of its tiles, drawn by their place,
//! are scored both ways: by single windows for the methods that score them, by the
//! dense network for those that run it, by both for a cascade.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::calibrate::Calibrated;
use super::colour::Normalizer;
use super::dense::Worker;
use super::prepare::Preparation;
use super::sample::{Sample, samples, window_scores};
use super::{PredictError, Predictor, load_sessions};
use crate::config::Method;
use crate::geometry::dense_tiles::DenseTiles;
use crate::geometry::{Lattice, Tiling};
use crate::model::{DenseSession, EngineError, SelectedEngine, Session};
use crate::patches::GroupReader;
use crate::scores::PrecisionMeta;

/// Tiles of the group to look at, and windows of each: 64 windows.
const SAMPLE: (usize, usize) = (16, 4);

/// Sessions in f32 at the same time: more would take longer to load than to use.
const MOST_WORKERS: usize = 8;

/// A group that is about to be scored.
pub(super) struct Place<'p> {
    pub(super) reader: &'p GroupReader,
    pub(super) normalizer: Option<&'p Normalizer>,
    pub(super) tiling: Tiling,
    pub(super) lattice: &'p Lattice,
    /// `slide t3`
    pub(super) name: &'p str,
    /// How its points get their scores.
    pub(super) method: Method,
}

impl Predictor<'_> {
    /// The deviation of this group's scores; `None` in f32.
    pub(super) fn deviation(
        &mut self,
        place: &Place<'_>,
        calibrated: Option<&Calibrated>,
    ) -> Result<Option<PrecisionMeta>, PredictError> {
        let Some(engine) = &self.engine.reference else { return Ok(None) };
        let reference =
            SelectedEngine { engine: engine.clone(), reference: None, reason: String::new() };
        let keys = &self.config.config.predict;
        let (tolerance, force) = (keys.precision_tolerance, keys.precision_force);
        let readers = std::slice::from_ref(place.reader);
        let samples = samples(readers, place.tiling, place.lattice, SAMPLE);
        let workers = self.threads.min(MOST_WORKERS).min(samples.len());
        let mut differences = Vec::new();
        if place.method != Method::Dense && workers > 0 {
            differences.extend(self.of_windows(&reference, place, &samples, workers)?);
        }
        // A calibration that its sample leaves open decides no scores of a cascade.
        let used =
            calibrated.filter(|found| place.method == Method::Dense || found.open().is_none());
        if let (Some(calibrated), true) = (used, workers > 0) {
            differences.extend(self.of_dense(
                &reference,
                place,
                &samples,
                (workers, calibrated),
            )?);
        }
        let mut found = PrecisionMeta::from_differences(differences);
        (found.tolerance, found.forced) = (tolerance, force && found.max > tolerance);
        if found.max > tolerance && !force {
            return Err(PredictError::Deviation {
                group: place.name.to_owned(),
                precision: self.engine.engine.precision(),
                max: found.max,
                windows: found.windows,
                tolerance,
            });
        }
        Ok(Some(found))
    }

    /// Single windows, both ways.
    fn of_windows(
        &mut self,
        reference: &SelectedEngine,
        place: &Place<'_>,
        samples: &[Sample<'_>],
        workers: usize,
    ) -> Result<Vec<f64>, PredictError> {
        self.load_windows()?;
        let mut exact = load_sessions(reference, &self.model, self.batch, workers, self.pool)
            .map_err(|source| failed(place, source))?;
        let (preparation, classes) = (&self.preparation, self.model.card.classes.len());
        let positive = self.model.card.positive_index();
        let pairs = self.sessions.iter_mut().zip(&mut exact).collect();
        let score = |pair: &mut (&mut Box<dyn Session>, &mut Box<dyn Session>),
                     sample: &Sample<'_>| {
            let Some(patch) = sample.prepared(sample.whole(), preparation, place.normalizer)?
            else {
                return Ok(Vec::new());
            };
            let of = |session: &mut Box<dyn Session>| {
                let windows = (&patch, sample.points.as_slice());
                window_scores(session.as_mut(), preparation, windows, classes)
                    .map_err(|source| failed(place, source))
            };
            let (less, exact) = (of(pair.0)?, of(pair.1)?);
            Ok(differences(&less, &exact, (classes, positive)))
        };
        in_parallel(pairs, samples, &score)
    }

    /// Calibrated scores of the dense network, both ways.
    fn of_dense(
        &self,
        reference: &SelectedEngine,
        place: &Place<'_>,
        samples: &[Sample<'_>],
        (workers, calibrated): (usize, &Calibrated),
    ) -> Result<Vec<f64>, PredictError> {
        let dense = self.dense.as_ref().expect("loaded for the calibration");
        let (tiles, mut less) = self.load_samples(&self.engine, dense, workers)?;
        let (_, mut exact) = self.load_samples(reference, dense, workers)?;
        let (preparation, classes) = (&self.preparation, self.model.card.classes.len());
        let positive = self.model.card.positive_index();
        let pairs = less.iter_mut().zip(&mut exact).collect();
        let score = |pair: &mut (&mut Box<dyn DenseSession>, &mut Box<dyn DenseSession>),
                     sample: &Sample<'_>| {
            let patch = sample.prepared(sample.whole(), preparation, place.normalizer)?;
            let tile = tiles.tile_around(&sample.points);
            let (Some(patch), Some(tile)) = (patch, tile) else { return Ok(Vec::new()) };
            let of = |session: &mut Box<dyn DenseSession>| {
                let mut worker = worker(session.as_mut(), preparation, tiles, classes);
                let scored = worker.scores(&patch, &tile);
                let (mut scores, _) = scored.map_err(|source| failed(place, source))?;
                calibrated.calibration.apply(&mut scores);
                Ok::<_, PredictError>(scores)
            };
            let (less, exact) = (of(pair.0)?, of(pair.1)?);
            Ok(differences(&less, &exact, (classes, positive)))
        };
        in_parallel(pairs, samples, &score)
    }
}

fn worker<'w>(
    session: &'w mut dyn DenseSession,
    preparation: &'w Preparation,
    tiles: DenseTiles,
    classes: usize,
) -> Worker<'w> {
    Worker { session, preparation, tiles, classes }
}

fn failed(place: &Place<'_>, source: EngineError) -> PredictError {
    PredictError::Engine { what: format!("{}, its precision", place.name), source }
}

/// Differences of the positive class's score.
fn differences(less: &[f32], exact: &[f32], (classes, positive): (usize, usize)) -> Vec<f64> {
    let of = |scores: &[f32]| -> Vec<f64> {
        scores.iter().skip(positive).step_by(classes).map(|&score| f64::from(score)).collect()
    };
    of(less).into_iter().zip(of(exact)).map(|(less, exact)| (less - exact).abs()).collect()
}

/// Scores every sample on some worker, a thread each.
fn in_parallel<W, F>(
    workers: Vec<W>,
    samples: &[Sample<'_>],
    score: &F,
) -> Result<Vec<f64>, PredictError>
where
    W: Send,
    F: Fn(&mut W, &Sample<'_>) -> Result<Vec<f64>, PredictError> + Sync,
{
    let next = AtomicUsize::new(0);
    let found = std::thread::scope(|scope| {
        let running: Vec<_> = workers
            .into_iter()
            .map(|mut worker| {
                let next = &next;
                scope.spawn(move || {
                    let mut found = Vec::new();
                    while let Some(sample) = samples.get(next.fetch_add(1, Ordering::Relaxed)) {
                        found.extend(score(&mut worker, sample)?);
                    }
                    Ok::<_, PredictError>(found)
                })
            })
            .collect();
        let joined = running.into_iter();
        joined
            .map(|t| t.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect::<Result<Vec<_>, PredictError>>()
    })?;
    Ok(found.into_iter().flatten().collect())
}
