//! The summary of repeats of one measurement. Pure arithmetic.

use serde::Serialize;

/// Median and range of repeats.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct MedianRange {
    /// The middle value, or the mean of the middle two.
    pub median: f64,
    /// The smallest value.
    pub least: f64,
    /// The largest value.
    pub most: f64,
}

impl MedianRange {
    /// The median and range of `values`; `None` if there are none.
    #[must_use]
    pub(crate) fn from_values(values: &[f64]) -> Option<Self> {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (least, most) = (*sorted.first()?, *sorted.last()?);
        let middle = sorted.len() / 2;
        let median = if sorted.len() % 2 == 1 {
            sorted[middle]
        } else {
            f64::midpoint(sorted[middle - 1], sorted[middle])
        };
        Some(Self { median, least, most })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_of_odd_and_even_counts() {
        assert_eq!(MedianRange::from_values(&[]), None);
        let odd = MedianRange::from_values(&[9.0, 1.0, 4.0]).unwrap();
        assert_eq!((odd.median, odd.least, odd.most), (4.0, 1.0, 9.0));
        assert!((MedianRange::from_values(&[4.0, 1.0]).unwrap().median - 2.5).abs() < 1e-12);
    }
}
