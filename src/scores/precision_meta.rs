//! Attributes of scores from a network that ran in less precision than f32.

use crate::hdf5_file::{Attributes, FormatError};

/// The deviation of the positive class's scores from those in f32, on sampled windows.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct PrecisionMeta {
    /// Number of windows that were scored in both precisions; a cascade counts each twice.
    pub windows: u64,
    /// Largest absolute difference; 0 without windows.
    pub max: f64,
    /// Mean absolute difference; 0 without windows.
    pub mean: f64,
    /// Largest difference that is accepted.
    pub tolerance: f64,
    /// Whether a larger difference was accepted because the user forced it.
    pub forced: bool,
}

impl PrecisionMeta {
    /// Statistics of absolute differences, which may be in any order.
    #[must_use]
    pub fn from_differences(mut differences: Vec<f64>) -> Self {
        // Sorted, so that the sum does not depend on the order of the threads.
        differences.sort_by(f64::total_cmp);
        let windows = differences.len() as u64;
        let mean = differences.iter().sum::<f64>() / windows.max(1) as f64;
        let max = differences.last().copied().unwrap_or(0.0);
        Self { windows, max, mean, ..Self::default() }
    }

    /// Statistics of two groups together.
    #[must_use]
    pub fn sum(a: Option<Self>, b: Option<Self>) -> Option<Self> {
        let (Some(a), Some(b)) = (a, b) else { return a.or(b) };
        let windows = a.windows + b.windows;
        let total = a.mean * a.windows as f64 + b.mean * b.windows as f64;
        Some(Self {
            windows,
            max: a.max.max(b.max),
            mean: total / windows.max(1) as f64,
            tolerance: a.tolerance.max(b.tolerance),
            forced: a.forced || b.forced,
        })
    }

    pub(crate) fn write_attributes(&self, attributes: &Attributes<'_>) -> Result<(), FormatError> {
        attributes.put_u64("precision_sample_windows", self.windows)?;
        attributes.put_f64("precision_deviation_max", self.max)?;
        attributes.put_f64("precision_deviation_mean", self.mean)?;
        attributes.put_f64("precision_tolerance", self.tolerance)?;
        attributes.put_i64("precision_forced", i64::from(self.forced))
    }

    pub(crate) fn read_attributes(
        attributes: &Attributes<'_>,
    ) -> Result<Option<Self>, FormatError> {
        if !attributes.contains("precision_sample_windows")? {
            return Ok(None);
        }
        Ok(Some(Self {
            windows: attributes.u64("precision_sample_windows")?,
            max: attributes.f64("precision_deviation_max")?,
            mean: attributes.f64("precision_deviation_mean")?,
            tolerance: attributes.f64("precision_tolerance")?,
            forced: attributes.u64("precision_forced")? != 0,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_weighted_by_their_windows() {
        let a = PrecisionMeta::from_differences(vec![0.1, 0.3]);
        let b = PrecisionMeta {
            forced: true,
            ..PrecisionMeta::from_differences(vec![0.0, 0.0, 0.2, 0.0])
        };
        let sum = PrecisionMeta::sum(Some(a), Some(b)).unwrap();
        assert_eq!((sum.windows, sum.max, sum.forced), (6, 0.3, true));
        assert!((sum.mean - 0.1).abs() < 1e-12);
        assert_eq!(PrecisionMeta::sum(None, Some(b)), Some(b));
        assert_eq!(PrecisionMeta::from_differences(Vec::new()).mean, 0.0);
    }
}
