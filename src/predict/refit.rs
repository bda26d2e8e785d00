//! Fits the head of a dense network to exact windows. Pure.
//!
//! For each window, the dense run gives the means of the last map's channels over rings, and
//! the window scored alone gives logits. A ridge regression predicts the logits from the means,
//! either directly or as a correction of the network's own logits. The variant and the strength
//! of the penalty are those that best predict windows outside the fit: whole units (slides, or
//! tissue tiles of one slide) are left out in turn.

use ndarray::{Array2, ArrayView2, s};
use rayon::prelude::*;

use super::calibration::Residual;
use super::ridge::StandardRows;
use crate::model::{HeadFit, HeadInputs, HeadShape, ScoreLink};

/// The penalties that are tried.
const PENALTIES: [f64; 7] = [0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0];

/// Most folds that the units are divided into. Each fold is left out once.
const MOST_FOLDS: usize = 6;

/// Fewest units to fit a head to.
const MIN_UNITS: usize = 4;
/// Fewest windows to fit a head to.
const MIN_WINDOWS: usize = 32;

/// Windows that a head is fitted to.
#[derive(Default)]
pub(super) struct HeadSample {
    /// The inputs of the head, per window.
    pub(super) inputs: Vec<HeadInputs>,
    /// Scores of single windows, `[window, class]`.
    pub(super) exact: Vec<f32>,
    /// The unit of each window; a unit is left out as a whole.
    pub(super) units: Vec<usize>,
}

/// A fitted head.
pub(super) struct Fitted {
    pub(super) head: HeadFit,
    /// Scores, `[window, class]`, each by a fit without the window's unit.
    pub(super) held_out: Vec<f32>,
    /// Residual of the held-out scores.
    pub(super) residual: Residual,
}

/// The settings of a fit.
#[derive(Debug, Clone, Copy)]
struct Choice {
    penalty: f64,
    /// Whether the fit corrects the network's own logits.
    own: bool,
}

/// A choice with its predictions for windows outside the fit.
struct Tried {
    choice: Choice,
    held_out: Vec<f32>,
    residual: Residual,
}

impl HeadSample {
    /// Numbers of the windows in each fold.
    fn folds(&self) -> Vec<Vec<usize>> {
        let mut units = self.units.clone();
        units.sort_unstable();
        units.dedup();
        let count = units.len().min(MOST_FOLDS);
        let mut folds = vec![Vec::new(); count];
        for (window, unit) in self.units.iter().enumerate() {
            let rank = units.binary_search(unit).expect("every unit is listed");
            folds[rank % count].push(window);
        }
        folds
    }

    /// Whether the sample is large enough for a fit.
    fn suffices(&self) -> bool {
        let mut units = self.units.clone();
        units.sort_unstable();
        units.dedup();
        units.len() >= MIN_UNITS && self.inputs.len() >= MIN_WINDOWS
    }

    /// The targets of the regression, `[window, 2 * logits]`: the exact logits minus the
    /// network's own ones, followed by the exact logits.
    fn targets(&self, link: &ScoreLink) -> Array2<f64> {
        let (windows, logits) = (self.inputs.len(), link.logits);
        let classes = self.exact.len() / windows.max(1);
        let mut targets = Array2::zeros((windows, 2 * logits));
        for (window, scores) in self.exact.chunks_exact(classes.max(1)).enumerate() {
            for (at, &logit) in link.logits_of(scores).iter().enumerate() {
                targets[[window, at]] = logit - self.inputs[window].logits[at];
                targets[[window, logits + at]] = logit;
            }
        }
        targets
    }
}

/// Fits a head to a sample; `None` if the sample is too small.
pub(super) fn fit(sample: &HeadSample, link: &ScoreLink, shape: HeadShape) -> Option<Fitted> {
    if !sample.suffices() {
        return None;
    }
    let HeadShape { rings, channels } = shape;
    let (windows, logits) = (sample.inputs.len(), link.logits);
    let numbers: Vec<f32> =
        sample.inputs.iter().flat_map(|inputs| inputs.rings.iter().copied()).collect();
    let numbers = ArrayView2::from_shape((windows, rings * channels), &numbers).ok()?;
    let (rows, targets) = (StandardRows::new(numbers), sample.targets(link));
    let folds = sample.folds();
    let tried: Vec<Tried> = PENALTIES
        .par_iter()
        .filter_map(|&penalty| {
            Some(tried(sample, link, &held_out(&rows, &folds, &targets, penalty)?, penalty))
        })
        .flatten()
        .collect();
    let best = tried.into_iter().min_by(|a, b| a.residual.rms.total_cmp(&b.residual.rms))?;
    let Choice { penalty, own } = best.choice;
    let first = if own { 0 } else { logits };
    let linear = rows.fit(&targets.slice(s![.., first..first + logits]).to_owned(), penalty)?;
    let head = HeadFit {
        rings,
        channels,
        own,
        weights: linear.weights.t().iter().map(|&weight| narrow(weight)).collect(),
        bias: linear.bias.iter().map(|&bias| narrow(bias)).collect(),
    };
    Some(Fitted { head, held_out: best.held_out, residual: best.residual })
}

