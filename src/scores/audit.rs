//! How much can have been missed, given what an audit found.

/// Confidence of the bound.
const CONFIDENCE: f64 = 0.95;

/// Upper bound on the share that was missed, when `missed` of `audited` points
/// drawn at random were: 0..=1, exceeded in at most 5 of 100 audits.
///
/// The one-sided bound of Clopper and Pearson, "The use of confidence or fiducial
/// limits illustrated in the case of the binomial" (Biometrika 26, 1934): the
/// share p at which `missed` or fewer have a probability of 0.05. With nothing
/// missed it is about 3 / `audited`.
#[must_use]
pub fn missed_bound(missed: u64, audited: u64) -> f64 {
    if missed >= audited {
        return 1.0;
    }
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if at_most(missed, audited, middle) > 1.0 - CONFIDENCE {
            low = middle;
        } else {
            high = middle;
        }
    }
    high
}

/// Probability of at most `missed` of `audited`, each with probability `p`.
fn at_most(missed: u64, audited: u64, p: f64) -> f64 {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_clopper_and_pearson_s() {
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
}
