//! Scores on their way from a worker to the ledger.

use std::time::Duration;

/// Scores of some windows.
pub(super) struct Scored {
    /// Numbers of the windows in the group.
    pub(super) numbers: Vec<usize>,
    /// `[window, class]`
    pub(super) scores: Vec<f32>,
    /// Time spent in the network.
    pub(super) infer: Duration,
    /// Pixels of the images that the network ran over for them.
    pub(super) computed_px: u64,
    /// Whether the windows shared their first layers.
    pub(super) shared: bool,
}
