//! Area under the ROC curve (AUC) with two estimates of its variance, and the comparison of two
//! readings.

use serde::Serialize;
use thiserror::Error;

use super::interval::{Interval, Z_95};

/// Why scores have no AUC.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum AucError {
    /// There are fewer than two positive or two negative cases.
    #[error("{positives} positive and {negatives} negative cases, expected at least 2 of each")]
    TooFew {
        /// Positive cases.
        positives: usize,
        /// Negative cases.
        negatives: usize,
    },
    /// A score is NaN and cannot be ordered.
    #[error("case {place} (from 1) has no score (NaN), expected a number")]
    NotANumber {
        /// Place of the case in the list, from 1.
        place: usize,
    },
}

/// The AUC of one reading.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Auc {
    /// Probability that a positive case scores higher than a negative one, 0 to 1; ties count
    /// half.
    pub auc: f64,
    /// Standard deviation of the AUC like in the paper: the one-shot estimate from mean squares
    /// over negatives, over positives and over all pairs.
    pub sd: f64,
    /// AUC -+ 1.96 SD, limited to 0..1.
    pub interval_95: Interval,
    /// Standard deviation of the AUC by DeLong, DeLong and Clarke-Pearson (1988).
    pub delong_sd: f64,
    /// AUC -+ 1.96 of that standard deviation, limited to 0..1.
    pub delong_interval_95: Interval,
    /// Number of positive cases.
    pub positives: usize,
    /// Number of negative cases.
    pub negatives: usize,
}

/// The difference between two readings of the same cases.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct AucDifference {
    /// AUC of the first reading minus AUC of the second.
    pub difference: f64,
    /// Standard deviation of the difference like in the paper.
    pub sd: f64,
    /// Difference -+ 1.96 SD.
    pub interval_95: Interval,
    /// Two-sided p value of the normal distribution; `None` if the standard deviation is 0.
    pub p: Option<f64>,
    /// Standard deviation of the difference by DeLong et al.
    pub delong_sd: f64,
    /// Two-sided p value with the standard deviation of DeLong et al.
    pub delong_p: Option<f64>,
}

/// The AUC of `scores`. `truth` marks the positive cases, in the same order.
///
/// # Errors
/// [`AucError`] for a NaN, or for fewer than two positive or negative cases.
///
/// # Panics
/// If the lists differ in length.
pub fn auc(truth: &[bool], scores: &[f64]) -> Result<Auc, AucError> {
    let (negatives, positives) = split_by_truth(truth, scores)?;
    let pairs = PairMeans::new(&negatives, &positives, |&negative, &positive| {
        win_share(negative, positive)
    });
    let (auc, sd, delong_sd) =
        (pairs.mean, pairs.variance().sqrt(), pairs.delong_variance().sqrt());
    Ok(Auc {
        auc,
        sd,
        interval_95: Interval::normal_95(auc, sd),
        delong_sd,
        delong_interval_95: Interval::normal_95(auc, delong_sd),
        positives: positives.len(),
        negatives: negatives.len(),
    })
}

/// Compares two readings of the same cases.
///
/// # Errors
/// [`AucError`] for a NaN, or for fewer than two positive or negative cases.
///
/// # Panics
/// If the lists differ in length.
pub fn auc_difference(
    truth: &[bool],
    first: &[f64],
    second: &[f64],
) -> Result<AucDifference, AucError> {
    let (negatives, positives) = split_by_truth(truth, first)?;
    let (negatives_2, positives_2) = split_by_truth(truth, second)?;
    let paired = |a: Vec<f64>, b: Vec<f64>| a.into_iter().zip(b).collect::<Vec<_>>();
    let (negatives, positives) = (paired(negatives, negatives_2), paired(positives, positives_2));
    let pairs = PairMeans::new(&negatives, &positives, |negative, positive| {
        win_share(negative.0, positive.0) - win_share(negative.1, positive.1)
    });
    let (sd, delong_sd) = (pairs.variance().sqrt(), pairs.delong_variance().sqrt());
    let half = Z_95 * sd;
    Ok(AucDifference {
        difference: pairs.mean,
        sd,
        interval_95: Interval { low: pairs.mean - half, high: pairs.mean + half },
        p: two_sided_p(pairs.mean, sd),
        delong_sd,
        delong_p: two_sided_p(pairs.mean, delong_sd),
    })
}

