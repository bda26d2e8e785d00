//! The three parts of a window along an axis: its rim at the start, what it shares, its
//! rim at the end. Pure arithmetic.

use std::ops::Range;

use crate::model::CutMap;

/// A part of a window's map along an axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Before,
    Shared,
    After,
}

pub(super) const PARTS: [Part; 3] = [Part::Before, Part::Shared, Part::After];

/// A region's windows along an axis.
#[derive(Debug, Clone, Copy)]
pub(super) struct Along {
    /// Where the region starts in the patch.
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

    /// The image that has it for a window `offset_px` behind the region's start: where
    /// it starts in the patch, and its length, px.
    pub(super) fn image(
        self,
        map: &CutMap,
        region: Along,
        (window_px, offset_px): (u32, u32),
    ) -> (i64, u32) {
        let window_start_px = region.start_px + i64::from(offset_px);
        match self {
            Self::Before => (window_start_px, map.before_px),
            Self::Shared => (region.start_px, region.length_px),
            Self::After => (window_start_px + i64::from(window_px - map.after_px), map.after_px),
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
