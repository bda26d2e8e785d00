//! How far the border of an image reaches into a map, along one axis. Pure arithmetic.

use crate::model::dense::axis::SlidingLayer;

/// One axis of a feature map: the number of elements, and how many of them at either end
/// depend on padding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PaddedAxis {
    /// Number of elements.
    pub(super) count: i64,
    /// Elements at the start that depend on padding before the image.
    pub(super) before: i64,
    /// Elements at the end that depend on padding after the image.
    pub(super) after: i64,
}

impl PaddedAxis {
    /// The axis of an image of `px` pixels, none of which is padding.
    pub(super) fn image(px: i64) -> Self {
        Self { count: px, before: 0, after: 0 }
    }

    /// The axis after a sliding layer; `None` if the layer has no output.
    pub(super) fn slid(self, slide: &SlidingLayer) -> Option<Self> {
        let SlidingLayer { kernel, dilation, stride, pads: [pad, _], .. } = *slide;
        let (span, count) = (dilation * (kernel - 1), slide.outputs(self.count)?);
        // Output i sees inputs i * stride - pad to i * stride - pad + span.
        let before = ceil_div(self.before + pad, stride).min(count);
        let first_after = (self.count - 1 - self.after + pad - span).div_euclid(stride) + 1;
        let after = (count - first_after.max(0)).max(0);
        Some(Self { count, before, after })
    }

    /// The axis of a map that depends on both; `None` if their sizes differ.
    pub(super) fn joined(self, other: Self) -> Option<Self> {
        (self.count == other.count).then(|| Self {
            count: self.count,
            before: self.before.max(other.before),
            after: self.after.max(other.after),
        })
    }
}

fn ceil_div(a: i64, b: i64) -> i64 {
    a.div_euclid(b) + i64::from(a.rem_euclid(b) != 0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn layer() -> impl Strategy<Value = SlidingLayer> {
        (1i64..6, 1i64..3, 1i64..4, 0i64..3, 0i64..3, any::<bool>()).prop_map(
            |(kernel, dilation, stride, pad, pad_after, ceil)| SlidingLayer {
                kernel,
                dilation,
                stride,
                pads: [pad.min(kernel - 1), pad_after.min(kernel - 1)],
                ceil,
            },
        )
    }

    /// For each element, whether it depends on padding at the start and at the end, found
    /// by following every input of every layer.
    fn depends_on_padding(px: i64, layers: &[SlidingLayer]) -> Option<Vec<(bool, bool)>> {
        let mut seen = vec![(false, false); usize::try_from(px).unwrap()];
        let mut cells = PaddedAxis::image(px);
        for slide in layers {
            let next = cells.slid(slide)?;
            let at = |i: i64| match usize::try_from(i) {
                Err(_) => (true, false),
                Ok(i) => seen.get(i).copied().unwrap_or((false, true)),
            };
            seen = (0..next.count)
                .map(|i| {
                    let first = i * slide.stride - slide.pads[0];
                    (0..slide.kernel)
                        .map(|k| at(first + k * slide.dilation))
                        .fold((false, false), |a, b| (a.0 || b.0, a.1 || b.1))
                })
                .collect();
            cells = next;
        }
        Some(seen)
    }

    proptest! {
        #[test]
        fn elements_between_the_rims_see_no_padding(
            px in 1i64..90, layers in prop::collection::vec(layer(), 1..5),
        ) {
            let cells = layers.iter().try_fold(PaddedAxis::image(px), |cells, slide| cells.slid(slide));
            prop_assume!(cells.is_some());
            let cells = cells.unwrap();
            let seen = depends_on_padding(px, &layers).unwrap();
            for (i, (start, end)) in (0..).zip(seen) {
                // With strides a few elements at the edge of the rim may miss it.
                prop_assert!(!start || i < cells.before, "{i} {cells:?}");
                prop_assert!(!end || i >= cells.count - cells.after, "{i} {cells:?}");
            }
            prop_assert!((0..=cells.count).contains(&cells.before));
            prop_assert!((0..=cells.count).contains(&cells.after));
        }
    }
}
