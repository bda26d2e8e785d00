//! Windows gathered into batches, across patches.

use std::sync::Arc;

use super::prepare::PreparedPatch;
use crate::geometry::lattice::LatticePoint;

/// Windows to run together; the first is number `start` of the group.
pub(super) struct Batch {
    pub(super) start: usize,
    pub(super) windows: Vec<(Arc<PreparedPatch>, LatticePoint)>,
}

/// Collects windows until a batch is full, so that patches with few windows
/// do not make small batches.
pub(super) struct Batcher {
    size: usize,
    next: usize,
    windows: Vec<(Arc<PreparedPatch>, LatticePoint)>,
}

impl Batcher {
    pub(super) fn new(size: usize) -> Self {
        Self { size: size.max(1), next: 0, windows: Vec::new() }
    }

    /// Adds a window; returns the batch it completes.
    pub(super) fn push(
        &mut self,
        patch: &Arc<PreparedPatch>,
        point: LatticePoint,
    ) -> Option<Batch> {
        self.windows.push((Arc::clone(patch), point));
        (self.windows.len() == self.size).then(|| self.take())
    }

    /// Passes over the next `count` windows, which are not to be run; returns
    /// those gathered before them.
    pub(super) fn skip(&mut self, count: usize) -> Option<Batch> {
        let before = (!self.windows.is_empty()).then(|| self.take());
        self.next += count;
        before
    }

    /// What is left, when anything is.
    pub(super) fn rest(mut self) -> Option<Batch> {
        (!self.windows.is_empty()).then(|| self.take())
    }

    fn take(&mut self) -> Batch {
        let windows = std::mem::take(&mut self.windows);
        let start = self.next;
        self.next += windows.len();
        Batch { start, windows }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn windows_keep_their_numbers_around_those_skipped(
            runs in proptest::collection::vec((0usize..30, any::<bool>()), 0..20), size in 1usize..9,
        ) {
            let patch = Arc::new(PreparedPatch::default());
            let point = |i: usize| LatticePoint { row: i as i32, col: 0, patch_x_px: 0, patch_y_px: 0 };
            let mut batcher = Batcher::new(size);
            let (mut next, mut batches, mut expected) = (0, Vec::new(), Vec::new());
            for (count, skipped) in runs {
                if skipped {
                    batches.extend(batcher.skip(count));
                } else {
                    expected.extend(next..next + count);
                    batches.extend((next..next + count).filter_map(|i| batcher.push(&patch, point(i))));
                }
                next += count;
            }
            batches.extend(batcher.rest());
            let numbers: Vec<usize> = batches.iter()
                .flat_map(|b| b.windows.iter().enumerate().map(|(i, (_, p))| {
                    assert_eq!(b.start + i, p.row as usize);
                    b.start + i
                }))
                .collect();
            prop_assert_eq!(numbers, expected);
        }

        #[test]
        fn every_window_is_in_one_batch_in_order(count in 0usize..100, size in 1usize..20) {
            let patch = Arc::new(PreparedPatch::default());
            let point = |i: usize| LatticePoint { row: i as i32, col: 0, patch_x_px: 0, patch_y_px: 0 };
            let mut batcher = Batcher::new(size);
            let mut batches: Vec<Batch> = (0..count).filter_map(|i| batcher.push(&patch, point(i))).collect();
            prop_assert!(batches.iter().all(|b| b.windows.len() == size));
            batches.extend(batcher.rest());
            let rows: Vec<usize> = batches.iter()
                .flat_map(|b| b.windows.iter().enumerate().map(|(i, (_, p))| {
                    assert_eq!(b.start + i, p.row as usize);
                    p.row as usize
                }))
                .collect();
            prop_assert_eq!(rows, (0..count).collect::<Vec<_>>());
        }
    }
}
