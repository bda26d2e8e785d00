//! Antialiased resampling of a level to the working plane, with a separable triangle
//! filter in f32.
//!
//! The filter is that of Pillow's `resize(..., BILINEAR, box=...)`
//! (libImaging/Resample.c): output pixel i is centred at (i + 1/2) * scale and is the mean
//! of the source pixels within max(scale, 1) of its centre, weighted by a triangle.

use std::ops::Range;

/// Filter taps of a range of output pixels along one axis: the source pixels and weights
/// of each.
///
/// The taps depend on the absolute output position alone, so a pixel's value does not
/// depend on the range in which it is computed.
pub(crate) struct AxisTaps {
    /// Source positions that the taps need, all together.
    pub(crate) source: Range<u32>,
    /// For each output pixel the first source position and the range of its weights in
    /// `weights`.
    taps: Vec<(u32, Range<usize>)>,
    weights: Vec<f32>,
}

impl AxisTaps {
    /// Taps of the output pixels in `output`, for `scale` source px per output px and a
    /// source of `limit_px` px. At the ends of the source the weights of the pixels that
    /// exist are scaled to a sum of 1.
    pub(crate) fn new(output: Range<u32>, scale: f64, limit_px: u32) -> Self {
        let mut axis = Self { source: limit_px..0, taps: Vec::new(), weights: Vec::new() };
        for position in output {
            axis.push(position, scale, limit_px);
        }
        axis.source.start = axis.source.start.min(axis.source.end);
        axis
    }

    fn push(&mut self, position: u32, scale: f64, limit_px: u32) {
        let radius = scale.max(1.0);
        let centre = (f64::from(position) + 0.5) * scale;
        let bound = |position: f64| {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "clamped to the source"
            )]
            let bound = position.clamp(0.0, f64::from(limit_px)) as u32;
            bound
        };
        let (mut first, end) = (bound(centre - radius + 0.5), bound(centre + radius + 0.5));
        let start = self.weights.len();
        let weight = |source: u32| 1.0 - ((f64::from(source) + 0.5 - centre) / radius).abs();
        let raw: Vec<f64> = (first..end).map(|source| weight(source).max(0.0)).collect();
        let total: f64 = raw.iter().sum();
        if total > 0.0 {
            #[expect(clippy::cast_possible_truncation, reason = "weights are f32")]
            self.weights.extend(raw.iter().map(|weight| (weight / total) as f32));
        } else {
            // The last output pixel may begin after the level's last pixel.
            first = bound(centre).min(limit_px - 1);
            self.weights.push(1.0);
        }
        let taps = start..self.weights.len();
        let last = first + u32::try_from(taps.len()).expect("the taps lie in the level");
        self.source = self.source.start.min(first)..self.source.end.max(last);
        self.taps.push((first, taps));
    }

    fn weights(&self, index: usize) -> (usize, &[f32]) {
        let (first, taps) = &self.taps[index];
        ((first - self.source.start) as usize, &self.weights[taps.clone()])
    }
}

/// Resamples `source`, u8 [row, col, rgb], which covers `rows.source` x `cols.source`, and
/// passes the index and the pixels of each output row, u8 [col, rgb], to `write`.
pub(crate) fn resample(
    source: &[u8],
    rows: &AxisTaps,
    cols: &AxisTaps,
    mut write: impl FnMut(usize, &[u8]),
) {
    let line_len = 3 * cols.source.len();
    let mut reduced = vec![0f32; line_len];
    let mut finished = vec![0u8; 3 * cols.taps.len()];
    for row in 0..rows.taps.len() {
        let (first, weights) = rows.weights(row);
        reduced.fill(0.0);
        let lines = source[first * line_len..].chunks_exact(line_len);
        for (line, weight) in lines.zip(weights) {
            for (sum, value) in reduced.iter_mut().zip(line) {
                *sum += weight * f32::from(*value);
            }
        }
        reduce_columns(&reduced, cols, &mut finished);
        write(row, &finished);
    }
}

fn reduce_columns(line: &[f32], cols: &AxisTaps, out: &mut [u8]) {
    for (col, pixel) in out.as_chunks_mut::<3>().0.iter_mut().enumerate() {
        let (first, weights) = cols.weights(col);
        let mut sum = [0.5f32; 3];
        for (value, weight) in line[3 * first..].as_chunks::<3>().0.iter().zip(weights) {
            for channel in 0..3 {
                sum[channel] += weight * value[channel];
            }
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a mean of u8, and the cast saturates"
        )]
        let rounded = sum.map(|value| value as u8);
        *pixel = rounded;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn halving_has_the_weights_of_pillow() {
        let axis = AxisTaps::new(1..2, 2.0, 8);
        // In Pillow the centre is 3 and the support 2: pixels 1..5 with 1/8 3/8 3/8 1/8.
        assert_eq!(axis.source, 1..5);
        assert_eq!(axis.weights, [0.125, 0.375, 0.375, 0.125]);
        let edge = AxisTaps::new(0..1, 2.0, 8);
        assert_eq!(edge.source, 0..3);
        assert_eq!(edge.weights, [3.0 / 7.0, 3.0 / 7.0, 1.0 / 7.0]);
    }

    #[test]
    fn a_column_beyond_the_level_repeats_its_last_pixel() {
        let axis = AxisTaps::new(0..5, 1.0, 3);
        assert_eq!(axis.source, 0..3);
        assert_eq!(axis.weights(4), (2, [1.0f32].as_slice()));
    }

    proptest! {
        #[test]
        fn weights_sum_to_one_and_do_not_depend_on_the_range(
            scale in 0.3f64..40.0, limit in 1u32..5000, start in 0u32..200, len in 1u32..20,
        ) {
            let axis = AxisTaps::new(start..start + len, scale, limit);
            for index in 0..len {
                let (first, weights) = axis.weights(index as usize);
                prop_assert!((weights.iter().sum::<f32>() - 1.0).abs() < 1e-5);
                let alone = AxisTaps::new(start + index..start + index + 1, scale, limit);
                prop_assert_eq!(weights, alone.weights.as_slice());
                prop_assert_eq!(first + axis.source.start as usize, alone.source.start as usize);
                prop_assert!(axis.source.end <= limit);
            }
        }

        #[test]
        fn a_uniform_colour_stays_the_same(value: u8, scale in 0.5f64..9.0) {
            let (rows, cols) = (AxisTaps::new(2..5, scale, 99), AxisTaps::new(1..6, scale, 99));
            let source = vec![value; 3 * rows.source.len() * cols.source.len()];
            resample(&source, &rows, &cols, |_, line| assert_eq!(line, [value; 15]));
        }
    }
}
