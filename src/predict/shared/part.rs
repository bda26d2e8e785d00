//! The three parts of a window's map along an axis: the border at its start, the middle, which
//! windows share, and the border at its end. Pure arithmetic.

use std::ops::Range;

use crate::geometry::dense_tiles::GridPlace;
use crate::model::CutMap;

/// A part of a window's map along an axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AxisPart {
    Before,
    Shared,
    After,
}

const PARTS: [AxisPart; 3] = [AxisPart::Before, AxisPart::Shared, AxisPart::After];

/// A part of a window's map along both axes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PartPair {
    /// Along the rows.
    pub(super) down: AxisPart,
    /// Along the columns.
    pub(super) across: AxisPart,
}

impl PartPair {
    /// All nine pairs, row by row.
    pub(super) fn all() -> impl Iterator<Item = Self> {
        PARTS.into_iter().flat_map(|down| PARTS.map(|across| Self { down, across }))
    }

    /// The place of the image that holds this part of the window at `place`: 0 along an axis on
    /// which all windows share the part.
    pub(super) fn image_of(self, GridPlace { row, col }: GridPlace) -> GridPlace {
        let along = |part: AxisPart, at: u32| if part == AxisPart::Shared { 0 } else { at };
        GridPlace { row: along(self.down, row), col: along(self.across, col) }
    }
}

/// An interval of a patch along an axis.
#[derive(Debug, Clone, Copy)]
pub(super) struct PatchInterval {
    /// Where the interval starts in the patch; negative before the patch.
    pub(super) start_px: i64,
    pub(super) length_px: u32,
}

impl AxisPart {
    /// Number of elements of a window's map in this part.
    pub(super) fn count(self, map: &CutMap) -> usize {
        match self {
            Self::Before => map.before,
            Self::Shared => map.side - map.before - map.after,
            Self::After => map.after,
        }
    }

    /// First element of this part in a window's map.
    pub(super) fn place(self, map: &CutMap) -> usize {
        match self {
            Self::Before => 0,
            Self::Shared => map.before,
            Self::After => map.side - map.after,
        }
    }

    /// The image that this part is computed from, for a window of `window_px` that starts
    /// `offset_px` after the region.
    pub(super) fn image(
        self,
        map: &CutMap,
        region: PatchInterval,
        window_px: u32,
        offset_px: u32,
    ) -> PatchInterval {
        let window_start_px = region.start_px + i64::from(offset_px);
        let after_px = i64::from(window_px - map.after_px);
        match self {
            Self::Before => PatchInterval { start_px: window_start_px, length_px: map.before_px },
            Self::Shared => region,
            Self::After => {
                PatchInterval { start_px: window_start_px + after_px, length_px: map.after_px }
            }
        }
    }

    /// The elements to keep of that image's map, which has `count`.
    pub(super) fn kept(self, map: &CutMap, count: usize) -> Range<usize> {
        match self {
            Self::Before => 0..map.before,
            Self::Shared => 0..count,
            Self::After => count - map.after..count,
        }
    }

    /// The first element of this part among those kept, for a window that starts `offset_px`
    /// after the region.
    pub(super) fn found(self, map: &CutMap, offset_px: u32) -> usize {
        match self {
            Self::Before | Self::After => 0,
            Self::Shared => (offset_px / map.jump_px) as usize + map.before,
        }
    }
}
