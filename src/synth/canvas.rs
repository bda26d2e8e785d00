//! The stain amounts of one tile, and the drawing of nuclei and ellipses into them.
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "pixel positions are clamped to the tile before they become indices"
)]

use super::noise::{Direction, Texture};
use crate::bigtiff::TILE_PX;

/// Side of the canvas, px.
pub(super) const SIDE: usize = TILE_PX as usize;

/// Haematoxylin and eosin of one tile, optical density, `[row, col]`.
#[derive(Debug)]
pub(super) struct Canvas {
    /// Left edge of the tile, level-0 px.
    pub(super) left: f32,
    /// Top edge of the tile, level-0 px.
    pub(super) top: f32,
    /// Haematoxylin.
    pub(super) h: Vec<f32>,
    /// Eosin.
    pub(super) e: Vec<f32>,
}

/// A nucleus, or a nucleolus or a speck of dust, which have the same form. Positions and
/// lengths are level-0 px.
#[derive(Debug, Clone, Copy)]
pub(super) struct Nucleus {
    pub(super) x: f32,
    pub(super) y: f32,
    pub(super) a: f32,
    pub(super) b: f32,
    /// Direction of the semi-axis `a`.
    pub(super) direction: Direction,
    /// Strength of the bean-like deformation.
    pub(super) bend: f32,
    /// Strength of the three-lobed deformation.
    pub(super) lobes: f32,
    /// Optical density in the centre.
    pub(super) core: f32,
    /// Optical density at the membrane.
    pub(super) rim: f32,
    /// Contrast of the chromatin's clumps.
    pub(super) clumps: f32,
    /// Offset of the clumps in the texture.
    pub(super) phase: (i32, i32),
}

impl Nucleus {
    /// Largest distance of a drawn pixel from the centre.
    fn reach(&self) -> f32 {
        self.a.max(self.b) * 1.25 + 2.0
    }
}

/// The pixels of [centre - reach, centre + reach] that lie in the tile, along one axis.
fn span(centre: f32, reach: f32) -> std::ops::Range<usize> {
    let side = SIDE as f32;
    (centre - reach).clamp(0.0, side) as usize..(centre + reach + 1.0).clamp(0.0, side) as usize
}

/// An ellipse, px.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ellipse {
    /// Centre.
    pub(super) x: f32,
    pub(super) y: f32,
    /// Radius along `direction`.
    pub(super) a: f32,
    /// Radius across.
    pub(super) b: f32,
    pub(super) direction: Direction,
}

impl Canvas {
    pub(super) fn new() -> Self {
        Self { left: 0.0, top: 0.0, h: vec![0.0; SIDE * SIDE], e: vec![0.0; SIDE * SIDE] }
    }

    /// Draws a nucleus. Amounts combine by maximum and by product, so that the result does
    /// not depend on the order of overlapping nuclei.
    pub(super) fn nucleus(&mut self, n: &Nucleus, texture: &Texture) {
        let (cx, cy) = (n.x - self.left, n.y - self.top);
        let reach = n.reach();
        let columns = span(cx, reach);
        if columns.is_empty() {
            return;
        }
        let sharp = (0.36 * n.a.min(n.b)).max(0.5);
        let (ca, sa) = (n.direction.x / n.a, n.direction.y / n.a);
        let (cb, sb) = (n.direction.x / n.b, n.direction.y / n.b);
        let phase_x = n.phase.0 + self.left as i32;
        let phase_y = n.phase.1 + self.top as i32;
        for row in span(cy, reach) {
            let dy = row as f32 - cy;
            let line = row * SIDE;
            for column in columns.clone() {
                let dx = column as f32 - cx;
                let u = dx * ca + dy * sa;
                let v = dy * cb - dx * sb;
                let square = u * u + v * v;
                let bent = square
                    + n.bend * (v * v - 0.4 * u * u) * v
                    + n.lobes * u * (u * u - 3.0 * v * v);
                if bent > 1.6 || square > 1.5 {
                    continue;
                }
                let clump = texture.at(column as i32 + phase_x, row as i32 + phase_y);
                let cover = ((1.0 - bent + 0.045 * clump) * sharp + 0.5).min(1.0);
                if cover <= 0.0 {
                    continue;
                }
                let q = bent.clamp(0.0, 1.0);
                let density = n.core + (n.rim - n.core) * q * q * q + n.clumps * clump;
                let at = line + column;
                self.h[at] = self.h[at].max(density * cover);
                self.e[at] *= 1.0 - 0.45 * cover;
            }
        }
    }

    /// Applies `change(h, e, distance)` to each pixel whose `distance` from the centre of an
    /// ellipse, in units of the radius, is below `limit`.
    pub(super) fn ellipse(
        &mut self,
        ellipse: &Ellipse,
        limit: f32,
        mut change: impl FnMut(&mut f32, &mut f32, f32),
    ) {
        let Ellipse { x, y, a, b, direction } = *ellipse;
        let (cx, cy) = (x - self.left, y - self.top);
        let reach = a.max(b) * limit + 1.0;
        for row in span(cy, reach) {
            for column in span(cx, reach) {
                let (dx, dy) = (column as f32 - cx, row as f32 - cy);
                let u = (dx * direction.x + dy * direction.y) / a;
                let v = (dy * direction.x - dx * direction.y) / b;
                let distance = (u * u + v * v).sqrt();
                if distance < limit {
                    let at = row * SIDE + column;
                    change(&mut self.h[at], &mut self.e[at], distance);
                }
            }
        }
    }
}
