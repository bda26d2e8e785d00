//! The cut between trunk and head, and the work that it saves. Pure arithmetic.

use super::layers::Layers;

/// The map between trunk and head, for one window.
///
/// Overlapping windows have its elements in common except for the rims: the first `before`
/// and the last `after` rows and columns, which depend on the border of the window. An
/// image that starts where the window starts has the same first rows and columns if it is
/// at least `before_px` wide; an image that ends where the window ends has the same last
/// ones if it is at least `after_px` wide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CutMap {
    /// Number of channels.
    pub channels: usize,
    /// Number of rows, which is also the number of columns.
    pub side: usize,
    /// Distance between neighbouring elements, px; divides the stride.
    pub jump_px: u32,
    /// Rows, and columns, at the start that depend on the window's border.
    pub before: usize,
    /// Rows, and columns, at the end that depend on the window's border.
    pub after: usize,
    /// Pixels from the window's start that the first `before` rows need; 0 without a rim.
    pub before_px: u32,
    /// Pixels to the window's end that the last `after` rows need; 0 without a rim.
    pub after_px: u32,
}

/// The first layers of a network, which overlapping windows share.
#[derive(Debug, Clone)]
pub struct Trunk {
    /// The map that they make of one window.
    pub map: CutMap,
    /// The layers.
    pub(super) layers: Layers,
    /// Multiplications saved per window, if there are many windows.
    pub(super) spared: i64,
}

impl Trunk {
    /// Cost of running the trunk over an image, in multiplications.
    #[must_use]
    pub fn cost(&self, rows_px: u32, cols_px: u32) -> u64 {
        self.layers.cost([rows_px, cols_px].map(i64::from))
    }

    /// The trunk that ends with the last of `layers`; `None` if windows of `window_px`,
    /// `stride_px` apart, share nothing of its map or save no work.
    pub(super) fn ending_with(layers: Layers, window_px: u32, stride_px: u32) -> Option<Self> {
        let (last, window_px) = (layers.last(), i64::from(window_px));
        let [rows, cols] = layers.maps(window_px)?;
        let jump_px = last.jump_px[0];
        let square = rows.count == cols.count && last.jump_px[1] == jump_px && last.channels_first;
        let (before, after) = (rows.before.max(cols.before), rows.after.max(cols.after));
        if !square || i64::from(stride_px) % jump_px != 0 || rows.count <= before + after {
            return None;
        }
        let (before_px, after_px) =
            rims_px(&layers, window_px, MapRims { count: rows.count, before, after })?;
        let cost = |sides_px: [i64; 2]| i64::try_from(layers.cost(sides_px)).ok();
        let rims_px = [before_px, after_px];
        let corners = rims_px.iter().flat_map(|&rows| rims_px.map(|cols| [rows, cols]));
        let corners: Option<i64> = corners.map(cost).sum();
        // Every element of the map is copied twice.
        let copied = 2 * last.channels * rows.count * cols.count;
        let spared = cost([window_px; 2])? - corners? - copied;
        let map = CutMap {
            channels: usize::try_from(last.channels).ok()?,
            side: usize::try_from(rows.count).ok()?,
            jump_px: u32::try_from(jump_px).ok()?,
            before: usize::try_from(before).ok()?,
            after: usize::try_from(after).ok()?,
            before_px: u32::try_from(before_px).ok()?,
            after_px: u32::try_from(after_px).ok()?,
        };
        (spared > 0).then_some(Self { map, layers, spared })
    }
}

/// The elements of a window's map along an axis.
struct MapRims {
    count: i64,
    /// Those of the rim at the start.
    before: i64,
    /// Those of the rim at the end.
    after: i64,
}

/// Sides of the smallest images whose maps have the rims of the window's map: one that
/// starts where the window starts, for the first `before` of `count` elements, and one that
/// ends where the window ends, for the last `after`.
fn rims_px(
    layers: &Layers,
    window_px: i64,
    MapRims { count, before, after }: MapRims,
) -> Option<(i64, i64)> {
    let jump_px = layers.last().jump_px[0];
    let all = |px: i64| count - (window_px - px) / jump_px;
    let has_start = |px: &i64| {
        let maps = layers.maps(*px);
        maps.is_some_and(|maps| maps.iter().all(|axis| axis.count - axis.after >= before))
    };
    let has_end = |px: &i64| {
        let fits = |maps: [super::padded_axis::PaddedAxis; 2]| {
            maps.iter().all(|axis| axis.count == all(*px) && axis.before + after <= all(*px))
        };
        layers.maps(*px).is_some_and(fits)
    };
    let start = (1..=window_px / jump_px).map(|elements| elements * jump_px).find(has_start);
    let end = (0..window_px / jump_px).rev().map(|more| window_px - more * jump_px).find(has_end);
    Some((if before == 0 { 0 } else { start? }, if after == 0 { 0 } else { end? }))
}
