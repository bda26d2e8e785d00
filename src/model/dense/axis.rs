//! The positions of a feature map's elements along one axis. Pure arithmetic.
//!
//! In the run of one window a map has `extent` elements, `jump_px` apart. In the dense run
//! the elements are `step_px` apart, and element `(n * stride + i * jump_px) / step_px`
//! corresponds to element `i` in the run of the window that starts at `n * stride`. So
//! `step_px` divides both the stride and `jump_px`, and a layer that reads neighbouring
//! elements in the run of one window reads elements `jump_px / step_px` apart in the dense
//! run (a trous).

/// One axis of a feature map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Axis {
    /// Number of elements in the run of one window.
    pub(super) extent: i64,
    /// Distance between neighbouring elements in the run of one window.
    pub(super) jump_px: i64,
    /// Distance between neighbouring elements in the dense run; divides `jump_px`.
    pub(super) step_px: i64,
    /// First pixel that element 0 depends on, counted from the window's first pixel;
    /// negative if layers have padded.
    pub(super) from_px: i64,
    /// One past the last pixel that element 0 depends on.
    pub(super) to_px: i64,
}

/// A layer that slides over its input along one axis, with the numbers of its node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::model) struct SlidingLayer {
    pub(in crate::model) kernel: i64,
    pub(in crate::model) dilation: i64,
    pub(in crate::model) stride: i64,
    /// Padding before and after the input.
    pub(in crate::model) pads: [i64; 2],
    /// Whether the number of outputs is rounded up.
    pub(in crate::model) ceil: bool,
}

impl SlidingLayer {
    /// Number of outputs for a number of inputs; `None` if there are none.
    pub(in crate::model) fn outputs(&self, inputs: i64) -> Option<i64> {
        let Self { kernel, dilation, stride, pads: [before, after], ceil } = *self;
        let room = inputs + before + after - dilation * (kernel - 1) - 1;
        if room < 0 || stride < 1 {
            return None;
        }
        // The last output must start within the inputs or the padding before them (ONNX).
        let more = ceil && room % stride != 0 && (room / stride + 1) * stride < inputs + before;
        Some(room / stride + 1 + i64::from(more))
    }
}

/// A sliding layer in the dense run, along one axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct DenseLayer {
    pub(super) dilation: i64,
    pub(super) stride: i64,
    pub(super) pads: [i64; 2],
    /// Elements to drop at the end of the output, so that all maps with elements at the
    /// same positions have the same length.
    pub(super) crop: i64,
    /// Whether the layer pads in the run of one window, so that the dense run differs.
    pub(super) padded: bool,
}

impl Axis {
    /// The axis of the image itself.
    pub(super) fn image(window_px: i64) -> Self {
        Self { extent: window_px, jump_px: 1, step_px: 1, from_px: 0, to_px: 1 }
    }

    /// Distance in the dense run, in elements, between two elements that are neighbours in
    /// the run of one window.
    pub(super) fn dilation(&self) -> i64 {
        self.jump_px / self.step_px
    }

    /// Number of elements in a dense run over `windows` windows.
    pub(super) fn length(&self, windows: i64, stride_px: i64) -> i64 {
        (windows - 1) * (stride_px / self.step_px) + (self.extent - 1) * self.dilation() + 1
    }

    /// An axis with one element per window.
    pub(super) fn per_window(&self, stride_px: i64, from_px: i64, to_px: i64) -> Self {
        Self { extent: 1, jump_px: stride_px, step_px: stride_px, from_px, to_px }
    }

