//! Converts stored pixels to the input of a network: order of channels, layout and range.

use std::sync::Arc;

use super::pixels::{scale_pixels, scale_row, separate_channels};
use crate::model::{Channels, Layout, ModelCard, Range};

/// `value = pixel * scale + bias`, per channel of the network's input.
///
/// The scale and the bias combine the range, mean and std of the model card: `unit` is `(p /
/// 255 - mean) / std`, `byte` is `(p - mean) / std` and `signed` is `(p / 127.5 - 1 - mean) /
/// std`.
#[derive(Debug, Clone, PartialEq)]
pub struct Preparation {
    layout: Layout,
    window_px: usize,
    /// Network channel -> channel of the stored RGB pixels.
    source: [usize; 3],
    scale: [f32; 3],
    bias: [f32; 3],
}

/// A square patch in the network's order of channels, 0 to 255: `[channel, row, col]` for NCHW,
/// `[row, col, channel]` for NHWC.
#[derive(Debug, Default, Clone)]
pub struct PreparedPatch {
    side_px: usize,
    pixels: Vec<u8>,
}

/// A rectangle in the coordinates of a patch. The rectangle may reach beyond the patch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PatchArea {
    /// Left edge; negative if it lies to the left of the patch.
    pub x_px: i64,
    /// Top edge; negative if it lies above the patch.
    pub y_px: i64,
    /// Width.
    pub width_px: usize,
    /// Height.
    pub height_px: usize,
}

/// Prepared patches whose memory is reused: touching fresh memory takes as long as preparing.
#[derive(Debug, Default)]
pub(super) struct Buffers {
    held: Vec<Arc<PreparedPatch>>,
}

impl Buffers {
    /// Calls `prepare` on a patch that no worker holds any longer, or on a new one.
    pub(super) fn prepared(
        &mut self,
        prepare: impl FnOnce(&mut PreparedPatch),
    ) -> Arc<PreparedPatch> {
        let free = self.held.iter().position(|patch| Arc::strong_count(patch) == 1);
        let mut patch = free.map_or_else(Arc::default, |at| self.held.swap_remove(at));
        prepare(Arc::make_mut(&mut patch));
        self.held.push(Arc::clone(&patch));
        patch
    }
}

impl Preparation {
    /// The preparation that a model card describes.
    pub fn new(card: &ModelCard) -> Self {
        let source = match card.channels {
            Channels::Rgb => [0, 1, 2],
            Channels::Bgr => [2, 1, 0],
        };
        let (factor, shift) = match card.range {
            Range::Unit => (1.0 / 255.0, 0.0),
            Range::Byte => (1.0, 0.0),
            Range::Signed => (1.0 / 127.5, -1.0),
        };
        let value = |values: &[f32], channel: usize| f64::from(values[channel]);
        let per_channel = |f: &dyn Fn(usize) -> f64| [0, 1, 2].map(|c| narrow(f(c)));
        Self {
            layout: card.layout,
            window_px: card.window_px as usize,
            source,
            scale: per_channel(&|c| factor / value(&card.std, c)),
            bias: per_channel(&|c| (shift - value(&card.mean, c)) / value(&card.std, c)),
        }
    }

    /// Number of f32 values in a window: 3 x window x window.
    pub fn window_len(&self) -> usize {
        3 * self.window_px * self.window_px
    }

    /// Brings a patch into the network's order of channels, once for all its windows.
    ///
    /// `rgb`: `[row, col, rgb]`, `side_px` x `side_px`; `patch` is overwritten.
    pub fn prepare(&self, rgb: &[u8], side_px: usize, patch: &mut PreparedPatch) {
        debug_assert_eq!(rgb.len(), side_px * side_px * 3);
        patch.side_px = side_px;
        patch.pixels.resize(rgb.len(), 0);
        match self.layout {
            Layout::Nchw => {
                let (first, rest) = patch.pixels.split_at_mut(side_px * side_px);
                let (second, third) = rest.split_at_mut(side_px * side_px);
                let mut planes = [first, second, third];
                if self.source != [0, 1, 2] {
                    planes.reverse();
                }
                separate_channels(rgb, planes);
            }
            Layout::Nhwc => {
                for (to, from) in patch.pixels.chunks_exact_mut(3).zip(rgb.chunks_exact(3)) {
                    for (value, &source) in to.iter_mut().zip(&self.source) {
                        *value = from[source];
                    }
                }
            }
        }
    }

    /// Writes the window whose top left corner is (`x_px`, `y_px`) in a prepared patch.
    ///
    /// `out`: `[3, window, window]` for NCHW or `[window, window, 3]` for NHWC,
    /// [`Preparation::window_len`] values.
    ///
    /// # Panics
    /// If the window reaches beyond the patch.
    pub fn window(&self, patch: &PreparedPatch, x_px: u32, y_px: u32, out: &mut [f32]) {
        let end = |px: u32| px as usize + self.window_px;
        assert!(end(x_px.max(y_px)) <= patch.side_px, "a window lies within its patch");
        let (width_px, height_px) = (self.window_px, self.window_px);
        let area = PatchArea { x_px: x_px.into(), y_px: y_px.into(), width_px, height_px };
        self.area(patch, area, out);
    }

