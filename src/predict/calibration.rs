//! Fits dense scores to those of single windows and measures the residual. Pure.

use serde::{Deserialize, Serialize};

/// Logits are clamped to this size; probabilities beyond it are as good as certain.
const LOGIT_LIMIT: f64 = 15.0;

/// Most steps of Newton's method; five are usually enough.
const STEPS: usize = 30;

/// Weight of the prior, which leaves scores unchanged, in windows. The prior decides where the
/// sample has no information.
const PRIOR: f64 = 0.1;

/// An affine map of each class's logit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Calibration {
    pub(super) slope: Vec<f64>,
    pub(super) offset: Vec<f64>,
    /// Whether the scores of a window sum to 1; calibrated scores then do so too.
    sums_to_one: bool,
    /// Whether scores are in 0..=1; other scores are mapped without a logit.
    probabilities: bool,
}

/// How far two sets of scores are apart.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Residual {
    /// Root mean square.
    pub(super) rms: f64,
    /// 99 % of the differences are at most this.
    pub(super) p99: f64,
}

impl Calibration {
    /// The calibration that leaves scores unchanged.
    pub(super) fn identity(classes: usize) -> Self {
        let (slope, offset) = (vec![1.0; classes], vec![0.0; classes]);
        Self { slope, offset, sums_to_one: false, probabilities: false }
    }

    /// Fits `dense` to `exact`, both `[window, class]`.
    ///
    /// For probabilities, the slope and offset of each logit that minimise the
    /// cross-entropy with `exact` (Platt, "Probabilistic outputs for support vector
    /// machines", 1999, section 2.1, with probabilities as targets). Unlike least
    /// squares on logits, cross-entropy gives little weight to scores that are certain
    /// anyway. For other scores, least squares.
    pub(super) fn fit(dense: &[f32], exact: &[f32], classes: usize) -> Self {
        let probabilities = dense.iter().chain(exact).all(|score| (0.0..=1.0).contains(score));
        let sums = exact.chunks_exact(classes).map(|row| row.iter().sum::<f32>());
        let sums_to_one =
            classes > 1 && probabilities && sums.into_iter().all(|sum| (sum - 1.0).abs() < 1e-3);
        let fitted: Vec<(f64, f64)> = (0..classes)
            .map(|class| {
                let of_class = |scores: &[f32]| -> Vec<f64> {
                    scores
                        .iter()
                        .skip(class)
                        .step_by(classes)
                        .map(|&score| f64::from(score))
                        .collect()
                };
                let (dense, exact) = (of_class(dense), of_class(exact));
                if probabilities {
                    logistic(&dense.iter().map(|&p| logit(p)).collect::<Vec<_>>(), &exact)
                } else {
                    line(&dense, &exact)
                }
            })
            .collect();
        let (slope, offset) = fitted.into_iter().unzip();
        Self { slope, offset, sums_to_one, probabilities }
    }

    /// Calibrates `scores`, `[window, class]`, in place.
    pub(super) fn apply(&self, scores: &mut [f32]) {
        let classes = self.slope.len();
        let changes = self.slope.iter().any(|&a| a != 1.0) || self.offset.iter().any(|&b| b != 0.0);
        if !changes {
            return;
        }
        for row in scores.chunks_exact_mut(classes) {
            for ((score, slope), offset) in row.iter_mut().zip(&self.slope).zip(&self.offset) {
                let value = f64::from(*score);
                *score = narrow(if self.probabilities {
                    sigmoid(slope * logit(value) + offset)
                } else {
                    slope * value + offset
                });
            }
            if self.sums_to_one {
                let sum: f32 = row.iter().sum();
                row.iter_mut().for_each(|score| *score /= sum);
            }
        }
    }
}

impl Residual {
    /// The residual of two sets of scores of the same length; zero if they are empty.
    pub(super) fn between(a: &[f32], b: &[f32]) -> Self {
        let mut apart: Vec<f64> =
            a.iter().zip(b).map(|(a, b)| (f64::from(*a) - f64::from(*b)).abs()).collect();
        if apart.is_empty() {
            return Self { rms: 0.0, p99: 0.0 };
        }
        apart.sort_by(f64::total_cmp);
        let squares: f64 = apart.iter().map(|apart| apart * apart).sum();
        let at = (apart.len() * 99).div_ceil(100).max(1) - 1;
        Self { rms: (squares / apart.len() as f64).sqrt(), p99: apart[at] }
    }
}

