//! From stored pixels to the numbers a network expects.

use crate::model::{Channels, Layout, ModelCard, Range};

/// `value = pixel * scale + bias`, per channel of the network's input.
///
/// Range and mean/std of the model card folded into one multiplication:
/// `unit` `(p / 255 - mean) / std`, `byte` `(p - mean) / std`, `signed`
/// `(p / 127.5 - 1 - mean) / std`.
#[derive(Debug, Clone, PartialEq)]
pub struct Preparation {
    layout: Layout,
    window_px: usize,
    /// Network channel -> channel of the stored RGB pixels.
    source: [usize; 3],
    scale: [f32; 3],
    bias: [f32; 3],
}

/// A patch in the network's channel order, still bytes: planar
/// `[channel, row, col]` for NCHW, `[row, col, channel]` for NHWC.
#[derive(Debug, Default, Clone)]
pub struct PreparedPatch {
    side_px: usize,
    pixels: Vec<u8>,
}

impl Preparation {
    /// From a model card.
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

    /// f32 values in a window.
    pub fn window_len(&self) -> usize {
        3 * self.window_px * self.window_px
    }

    /// Reorders a patch once, so that every window is plain row copies.
    ///
    /// `rgb`: `[row, col, rgb]`, `side_px` square; `patch` is overwritten.
    pub fn prepare(&self, rgb: &[u8], side_px: usize, patch: &mut PreparedPatch) {
        debug_assert_eq!(rgb.len(), side_px * side_px * 3);
        patch.side_px = side_px;
        patch.pixels.resize(rgb.len(), 0);
        match self.layout {
            Layout::Nchw => {
                for (plane, &source) in
                    patch.pixels.chunks_exact_mut(side_px * side_px).zip(&self.source)
                {
                    for (to, from) in plane.iter_mut().zip(rgb.chunks_exact(3)) {
                        *to = from[source];
                    }
                }
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

    /// Writes the window at (`x_px`, `y_px`) of a prepared patch.
    ///
    /// `out`: `[3, w, w]` or `[w, w, 3]` as the card's layout,
    /// [`Preparation::window_len`] values.
    pub fn window(&self, patch: &PreparedPatch, x_px: u32, y_px: u32, out: &mut [f32]) {
        #[cfg(target_arch = "x86_64")]
        if std::is_x86_feature_detected!("avx2") {
            // SAFETY: the processor has what the function was compiled for.
            return unsafe { self.window_avx2(patch, x_px, y_px, out) };
        }
        self.window_rows(patch, x_px, y_px, out);
    }

    /// Writes the square of `side_px` at (`x_px`, `y_px`) of a prepared patch, which
    /// may reach beyond the patch: white there.
    ///
    /// `out`: `[3, side, side]` or `[side, side, 3]` as the card's layout.
    pub fn area(
        &self,
        patch: &PreparedPatch,
        (x_px, y_px): (i64, i64),
        side_px: usize,
        out: &mut [f32],
    ) {
        let has = patch.side_px;
        let clamp = |px: i64| usize::try_from(px).unwrap_or(0).min(has);
        let end = |px: i64| clamp(px + i64::try_from(side_px).unwrap_or(i64::MAX));
        let (left, right, top, bottom) = (clamp(x_px), end(x_px), clamp(y_px), end(y_px));
        // Where the first pixel of the patch that is seen lies in `out`.
        let skip = |px: i64| usize::try_from(-px).unwrap_or(0);
        let (skip_x, skip_y) = (skip(x_px), skip(y_px));
        let white = [0, 1, 2].map(|c| 255.0f32 * self.scale[c] + self.bias[c]);
        match self.layout {
            Layout::Nchw => {
                for (channel, plane) in out.chunks_exact_mut(side_px * side_px).enumerate() {
                    plane.fill(white[channel]);
                    let (scale, bias) = (self.scale[channel], self.bias[channel]);
                    for row in top..bottom {
                        let from = (channel * has + row) * has;
                        let from = &patch.pixels[from + left..from + right];
                        let to = (row - top + skip_y) * side_px + skip_x;
                        for (value, &pixel) in plane[to..].iter_mut().zip(from) {
                            *value = f32::from(pixel) * scale + bias;
                        }
                    }
                }
            }
            Layout::Nhwc => {
                out.chunks_exact_mut(3).for_each(|values| values.copy_from_slice(&white));
                for row in top..bottom {
                    let from = &patch.pixels[(row * has + left) * 3..(row * has + right) * 3];
                    let to = ((row - top + skip_y) * side_px + skip_x) * 3;
                    for (values, pixels) in out[to..].chunks_exact_mut(3).zip(from.chunks_exact(3))
                    {
                        for channel in 0..3 {
                            values[channel] = f32::from(pixels[channel]) * self.scale[channel]
                                + self.bias[channel];
                        }
                    }
                }
            }
        }
    }

    /// The same code with eight values an instruction; the numbers are the same.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2")]
    fn window_avx2(&self, patch: &PreparedPatch, x_px: u32, y_px: u32, out: &mut [f32]) {
        self.window_rows(patch, x_px, y_px, out);
    }

    #[inline(always)]
    fn window_rows(&self, patch: &PreparedPatch, x_px: u32, y_px: u32, out: &mut [f32]) {
        let (x, y, side, window) = (x_px as usize, y_px as usize, patch.side_px, self.window_px);
        match self.layout {
            Layout::Nchw => {
                for (channel, plane) in out.chunks_exact_mut(window * window).enumerate() {
                    let (scale, bias) = (self.scale[channel], self.bias[channel]);
                    let start = (channel * side + y) * side + x;
                    let rows = patch.pixels[start..].chunks(side);
                    for (to, from) in plane.chunks_exact_mut(window).zip(rows) {
                        for (value, &pixel) in to.iter_mut().zip(&from[..window]) {
                            *value = f32::from(pixel) * scale + bias;
                        }
                    }
                }
            }
            Layout::Nhwc => {
                let start = (y * side + x) * 3;
                let rows = patch.pixels[start..].chunks(side * 3);
                for (to, from) in out.chunks_exact_mut(window * 3).zip(rows) {
                    for (values, pixels) in to.chunks_exact_mut(3).zip(from.chunks_exact(3)) {
                        for channel in 0..3 {
                            values[channel] = f32::from(pixels[channel]) * self.scale[channel]
                                + self.bias[channel];
                        }
                    }
                }
            }
        }
    }
}

/// To the network's precision.
#[expect(clippy::cast_possible_truncation, reason = "rounding to f32 is what is asked for")]
fn narrow(value: f64) -> f32 {
    value as f32
}
