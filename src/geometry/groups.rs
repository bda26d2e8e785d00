//! The division of a slide's patches into groups.

use std::ops::Range;

/// How many patches a group may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupSize {
    /// At most this many patches.
    Patches(u32),
    /// As many patches as fit this many bytes: `floor(M / S)` for a budget of `M` bytes and
    /// patches of `S` bytes, and at least one.
    Bytes(u64),
}

impl GroupSize {
    /// Patches in a full group, for patches of `patch_bytes`.
    pub fn patches(self, patch_bytes: u64) -> usize {
        let patches = match self {
            Self::Patches(patches) => u64::from(patches),
            Self::Bytes(bytes) => bytes / patch_bytes.max(1),
        };
        usize::try_from(patches.max(1)).expect("a usize has 64 bits")
    }
}

/// The groups as ranges of patch indices. Groups count from 1: group `k` is element `k - 1`.
pub fn group_ranges(patches: usize, per_group: usize) -> Vec<Range<usize>> {
    let per_group = per_group.max(1);
    (0..patches)
        .step_by(per_group)
        .map(|start| start..(start.saturating_add(per_group)).min(patches))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn memory_budget_is_floored_and_never_zero() {
        assert_eq!(GroupSize::Bytes(241_000_000).patches(602_112), 400);
        assert_eq!(GroupSize::Bytes(1).patches(602_112), 1);
        assert_eq!(GroupSize::Patches(160).patches(602_112), 160);
    }

    proptest! {
        #[test]
        fn groups_partition_the_patches(patches in 0usize..500, per_group in 1usize..60) {
            let ranges = group_ranges(patches, per_group);
            let joined: Vec<usize> = ranges.iter().cloned().flatten().collect();
            prop_assert_eq!(joined, (0..patches).collect::<Vec<_>>());
            prop_assert!(ranges.iter().all(|r| r.len() <= per_group && !r.is_empty()));
            prop_assert_eq!(ranges.len(), patches.div_ceil(per_group));
        }
    }
}
