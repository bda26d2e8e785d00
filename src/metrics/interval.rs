//! Confidence intervals, and the resampling of slides from which they come.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// An interval of numbers.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// Half the width of a 95 % interval in standard deviations: the 0.975 quantile of the normal
/// distribution.
pub const Z_95: f64 = 1.959_963_984_540_054;

impl Interval {
    /// 95 % interval of a normally distributed estimate of a share, limited to 0..1.
    pub fn normal_95(estimate: f64, sd: f64) -> Self {
        let half = Z_95 * sd;
        Self { low: (estimate - half).max(0.0), high: (estimate + half).min(1.0) }
    }
}

/// Endless samples of `slides` slides, drawn with replacement. Each item holds the number of
/// times that each slide is in the sample.
pub(super) fn resample_counts(slides: usize, seed: u64) -> impl Iterator<Item = Vec<usize>> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    std::iter::repeat_with(move || {
        let mut counts = vec![0; slides];
        for _ in 0..slides {
            counts[rng.random_range(0..slides)] += 1;
        }
        counts
    })
}

/// The interval between the two quantiles that leave out `1 - confidence`, half of it at each
/// end. Quantiles are interpolated linearly, like NumPy's default. `None` without values.
pub(super) fn percentile_interval(mut values: Vec<f64>, confidence: f64) -> Option<Interval> {
    values.sort_by(f64::total_cmp);
    let last = values.len().checked_sub(1)?;
    let quantile = |share: f64| {
        let at = share * last as f64;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0..=last")]
        let below = at.floor() as usize;
        let above = (below + 1).min(last);
        values[below] + (at - below as f64) * (values[above] - values[below])
    };
    let outside = (1.0 - confidence) / 2.0;
    Some(Interval { low: quantile(outside), high: quantile(1.0 - outside) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_equal_numpys() {
        // np.quantile([1, 2, 4, 8], [0.05, 0.95])
        let found = percentile_interval(vec![8.0, 1.0, 4.0, 2.0], 0.9).unwrap();
        assert!((found.low - 1.15).abs() < 1e-12 && (found.high - 7.4).abs() < 1e-12);
        assert_eq!(percentile_interval(Vec::new(), 0.9), None);
    }

    #[test]
    fn every_sample_has_as_many_slides_as_the_cohort() {
        let draws: Vec<_> = resample_counts(7, 1).take(20).collect();
        assert!(draws.iter().all(|counts| counts.iter().sum::<usize>() == 7));
        assert_ne!(draws[0], draws[1]);
    }
}