/// Predicts each window by a fit with this penalty and without the window's fold.
fn held_out(
    rows: &StandardRows,
    folds: &[Vec<usize>],
    targets: &Array2<f64>,
    penalty: f64,
) -> Option<Array2<f64>> {
    let mut found = Array2::zeros(targets.raw_dim());
    for (fold, unseen) in folds.iter().enumerate() {
        let others = folds.iter().enumerate().filter(|(other, _)| *other != fold);
        let seen: Vec<usize> = others.flat_map(|(_, windows)| windows.iter().copied()).collect();
        let predicted = rows.predict(&seen, unseen, targets, penalty)?;
        for (at, &window) in unseen.iter().enumerate() {
            found.row_mut(window).assign(&predicted.row(at));
        }
    }
    Some(found)
}

/// Judges both variants of a fit with this penalty.
fn tried(
    sample: &HeadSample,
    link: &ScoreLink,
    predicted: &Array2<f64>,
    penalty: f64,
) -> [Tried; 2] {
    [true, false].map(|own| {
        let first = if own { 0 } else { link.logits };
        let scores = predicted.outer_iter().zip(&sample.inputs).flat_map(|(row, inputs)| {
            let logit = |at: usize| row[first + at] + if own { inputs.logits[at] } else { 0.0 };
            link.scores_of(&(0..link.logits).map(logit).collect::<Vec<f64>>())
        });
        let held_out: Vec<f32> = scores.collect();
        let residual = Residual::between(&held_out, &sample.exact);
        Tried { choice: Choice { penalty, own }, held_out, residual }
    })
}

/// Rounds to the precision of weights.
#[expect(clippy::cast_possible_truncation, reason = "networks compute in f32")]
fn narrow(value: f64) -> f32 {
    value as f32
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::model::{Model, densify};

    const SHAPE: HeadShape = HeadShape { rings: 2, channels: 5 };

    /// The link of a network with two classes.
    fn link() -> ScoreLink {
        let card = Path::new(env!("CARGO_MANIFEST_DIR")).join("configs/models/demo-padded.toml");
        densify(&Model::load(&card).unwrap(), 16).unwrap().score_link().unwrap()
    }

    /// 8 units of 20 windows, whose logit is `truth` of ring means and own logit.
    fn sample(truth: impl Fn(&[f32], f64) -> f64) -> HeadSample {
        let (link, mut random) = (link(), ChaCha8Rng::seed_from_u64(21));
        let mut sample = HeadSample::default();
        for window in 0..160 {
            let rings: Vec<f32> = (0..10).map(|_| random.random_range(-1.0..1.0)).collect();
            let own: f64 = random.random_range(-2.0..2.0);
            let logit = truth(&rings, own) / 2.0;
            sample.exact.extend(link.scores_of(&[-logit, logit]));
            sample.inputs.push(HeadInputs { logits: vec![-own / 2.0, own / 2.0], rings });
            sample.units.push(window / 20);
        }
        sample
    }

    #[test]
    fn a_head_that_replaces_the_network_s_own_is_recovered() {
        let weights = [2.0, -1.0, 0.5, 0.0, 1.0, -2.0, 0.3, 0.0, 1.5, -0.7];
        let truth = |rings: &[f32], _: f64| {
            rings.iter().zip(weights).map(|(&a, b)| f64::from(a) * b).sum::<f64>() - 1.0
        };
        let fitted = fit(&sample(truth), &link(), SHAPE).unwrap();
        assert!(!fitted.head.own && fitted.residual.rms < 0.01, "{:?}", fitted.residual);
        // The second logit has half of the difference.
        for (found, weight) in fitted.head.weights[10..].iter().zip(weights) {
            assert!((f64::from(*found) - weight / 2.0).abs() < 0.05, "{:?}", fitted.head);
        }
        assert!((fitted.head.bias[1] + 0.5).abs() < 0.05, "{:?}", fitted.head.bias);
    }

    #[test]
    fn the_network_s_own_logits_are_corrected_if_that_predicts_best() {
        let truth = |rings: &[f32], own: f64| own + 1.5 * f64::from(rings[3]) + 0.5;
        let fitted = fit(&sample(truth), &link(), SHAPE).unwrap();
        assert!(fitted.head.own && fitted.residual.rms < 0.01, "{:?}", fitted.residual);
        let weight = f64::from(fitted.head.weights[13]);
        assert!((weight - 0.75).abs() < 0.05, "{weight}");
    }

    #[test]
    fn noise_is_not_fitted_and_a_small_sample_is_refused() {
        let noise = std::cell::RefCell::new(ChaCha8Rng::seed_from_u64(3));
        let truth = |_: &[f32], _: f64| noise.borrow_mut().random_range(-3.0..3.0);
        let fitted = fit(&sample(truth), &link(), SHAPE).unwrap();
        assert!(fitted.residual.rms > 0.2, "{:?}", fitted.residual);
        let mut few = sample(truth);
        few.units.iter_mut().for_each(|unit| *unit %= 3);
        assert!(fit(&few, &link(), SHAPE).is_none());
    }
}