    /// Writes an area of a prepared patch. Pixels beyond the patch are white.
    ///
    /// `out`: `[3, height, width]` for NCHW or `[height, width, 3]` for NHWC.
    pub fn area(&self, patch: &PreparedPatch, area: PatchArea, out: &mut [f32]) {
        let PatchArea { x_px, y_px, width_px, height_px } = area;
        let patch_px = patch.side_px;
        let (cols, rows) = (
            AxisOverlap::new(x_px, width_px, patch_px),
            AxisOverlap::new(y_px, height_px, patch_px),
        );
        let white = [0, 1, 2].map(|c| 255.0f32 * self.scale[c] + self.bias[c]);
        match self.layout {
            Layout::Nchw => {
                for (channel, plane) in out.chunks_exact_mut(width_px * height_px).enumerate() {
                    let (scale, bias) = (self.scale[channel], self.bias[channel]);
                    for (row, values) in plane.chunks_exact_mut(width_px).enumerate() {
                        let Some(row) = rows.source(row) else {
                            values.fill(white[channel]);
                            continue;
                        };
                        let from = (channel * patch_px + row) * patch_px + cols.from;
                        let pixels = &patch.pixels[from..from + cols.len];
                        values[..cols.before].fill(white[channel]);
                        values[cols.before + cols.len..].fill(white[channel]);
                        scale_row(pixels, scale, bias, &mut values[cols.before..]);
                    }
                }
            }
            Layout::Nhwc => {
                let fill = |values: &mut [f32]| {
                    values.chunks_exact_mut(3).for_each(|pixel| pixel.copy_from_slice(&white));
                };
                for (row, values) in out.chunks_exact_mut(width_px * 3).enumerate() {
                    let Some(row) = rows.source(row) else {
                        fill(values);
                        continue;
                    };
                    let from = (row * patch_px + cols.from) * 3;
                    let pixels = &patch.pixels[from..from + cols.len * 3];
                    fill(&mut values[..cols.before * 3]);
                    fill(&mut values[(cols.before + cols.len) * 3..]);
                    scale_pixels(pixels, self.scale, self.bias, &mut values[cols.before * 3..]);
                }
            }
        }
    }
}

/// The part of an area that lies in the patch, along one axis, px.
struct AxisOverlap {
    /// Pixels of the area before the patch, which are white.
    before: usize,
    /// Where the part starts in the patch.
    from: usize,
    len: usize,
}

impl AxisOverlap {
    fn new(start_px: i64, side_px: usize, patch_px: usize) -> Self {
        let before = usize::try_from(-start_px).unwrap_or(0).min(side_px);
        let from = usize::try_from(start_px).unwrap_or(0).min(patch_px);
        Self { before, from, len: (side_px - before).min(patch_px - from) }
    }

    /// The row or column of the patch at index `at` of the area; `None` beyond the patch.
    fn source(&self, at: usize) -> Option<usize> {
        let index = at.checked_sub(self.before)?;
        (index < self.len).then_some(self.from + index)
    }
}

#[expect(clippy::cast_possible_truncation, reason = "networks take f32")]
fn narrow(value: f64) -> f32 {
    value as f32
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Scale and bias differ between channels, so that a mix-up of channels shows.
    fn preparation(layout: Layout, source: [usize; 3]) -> Preparation {
        let (scale, bias) = ([0.5, 0.25, 2.0], [1.0, -3.0, 7.0]);
        Preparation { layout, window_px: 3, source, scale, bias }
    }

    proptest! {
        #[test]
        fn an_area_shows_the_patch_and_white_around_it(
            side in 1usize..70, width in 1usize..70, height in 1usize..70, x in -90i64..90, y in -90i64..90,
            planar: bool, bgr: bool, seed: u8,
        ) {
            let layout = if planar { Layout::Nchw } else { Layout::Nhwc };
            let source = if bgr { [2, 1, 0] } else { [0, 1, 2] };
            let preparation = preparation(layout, source);
            let rgb: Vec<u8> = (0..side * side * 3)
                .map(|at| u8::try_from(at * 37 % 251).unwrap().wrapping_add(seed))
                .collect();
            let mut patch = PreparedPatch::default();
            preparation.prepare(&rgb, side, &mut patch);
            // Whatever was there before is overwritten.
            let mut out = vec![f32::NAN; width * height * 3];
            let area = PatchArea { x_px: x, y_px: y, width_px: width, height_px: height };
            preparation.area(&patch, area, &mut out);
            let within = |at: i64| usize::try_from(at).ok().filter(|&at| at < side);
            for row in 0..height {
                for col in 0..width {
                    let from = within(y + row as i64).zip(within(x + col as i64));
                    for channel in 0..3 {
                        let pixel = from.map_or(255, |(r, c)| rgb[(r * side + c) * 3 + source[channel]]);
                        let expected = f32::from(pixel) * preparation.scale[channel] + preparation.bias[channel];
                        let at = if planar { (channel * height + row) * width + col } else { (row * width + col) * 3 + channel };
                        prop_assert_eq!(out[at], expected);
                    }
                }
            }
        }
    }
}
