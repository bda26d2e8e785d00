//! Windows gathered into batches, across patches.

use std::sync::Arc;

use super::prepare::PreparedPatch;
use crate::geometry::lattice::LatticePoint;

/// A window with its number in the group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NumberedPoint {
    pub(super) number: usize,
    pub(super) point: LatticePoint,
}

/// Windows to run together.
pub(super) struct Batch {
    pub(super) windows: Vec<(Arc<PreparedPatch>, NumberedPoint)>,
}

/// Collects windows until a batch is full, so that patches with few windows
/// do not make small batches.
pub(super) struct Batcher {
    size: usize,
    windows: Vec<(Arc<PreparedPatch>, NumberedPoint)>,
}

impl Batcher {
    pub(super) fn new(size: usize) -> Self {
        Self { size: size.max(1), windows: Vec::new() }
    }

    /// Adds a window; returns the batch it completes.
    pub(super) fn push(
        &mut self,
        patch: &Arc<PreparedPatch>,
        window: NumberedPoint,
    ) -> Option<Batch> {
        self.windows.push((Arc::clone(patch), window));
        (self.windows.len() == self.size).then(|| self.take())
    }

    /// Returns the last, incomplete batch, if there is one.
    pub(super) fn take_rest(&mut self) -> Option<Batch> {
        (!self.windows.is_empty()).then(|| self.take())
    }

    fn take(&mut self) -> Batch {
        Batch { windows: std::mem::take(&mut self.windows) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_window_is_in_one_batch_in_order(count in 0usize..100, size in 1usize..20) {
            let patch = Arc::new(PreparedPatch::default());
            let point = |number: usize| NumberedPoint {
                number,
                point: LatticePoint { row: 0, col: 0, patch_x_px: 0, patch_y_px: 0 },
            };
            let mut batcher = Batcher::new(size);
            let mut batches: Vec<Batch> = (0..count).filter_map(|i| batcher.push(&patch, point(i))).collect();
            prop_assert!(batches.iter().all(|b| b.windows.len() == size));
            batches.extend(batcher.take_rest());
            let numbers: Vec<usize> =
                batches.iter().flat_map(|b| b.windows.iter().map(|(_, w)| w.number)).collect();
            prop_assert_eq!(numbers, (0..count).collect::<Vec<_>>());
        }
    }
}