    /// The axis after a sliding layer, and that layer in the dense run; `None` if the layer
    /// has no output.
    pub(super) fn slide(&self, slide: &SlidingLayer, stride_px: i64) -> Option<(Self, DenseLayer)> {
        let SlidingLayer { kernel, dilation, stride, pads: [before, _], .. } = *slide;
        let (span, extent) = (dilation * (kernel - 1), slide.outputs(self.extent)?);
        // Elements that the last output reads beyond the last input; negative if the last
        // inputs are not read.
        let overhang = (extent - 1) * stride + span - before - (self.extent - 1);
        let apart = self.dilation();
        let taken = if extent == 1 {
            stride_px / self.step_px
        } else {
            greatest_common_divisor(stride, stride_px / self.step_px)
        };
        let (from_px, to_px) =
            (self.from_px - before * self.jump_px, self.to_px + (span - before) * self.jump_px);
        let axis = if extent == 1 {
            self.per_window(stride_px, from_px, to_px)
        } else {
            let (jump_px, step_px) = (self.jump_px * stride, self.step_px * taken);
            Self { extent, jump_px, step_px, from_px, to_px }
        };
        let dense = DenseLayer {
            dilation: dilation * apart,
            stride: taken,
            pads: [before * apart, overhang.max(0) * apart],
            crop: (-overhang).max(0) * apart / taken,
            padded: before > 0 || overhang > 0,
        };
        Some((axis, dense))
    }
}

fn greatest_common_divisor(a: i64, b: i64) -> i64 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Layers are applied to indices of pixels: each element of the dense run depends on
        /// the same pixels as the window's element at the same position.
        #[test]
        fn dense_elements_depend_on_the_pixels_of_the_window_s_elements(
            layers in prop::collection::vec((1i64..4, 1i64..3, 1i64..4, any::<bool>()), 1..5),
            stride_px in 1i64..20, n in 0i64..4,
        ) {
            let windows = n + 1;
            let mut axis = Axis::image(97);
            // First pixel of each element, in the run of one window and in the dense run.
            let mut own: Vec<i64> = (0..97).collect();
            let mut dense: Vec<i64> = (0..axis.length(windows, stride_px)).collect();
            for (kernel, dilation, stride, ceil) in layers {
                let slide = SlidingLayer { kernel, dilation, stride, pads: [0, 0], ceil };
                let Some((next, rewritten)) = axis.slide(&slide, stride_px) else { break };
                prop_assert_eq!(next.jump_px % next.step_px, 0);
                prop_assert_eq!(stride_px % next.step_px, 0);
                if rewritten.padded { break; }
                own = own.iter().copied().step_by(stride as usize).take(next.extent as usize).collect();
                let reach = rewritten.dilation * (kernel - 1);
                let outputs = (dense.len() as i64 - reach - 1) / rewritten.stride + 1;
                dense = dense.iter().copied().step_by(rewritten.stride as usize)
                    .take((outputs - rewritten.crop) as usize).collect();
                axis = next;
                prop_assert_eq!(dense.len() as i64, axis.length(windows, stride_px));
                prop_assert_eq!(own.len() as i64, axis.extent);
                for (i, first) in own.iter().enumerate() {
                    let place = (n * stride_px + i as i64 * axis.jump_px) / axis.step_px;
                    prop_assert_eq!(dense[place as usize], n * stride_px + first);
                }
                prop_assert!(axis.from_px == 0);
                if axis.extent == 1 { break; }
            }
        }
    }

    #[test]
    fn padding_reaches_beyond_the_window() {
        let slide = SlidingLayer { kernel: 3, dilation: 1, stride: 2, pads: [1, 1], ceil: false };
        let (first, dense) = Axis::image(224).slide(&slide, 16).unwrap();
        assert_eq!((first.extent, first.from_px, first.to_px), (112, -1, 2));
        // The last window of an even side needs no padding after it.
        assert_eq!((dense.pads, dense.padded, dense.crop), ([1, 0], true, 0));
        let (second, _) = first.slide(&slide, 16).unwrap();
        assert_eq!((second.extent, second.jump_px, second.from_px), (56, 4, -3));
    }

    #[test]
    fn strides_beyond_that_of_the_heatmap_become_dilations() {
        let halve = SlidingLayer { kernel: 1, dilation: 1, stride: 2, pads: [0, 0], ceil: false };
        let mut axis = Axis::image(64);
        let mut strides = Vec::new();
        for _ in 0..4 {
            let (next, dense) = axis.slide(&halve, 4).unwrap();
            strides.push(dense.stride);
            axis = next;
        }
        assert_eq!(strides, [2, 2, 1, 1]);
        assert_eq!((axis.jump_px, axis.step_px, axis.dilation()), (16, 4, 4));
    }
}
