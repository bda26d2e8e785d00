//! Otsu's threshold, equal to that of scikit-image on 8-bit images.
//!
//! Source: N. Otsu, "A threshold selection method from gray-level histograms", IEEE
//! Trans. SMC 9 (1979) 62-66. The precision of the arithmetic and the choice among equal
//! maxima follow `skimage.filters.threshold_otsu` (0.26): counts and class weights are f32,
//! class means are f64, and the first of equal maxima is taken.

/// The number of times that each value 0..=255 occurs.
pub(crate) fn histogram<'a>(values: impl IntoIterator<Item = &'a u8>) -> [u64; 256] {
    let mut counts = [0; 256];
    for &value in values {
        counts[usize::from(value)] += 1;
    }
    counts
}

/// Otsu's threshold of a histogram: the largest value of the darker class.
///
/// A histogram of a single value has that value as its threshold; an empty histogram has
/// none.
pub(crate) fn threshold_otsu(counts: &[u64; 256]) -> Option<u8> {
    let low = counts.iter().position(|&n| n > 0)?;
    let high = counts.iter().rposition(|&n| n > 0)?;
    let bins = &counts[low..=high];
    let centre = |bin: usize| (low + bin) as f64;
    #[expect(clippy::cast_precision_loss, reason = "scikit-image counts in float32 too")]
    let count = |bin: usize| bins[bin] as f32;

    // upper[bin]: weight and mean of the bins from `bin` on.
    let mut upper = vec![(0.0_f32, 0.0_f64); bins.len()];
    let (mut weight, mut moment) = (0.0_f32, 0.0_f64);
    for bin in (0..bins.len()).rev() {
        weight += count(bin);
        moment += f64::from(count(bin)) * centre(bin);
        upper[bin] = (weight, moment / f64::from(weight));
    }

    let (mut best_bin, mut best_variance) = (0, f64::NEG_INFINITY);
    let (mut weight, mut moment) = (0.0_f32, 0.0_f64);
    for bin in 0..bins.len() - 1 {
        weight += count(bin);
        moment += f64::from(count(bin)) * centre(bin);
        let (upper_weight, upper_mean) = upper[bin + 1];
        let gap = moment / f64::from(weight) - upper_mean;
        let variance = f64::from(weight * upper_weight) * (gap * gap);
        if variance > best_variance {
            (best_bin, best_variance) = (bin, variance);
        }
    }
    Some(u8::try_from(low + best_bin).expect("a bin of 256"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn otsu_of(values: &[u8]) -> Option<u8> {
        threshold_otsu(&histogram(values))
    }

    #[test]
    fn degenerate_images_have_a_defined_threshold() {
        assert_eq!(otsu_of(&[]), None);
        assert_eq!(otsu_of(&[255; 9]), Some(255));
        assert_eq!(otsu_of(&[0]), Some(0));
        // All cuts between two values are equally good: the first is taken.
        assert_eq!(otsu_of(&[10, 10, 200]), Some(10));
    }

    #[test]
    fn thresholds_equal_those_of_scikit_image() {
        let cases: Vec<serde_json::Value> =
            serde_json::from_str(include_str!("../../tests/reference/otsu.json")).unwrap();
        assert!(cases.len() > 200);
        for case in cases {
            let mut counts = [0_u64; 256];
            let pairs: Vec<(usize, u64)> =
                serde_json::from_value(case["histogram"].clone()).unwrap();
            for (value, count) in pairs {
                counts[value] = count;
            }
            let threshold = threshold_otsu(&counts).map(u64::from);
            assert_eq!(threshold, case["threshold"].as_u64(), "{}", case["name"]);
        }
    }

    proptest! {
        #[test]
        fn a_threshold_splits_the_range(values in proptest::collection::vec(any::<u8>(), 2..200)) {
            let (low, high) = (values.iter().min().unwrap(), values.iter().max().unwrap());
            let threshold = otsu_of(&values).unwrap();
            prop_assert!(*low <= threshold && threshold <= *high);
            prop_assert!(low == high || threshold < *high);
        }

        #[test]
        fn a_threshold_moves_with_the_image(
            values in proptest::collection::vec(0_u8..200, 2..200), shift in 0_u8..55,
        ) {
            let moved: Vec<u8> = values.iter().map(|v| v + shift).collect();
            // Rounding may break ties differently, so the two splits must be equally good.
            let (a, b) = (otsu_of(&values).unwrap(), otsu_of(&moved).unwrap() - shift);
            let variance = |t: u8| between_class_variance(&values, t);
            prop_assert!((variance(a) - variance(b)).abs() <= 1e-9 * variance(a).max(1.0));
        }
    }

    fn between_class_variance(values: &[u8], threshold: u8) -> f64 {
        let (low, high): (Vec<f64>, Vec<f64>) =
            values.iter().map(|&v| f64::from(v)).partition(|&v| v <= f64::from(threshold));
        let mean = |v: &[f64]| v.iter().sum::<f64>() / v.len().max(1) as f64;
        low.len() as f64 * high.len() as f64 * (mean(&low) - mean(&high)).powi(2)
    }
}
