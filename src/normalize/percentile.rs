//! Percentiles like NumPy's default, interpolated linearly between the two nearest ranks.

use super::matrix::to_f32;

/// Number of bins into which values are counted first. Only the values of the bins that hold
/// the two ranks are then sorted.
const BINS: usize = 1024;

/// The percentile of values for a `percent` of 0 to 100; 0 without values. Values that are not
/// finite do not count.
pub(super) fn percentile(values: &[f32], percent: f64) -> f64 {
    let (low, high) = neighbours(values, percent);
    f64::from(low.0) + (f64::from(high) - f64::from(low.0)) * low.1
}

/// The value at the rank below the percentile with the fraction of the way to the next rank,
/// and the value at that next rank.
pub(super) fn neighbours(values: &[f32], percent: f64) -> ((f32, f64), f32) {
    let finite = || values.iter().copied().filter(|value| value.is_finite());
    let (mut least, mut most, mut count) = (f32::INFINITY, f32::NEG_INFINITY, 0usize);
    for value in finite() {
        (least, most, count) = (least.min(value), most.max(value), count + 1);
    }
    if count == 0 {
        return ((0.0, 0.0), 0.0);
    }
    let rank = percent.clamp(0.0, 100.0) / 100.0 * (count - 1) as f64;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to count")]
    let below = rank.floor() as usize;
    let above = (below + 1).min(count - 1);
    let scale = to_f32((BINS - 1) as f64) / (most - least);
    if !scale.is_finite() {
        return ((least, 0.0), least);
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to BINS - 1")]
    let bin = |value: f32| (((value - least) * scale) as usize).min(BINS - 1);
    let mut counts = vec![0usize; BINS];
    finite().for_each(|value| counts[bin(value)] += 1);
    let (first, before) = bin_of(&counts, below);
    let (last, _) = bin_of(&counts, above);
    let mut near: Vec<f32> =
        finite().filter(|&value| (first..=last).contains(&bin(value))).collect();
    near.sort_unstable_by(f32::total_cmp);
    ((near[below - before], rank - below as f64), near[above - before])
}

/// The bin that holds a rank, and the number of values before that bin.
fn bin_of(counts: &[usize], rank: usize) -> (usize, usize) {
    let mut before = 0;
    for (bin, &count) in counts.iter().enumerate() {
        if rank < before + count {
            return (bin, before);
        }
        before += count;
    }
    (counts.len() - 1, before)
}

/// The percentile of bytes, given the number of times that each byte occurs.
pub(super) fn percentile_of_bytes(counts: &[usize; 256], percent: f64) -> f64 {
    let count: usize = counts.iter().sum();
    if count == 0 {
        return 0.0;
    }
    let rank = percent / 100.0 * (count - 1) as f64;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to count")]
    let below = rank.floor() as usize;
    let value = |rank: usize| bin_of(counts, rank.min(count - 1)).0 as f64;
    value(below) + (value(below + 1) - value(below)) * (rank - below as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The percentile by its definition.
    fn sorted(values: &[f32], percent: f64) -> f64 {
        let mut values = values.to_vec();
        values.sort_unstable_by(f32::total_cmp);
        let rank = percent / 100.0 * (values.len() - 1) as f64;
        let (low, high) = (values[rank.floor() as usize], values[rank.ceil() as usize]);
        f64::from(low) + (f64::from(high) - f64::from(low)) * rank.fract()
    }

    proptest! {
        #[test]
        fn percentiles_by_bins_equal_those_by_sorting(
            values in proptest::collection::vec(-1e3f32..1e3, 1..400),
            repeated in 0usize..300,
            percent in 0.0f64..100.0,
        ) {
            let mut values = values;
            values.extend(std::iter::repeat_n(values[0], repeated));
            prop_assert!((percentile(&values, percent) - sorted(&values, percent)).abs() < 1e-6);
            let bytes: Vec<u8> = values.iter().map(|v| (v.abs() / 4.0) as u8).collect();
            let mut counts = [0; 256];
            bytes.iter().for_each(|&byte| counts[usize::from(byte)] += 1);
            let floats: Vec<f32> = bytes.iter().map(|&byte| f32::from(byte)).collect();
            prop_assert!((percentile_of_bytes(&counts, percent) - sorted(&floats, percent)).abs() < 1e-6);
        }
    }

    #[test]
    fn empty_and_non_finite_values_do_not_panic() {
        assert_eq!(percentile(&[], 50.0), 0.0);
        assert_eq!(percentile(&[f32::NAN, 3.0, f32::INFINITY], 99.0), 3.0);
        assert_eq!(percentile(&[2.0; 9], 99.0), 2.0);
    }
}
