//! The classes that a network scores. Pure.

/// Scores of the positive class of at least this are detections.
pub(super) const DETECTION: f64 = 0.5;

/// The classes of a network, whose scores are `[window, class]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Classes {
    pub(super) count: usize,
    /// Index of the positive class.
    pub(super) positive: usize,
}

impl Classes {
    /// The scores of the positive class, window by window.
    pub(super) fn positives(self, scores: &[f32]) -> impl Iterator<Item = f32> {
        scores.iter().skip(self.positive).step_by(self.count).copied()
    }
}
