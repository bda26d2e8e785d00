//! The three parts of a window along an axis: its rim at the start, what it shares, its
//! rim at the end. Pure arithmetic.

use std::ops::Range;

use crate::geometry::dense_tiles::GridPlace;
use crate::model::CutMap;

/// A part of a window's map along an axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Before,
    Shared,
    After,
}

const PARTS: [Part; 3] = [Part::Before, Part::Shared, Part::After];

/// A part of a window's map along both axes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PartPair {
    /// Along the rows.
    pub(super) down: Part,
    /// Along the columns.
    pub(super) across: Part,
}

impl PartPair {
    /// All nine, row by row.
    pub(super) fn all() -> impl Iterator<Item = Self> {
        PARTS.into_iter().flat_map(|down| PARTS.map(|across| Self { down, across }))
    }

    /// Which image has this part of the window at `place`: 0 along an axis where all
    /// windows share it.
    pub(super) fn image_of(self, GridPlace { row, col }: GridPlace) -> GridPlace {
        let along = |part: Part, at: u32| if part == Part::Shared { 0 } else { at };
        GridPlace { row: along(self.down, row), col: along(self.across, col) }
    }
}

/// Part of a patch along an axis.
#[derive(Debug, Clone, Copy)]
pub(super) struct Along {
    /// Where it starts in the patch.
    pub(super) start_px: i64,
    pub(super) length_px: u32,
}

impl Part {
    /// Elements of a window's map in it.
    pub(super) fn count(self, map: &CutMap) -> usize {
        match self {
            Self::Before => map.before,
            Self::Shared => map.side - map.before - map.after,
            Self::After => map.after,
        }
    }

    /// Where it starts in a window's map.
    pub(super) fn place(self, map: &CutMap) -> usize {
        match self {
            Self::Before => 0,
            Self::Shared => map.before,
            Self::After => map.side - map.after,
        }
    }

    /// The image that has it for a window of `window_px`, `offset_px` behind the region's
    /// start.
    pub(super) fn image(
        self,
        map: &CutMap,
        region: Along,
        window_px: u32,
        offset_px: u32,
    ) -> Along {
        let window_start_px = region.start_px + i64::from(offset_px);
        let after_px = i64::from(window_px - map.after_px);
        match self {
            Self::Before => Along { start_px: window_start_px, length_px: map.before_px },
            Self::Shared => region,
            Self::After => Along { start_px: window_start_px + after_px, length_px: map.after_px },
        }
    }

    /// What is kept of that image's map of `count` elements.
    pub(super) fn kept(self, map: &CutMap, count: usize) -> Range<usize> {
        match self {
            Self::Before => 0..map.before,
            Self::Shared => 0..count,
            Self::After => count - map.after..count,
        }
    }

    /// Where a window `offset_px` behind the region's start has it in what is kept.
    pub(super) fn found(self, map: &CutMap, offset_px: u32) -> usize {
        match self {
            Self::Before | Self::After => 0,
            Self::Shared => (offset_px / map.jump_px) as usize + map.before,
        }
    }
}