/// One point of a ROC curve.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct RocPoint {
    /// 1 - specificity.
    pub false_positive_rate: f64,
    /// Sensitivity.
    pub true_positive_rate: f64,
}

/// The ROC curve from (0, 0) to (1, 1), with one point for each distinct score.
///
/// # Errors
/// [`AucError`] for a NaN, or for fewer than two positive or negative cases.
///
/// # Panics
/// If the lists differ in length.
pub fn roc(truth: &[bool], scores: &[f64]) -> Result<Vec<RocPoint>, AucError> {
    let (negatives, positives) = split_by_truth(truth, scores)?;
    let mut order: Vec<(f64, bool)> = scores.iter().copied().zip(truth.iter().copied()).collect();
    order.sort_by(|a, b| b.0.total_cmp(&a.0));
    let (mut false_positives, mut true_positives) = (0, 0);
    let mut points = vec![RocPoint { false_positive_rate: 0.0, true_positive_rate: 0.0 }];
    for tied in order.chunk_by(|a, b| a.0 == b.0) {
        true_positives += tied.iter().filter(|(_, truth)| *truth).count();
        false_positives += tied.iter().filter(|(_, truth)| !*truth).count();
        points.push(RocPoint {
            false_positive_rate: false_positives as f64 / negatives.len() as f64,
            true_positive_rate: true_positives as f64 / positives.len() as f64,
        });
    }
    Ok(points)
}

/// 1 if the positive case scores higher, 1/2 for a tie, otherwise 0.
fn win_share(negative: f64, positive: f64) -> f64 {
    match positive.partial_cmp(&negative) {
        Some(std::cmp::Ordering::Greater) => 1.0,
        Some(std::cmp::Ordering::Equal) => 0.5,
        _ => 0.0,
    }
}

/// The scores of the negative and of the positive cases.
fn split_by_truth(truth: &[bool], scores: &[f64]) -> Result<(Vec<f64>, Vec<f64>), AucError> {
    assert_eq!(truth.len(), scores.len(), "each case has a truth and a score");
    if let Some(place) = scores.iter().position(|score| score.is_nan()) {
        return Err(AucError::NotANumber { place: place + 1 });
    }
    let scores_of = |kind: bool| -> Vec<f64> {
        let cases = truth.iter().zip(scores).filter(|&(&truth, _)| truth == kind);
        cases.map(|(_, &score)| score).collect()
    };
    let (negatives, positives) = (scores_of(false), scores_of(true));
    if negatives.len() < 2 || positives.len() < 2 {
        let (positives, negatives) = (positives.len(), negatives.len());
        return Err(AucError::TooFew { positives, negatives });
    }
    Ok((negatives, positives))
}

/// Means of a kernel over all pairs of a negative and a positive case.
struct PairMeans {
    mean: f64,
    /// Sum of the kernel's squares over all pairs.
    squares: f64,
    /// Mean of the pairs of each negative case, and of each positive case.
    of_negative: Vec<f64>,
    of_positive: Vec<f64>,
}

impl PairMeans {
    fn new<C>(negatives: &[C], positives: &[C], kernel: impl Fn(&C, &C) -> f64) -> Self {
        let (n, m) = (negatives.len() as f64, positives.len() as f64);
        let mut of_positive = vec![0.0; positives.len()];
        let mut of_negative = Vec::with_capacity(negatives.len());
        let (mut squares, mut total) = (0.0, 0.0);
        for negative in negatives {
            let mut sum = 0.0;
            for (positive, of_positive) in positives.iter().zip(&mut of_positive) {
                let value = kernel(negative, positive);
                sum += value;
                squares += value * value;
                *of_positive += value / n;
            }
            total += sum;
            of_negative.push(sum / m);
        }
        Self { mean: total / (n * m), squares, of_negative, of_positive }
    }

    /// Variance by the paper's script_auc.R: from the mean squares between negatives (MSA),
    /// between positives (MSB) and in total (MST).
    fn variance(&self) -> f64 {
        let (n, m) = (self.of_negative.len() as f64, self.of_positive.len() as f64);
        let msa = m * sample_variance(&self.of_negative);
        let msb = n * sample_variance(&self.of_positive);
        // (nm - 1) MST
        let total = self.squares - n * m * self.mean * self.mean;
        let error = (total - (n - 1.0) * msa - (m - 1.0) * msb) / ((n - 1.0) * (m - 1.0));
        ((msa + msb - error) / (m * n)).max(0.0)
    }

