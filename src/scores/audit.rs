//! Statistical bounds on the share of points that a cascade missed, from the result of its
//! audit.

/// Confidence of the bounds.
const CONFIDENCE: f64 = 0.95;

/// Largest rounding error of probabilities that are computed from logarithms of factorials.
const ROUNDING: f64 = 1e-6;

/// Upper bound, 0..=1, on the share of missed points if `missed` of `audited` randomly drawn
/// points were missed. In at most 5 of 100 audits, the true share exceeds the bound.
///
/// Source: the one-sided bound of Clopper and Pearson, "The use of confidence or fiducial limits
/// illustrated in the case of the binomial" (Biometrika 26, 1934). The bound is the share p at
/// which `missed` or fewer have a probability of 0.05. If none was missed, the bound is about
/// 3 / `audited`.
#[must_use]
pub(crate) fn missed_bound(missed: u64, audited: u64) -> f64 {
    if missed >= audited {
        return 1.0;
    }
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if binomial_cdf(missed, audited, middle) > 1.0 - CONFIDENCE {
            low = middle;
        } else {
            high = middle;
        }
    }
    high
}

/// Upper bound, 0..=1, on the share of missed points among `points` if `missed` of `drawn`
/// points, drawn at random without replacement, were missed. In at most 5 of 100 audits, the
/// true share exceeds the bound. Without drawn points the bound is 1.
///
/// This is [`missed_bound`] for a finite number of points: the largest number of missed points
/// at which the hypergeometric probability of finding `missed` or fewer is above 0.05. If every
/// point is drawn, the bound is the share that was found.
#[must_use]
pub(crate) fn missed_bound_finite(points: u64, missed: u64, drawn: u64) -> f64 {
    if drawn == 0 || points == 0 || missed > drawn || drawn > points {
        return 1.0;
    }
    // At least `missed` points are missed. More than `high` cannot be, because the other drawn
    // points were not.
    let (mut low, mut high) = (missed, points - (drawn - missed));
    while low < high {
        let middle = low + (high - low).div_ceil(2);
        if hypergeometric_cdf(missed, points, middle, drawn) > 1.0 - CONFIDENCE + ROUNDING {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    low as f64 / points as f64
}

/// The number of `points` to draw so that `missed_bound_finite` is at most `bound` if none of the
/// drawn points was missed.
#[must_use]
pub fn points_to_draw(points: u64, bound: f64) -> u64 {
    let (mut low, mut high) = (0, points);
    while low < high {
        let middle = u64::midpoint(low, high);
        if missed_bound_finite(points, 0, middle) <= bound {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    low
}

/// Binomial probability of at most `missed` of `audited`, each with probability `p`.
fn binomial_cdf(missed: u64, audited: u64, p: f64) -> f64 {
    let (n, odds) = (audited as f64, (p / (1.0 - p)).ln());
    let mut term = n * (-p).ln_1p();
    let mut sum = term.exp();
    for k in 0..missed {
        let k = k as f64;
        term += ((n - k) / (k + 1.0)).ln() + odds;
        sum += term.exp();
    }
    sum
}

/// Hypergeometric probability that at most `found` of the `all_missed` points are among `drawn`
/// of `points`.
fn hypergeometric_cdf(found: u64, points: u64, all_missed: u64, drawn: u64) -> f64 {
    let sound = points - all_missed;
    let least = drawn.saturating_sub(sound);
    let ways =
        |k: u64| ln_choose(all_missed, k) + ln_choose(sound, drawn - k) - ln_choose(points, drawn);
    (least..=found.min(all_missed).min(drawn)).map(|k| ways(k).exp()).sum()
}

/// Logarithm of the number of ways to choose `k` of `n`.
fn ln_choose(n: u64, k: u64) -> f64 {
    ln_factorial(n) - ln_factorial(k) - ln_factorial(n - k)
}

/// Logarithm of `n`!, by Stirling's series from 16 on.
fn ln_factorial(n: u64) -> f64 {
    if n < 16 {
        return (2..=n).map(|k| (k as f64).ln()).sum();
    }
    let x = n as f64;
    let series = 1.0 / (12.0 * x) - 1.0 / (360.0 * x.powi(3)) + 1.0 / (1260.0 * x.powi(5));
    x * x.ln() - x + 0.5 * (2.0 * std::f64::consts::PI * x).ln() + series
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn bounds_equal_those_of_clopper_and_pearson() {
        // scipy.stats.beta.ppf(0.95, k + 1, n - k)
        for (missed, audited, expected) in [
            (0, 10, 0.258_865_6),
            (0, 100, 0.029_513_0),
            (0, 3000, 0.000_998_1),
            (1, 100, 0.046_559_8),
            (5, 200, 0.051_843_3),
            (40, 50, 0.887_278_4),
        ] {
            let found = missed_bound(missed, audited);
            assert!((found - expected).abs() < 2e-6, "{missed} of {audited}: {found}");
        }
        assert_eq!(missed_bound(0, 0), 1.0);
        assert_eq!(missed_bound(3, 3), 1.0);
    }

    #[test]
    fn bounds_for_finite_numbers_of_points_are_hypergeometric() {
        // max(m for m in range(n) if scipy.stats.hypergeom.cdf(k, n, m, d) > 0.05)
        for (points, missed, drawn, expected) in [
            (20, 0, 5, 8),
            (1000, 0, 300, 8),
            (1000, 2, 300, 18),
            (26_460, 0, 890, 87),
            (26_460, 1, 890, 138),
            (2_000_000, 0, 907, 6593),
            (2_000_000, 5, 907, 23_108),
            (47, 3, 20, 14),
            (100, 0, 99, 0),
        ] {
            let found = missed_bound_finite(points, missed, drawn) * points as f64;
            assert!((found - f64::from(expected)).abs() < 1e-6, "{missed} of {drawn} of {points}");
        }
        assert_eq!(missed_bound_finite(50, 0, 50), 0.0);
        assert_eq!(missed_bound_finite(50, 3, 50), 0.06);
        assert_eq!((missed_bound_finite(50, 0, 0), missed_bound_finite(0, 0, 0)), (1.0, 1.0));
    }

    #[test]
    fn the_number_of_points_to_draw_follows_from_the_bound() {
        assert_eq!(points_to_draw(100_000_000, 0.0033), 907);
        assert_eq!(points_to_draw(0, 0.0033), 0);
        // None of 100 points may be missed, so a single missed one must be drawn with 95 %.
        assert_eq!(points_to_draw(100, 0.0033), 95);
        assert_eq!(points_to_draw(100, 0.0), 95);
        assert_eq!(points_to_draw(100, 1.0), 0);
    }

    proptest! {
        #[test]
        fn the_drawn_points_meet_the_bound_and_one_less_does_not(
            points in 1u64..2_000_000, bound in 0.0005f64..0.2,
        ) {
            let drawn = points_to_draw(points, bound);
            prop_assert!(drawn <= points && missed_bound_finite(points, 0, drawn) <= bound);
            prop_assert!(missed_bound_finite(points, 0, drawn - 1) > bound);
            // Draws from infinitely many points would need at least as many.
            prop_assert!(missed_bound(0, drawn - 1) > bound * 0.99);
        }
    }
}
