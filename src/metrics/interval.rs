//! Intervals, and resampling slides for them.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

/// From, to.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// 0.975 quantile of the normal distribution: a 95 % interval's half width.
pub const Z_95: f64 = 1.959_963_984_540_054;

impl Interval {
    /// 95 % interval of a normally distributed estimate of a share.
    pub fn normal_95(estimate: f64, sd: f64) -> Self {
        let half = Z_95 * sd;
        Self { low: (estimate - half).max(0.0), high: (estimate + half).min(1.0) }
    }
}

/// How often each of `slides` slides is drawn, draw after draw, with
/// replacement; never ends.
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

/// The quantiles that leave out `1 - confidence`, half at each end, linear
/// between values (numpy's default). `None` without values.
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
    fn quantiles_are_numpys() {
        // np.quantile([1, 2, 4, 8], [0.05, 0.95])
        let found = percentile_interval(vec![8.0, 1.0, 4.0, 2.0], 0.9).unwrap();
        assert!((found.low - 1.15).abs() < 1e-12 && (found.high - 7.4).abs() < 1e-12);
        assert_eq!(percentile_interval(Vec::new(), 0.9), None);
    }

    #[test]
    fn draws_have_as_many_slides_as_there_are() {
        let draws: Vec<_> = resample_counts(7, 1).take(20).collect();
        assert!(draws.iter().all(|counts| counts.iter().sum::<usize>() == 7));
        assert_ne!(draws[0], draws[1]);
    }
}