    fn delong_variance(&self) -> f64 {
        let (n, m) = (self.of_negative.len() as f64, self.of_positive.len() as f64);
        sample_variance(&self.of_negative) / n + sample_variance(&self.of_positive) / m
    }
}

/// The sample variance, with divisor n - 1.
fn sample_variance(values: &[f64]) -> f64 {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1.0)
}

fn two_sided_p(difference: f64, sd: f64) -> Option<f64> {
    (sd > 0.0).then(|| erfc(difference.abs() / sd / std::f64::consts::SQRT_2))
}

/// Complementary error function of `x >= 0`, with a relative error of about 1e-7. Source: the
/// Chebyshev fit of Press et al., Numerical Recipes, 6.2.
fn erfc(x: f64) -> f64 {
    const FIT: [f64; 10] = [
        -1.265_512_23,
        1.000_023_68,
        0.374_091_96,
        0.096_784_18,
        -0.186_288_06,
        0.278_868_07,
        -1.135_203_98,
        1.488_515_87,
        -0.822_152_23,
        0.170_872_77,
    ];
    let t = 1.0 / (1.0 + 0.5 * x);
    let fit = FIT.iter().rev().fold(0.0, |sum, factor| sum * t + factor);
    t * (fit - x * x).exp()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cases() -> impl Strategy<Value = (Vec<bool>, Vec<f64>)> {
        (2_usize..8, 2_usize..8).prop_flat_map(|(n, m)| {
            proptest::collection::vec(0_u8..6, n + m).prop_map(move |scores| {
                let truth = (0..n + m).map(|i| i >= n).collect();
                (truth, scores.into_iter().map(|s| f64::from(s) / 4.0).collect())
            })
        })
    }

    proptest! {
        #[test]
        fn the_auc_is_the_area_under_the_curve((truth, scores) in cases()) {
            let area: f64 = roc(&truth, &scores).unwrap().windows(2).map(|pair| {
                (pair[1].false_positive_rate - pair[0].false_positive_rate)
                    * (pair[1].true_positive_rate + pair[0].true_positive_rate) / 2.0
            }).sum();
            prop_assert!((auc(&truth, &scores).unwrap().auc - area).abs() < 1e-12);
        }

        #[test]
        fn negated_scores_give_the_complement((truth, scores) in cases()) {
            let turned: Vec<f64> = scores.iter().map(|score| -score).collect();
            let (a, b) = (auc(&truth, &scores).unwrap(), auc(&truth, &turned).unwrap());
            prop_assert!((a.auc + b.auc - 1.0).abs() < 1e-12);
            prop_assert!((a.sd - b.sd).abs() < 1e-9 && (a.delong_sd - b.delong_sd).abs() < 1e-9);
        }

        #[test]
        fn the_difference_is_that_of_the_two_aucs((truth, scores) in cases()) {
            let other: Vec<f64> = scores.iter().rev().map(|score| score * 2.0).collect();
            let found = auc_difference(&truth, &scores, &other).unwrap();
            let expected = auc(&truth, &scores).unwrap().auc - auc(&truth, &other).unwrap().auc;
            prop_assert!((found.difference - expected).abs() < 1e-12);
            let none = auc_difference(&truth, &scores, &scores).unwrap();
            prop_assert_eq!((none.difference, none.sd, none.p), (0.0, 0.0, None));
        }
    }

    #[test]
    fn the_error_function_equals_scipys() {
        // scipy.special.erfc
        for (x, expected) in
            [(0.0, 1.0), (0.5, 0.479_500_122), (1.385_903_8, 0.05), (3.0, 2.209_05e-5)]
        {
            assert!((erfc(x) - expected).abs() < 1e-6, "{x}");
        }
    }

    #[test]
    fn errors_name_the_cases_without_an_auc() {
        let message = auc(&[true, false, false], &[1.0, 0.0, 0.0]).unwrap_err().to_string();
        assert!(message.contains("1 positive and 2 negative"), "{message}");
        let message = auc(&[true, false], &[1.0, f64::NAN]).unwrap_err().to_string();
        assert!(message.contains("case 2"), "{message}");
    }
}
