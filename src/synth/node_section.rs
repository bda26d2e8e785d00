//! One section of a lymph node: the outline of its tissue with a ragged edge.

use super::noise::fractal;
use super::wavy_ellipse::WavyEllipse;

/// One section of a lymph node.
#[derive(Debug, Clone)]
pub(super) struct NodeSection {
    pub(super) outline: WavyEllipse,
    pub(super) seed: u64,
}

impl NodeSection {
    /// Distance to the section's ragged edge, approximately in um, negative outside.
    pub(super) fn depth(&self, x: f32, y: f32) -> f32 {
        let margin = self.outline.margin(x, y);
        if margin.abs() > 150.0 {
            return margin;
        }
        margin + 14.0 * fractal(self.seed, x / 90.0, y / 90.0, 3)
    }
}