fn logit(p: f64) -> f64 {
    (p.ln() - (-p).ln_1p()).clamp(-LOGIT_LIMIT, LOGIT_LIMIT)
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// Slope and offset of the logistic curve nearest to `y`, from 1 and 0.
fn logistic(x: &[f64], y: &[f64]) -> (f64, f64) {
    let (mut slope, mut offset) = (1.0, 0.0);
    let loss = |slope: f64, offset: f64| {
        let fit: f64 = x
            .iter()
            .zip(y)
            .map(|(x, y)| {
                let z = slope * x + offset;
                // ln(1 + e^z) - y z, without overflow.
                z.max(0.0) + (-z.abs()).exp().ln_1p() - y * z
            })
            .sum();
        fit + PRIOR / 2.0 * ((slope - 1.0).powi(2) + offset * offset)
    };
    let mut now = loss(slope, offset);
    for _ in 0..STEPS {
        let (mut ga, mut gb) = (PRIOR * (slope - 1.0), PRIOR * offset);
        let (mut haa, mut hab, mut hbb) = (PRIOR, 0.0, PRIOR);
        for (x, y) in x.iter().zip(y) {
            let p = sigmoid(slope * x + offset);
            let weight = p * (1.0 - p);
            ga += (p - y) * x;
            gb += p - y;
            haa += weight * x * x;
            hab += weight * x;
            hbb += weight;
        }
        let determinant = haa * hbb - hab * hab;
        let (da, db) = ((hbb * ga - hab * gb) / determinant, (haa * gb - hab * ga) / determinant);
        // Newton's step, halved until it helps: the loss is convex.
        let mut length = 1.0;
        let better = loop {
            let tried = loss(slope - length * da, offset - length * db);
            if tried < now {
                break Some(tried);
            }
            length /= 2.0;
            if length < 1e-6 {
                break None;
            }
        };
        let Some(tried) = better else { break };
        (slope, offset) = (slope - length * da, offset - length * db);
        let gained = now - tried;
        now = tried;
        if gained < 1e-9 {
            break;
        }
    }
    (slope, offset)
}

/// Slope and offset of the line nearest to `y`.
fn line(x: &[f64], y: &[f64]) -> (f64, f64) {
    let count = x.len().max(1) as f64;
    let mean = |values: &[f64]| values.iter().sum::<f64>() / count;
    let (mx, my) = (mean(x), mean(y));
    let xx: f64 = x.iter().map(|x| (x - mx) * (x - mx)).sum();
    let xy: f64 = x.iter().zip(y).map(|(x, y)| (x - mx) * (y - my)).sum();
    let slope = if xx > 1e-12 { xy / xx } else { 1.0 };
    (slope, my - slope * mx)
}

#[expect(clippy::cast_possible_truncation, reason = "scores are f32")]
fn narrow(value: f64) -> f32 {
    value as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_shift_of_logits_is_found_and_undone(
            logits in prop::collection::vec(-3f64..3.0, 40..80), slope in 0.5f64..2.0, offset in -2f64..2.0,
        ) {
            let pair = |z: f64| [1.0 - sigmoid(z), sigmoid(z)].map(narrow);
            let exact: Vec<f32> = logits.iter().flat_map(|z| pair(slope * z + offset)).collect();
            let mut dense: Vec<f32> = logits.iter().flat_map(|&z| pair(z)).collect();
            let raw = Residual::between(&dense, &exact);
            let calibration = Calibration::fit(&dense, &exact, 2);
            calibration.apply(&mut dense);
            let left = Residual::between(&dense, &exact);
            prop_assert!(left.rms < 0.02 && left.rms <= raw.rms + 1e-6, "{raw:?} {left:?}");
            prop_assert!(dense.chunks(2).all(|row| (row[0] + row[1] - 1.0).abs() < 1e-5));
        }
    }

    #[test]
    fn certain_scores_everywhere_stay_certain() {
        let dense: Vec<f32> =
            (0..20).flat_map(|i| [1.0 - 1e-6 * i as f32, 1e-6 * i as f32]).collect();
        let exact = [1.0, 0.0].repeat(20);
        let calibration = Calibration::fit(&dense, &exact, 2);
        let mut positive = vec![0.02, 0.98];
        calibration.apply(&mut positive);
        // The sample has no such scores, so the fit does not reverse them.
        assert!(positive[1] > 0.5, "{positive:?} {calibration:?}");
    }

    #[test]
    fn scores_that_are_no_probabilities_are_fitted_by_a_line() {
        let dense: Vec<f32> = (0..10).map(|i| i as f32).collect();
        let exact: Vec<f32> = dense.iter().map(|x| 3.0 * x - 4.0).collect();
        let calibration = Calibration::fit(&dense, &exact, 1);
        let mut mapped = dense.clone();
        calibration.apply(&mut mapped);
        assert!(Residual::between(&mapped, &exact).rms < 1e-5);
    }

    #[test]
    fn a_residual_is_the_root_mean_square_and_the_99th_percentile() {
        let (a, b) = (vec![0.0; 100], [vec![0.0; 98], vec![0.5, 0.1]].concat());
        let residual = Residual::between(&a, &b);
        assert!((residual.rms - (0.26f64 / 100.0).sqrt()).abs() < 1e-7);
        assert!((residual.p99 - 0.1).abs() < 1e-7);
        assert_eq!(Residual::between(&[], &[]), Residual { rms: 0.0, p99: 0.0 });
    }
}
