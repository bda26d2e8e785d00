//! Closed irregular outlines of tissue sections, lesions and holes.

use super::noise::{Direction, Rng};

/// An ellipse whose radius varies with the angle by a few harmonics. Positions and lengths
/// are micrometres, and y points down.
#[derive(Debug, Clone)]
pub(super) struct WavyEllipse {
    pub(super) x: f32,
    pub(super) y: f32,
    /// First semi-axis of the ellipse.
    pub(super) a: f32,
    /// Second semi-axis of the ellipse.
    pub(super) b: f32,
    cos: f32,
    sin: f32,
    /// Cosine and sine amplitude of harmonic k = 2, 3, ...
    harmonics: Vec<(f32, f32)>,
}

impl WavyEllipse {
    /// An outline whose radius varies by about `roughness` with `count` harmonics. A
    /// roughness of 0.1 gives a gentle outline, 0.3 a lobed one.
    pub(super) fn new(rng: &mut Rng, a: f32, b: f32, roughness: f32, count: u8) -> Self {
        let Direction { x: cos, y: sin } = rng.direction();
        let harmonics = (0..count)
            .map(|k| {
                let amplitude = roughness * rng.range(0.4, 1.0) / (1.0 + 0.55 * f32::from(k));
                let Direction { x: c, y: s } = rng.direction();
                (amplitude * c, amplitude * s)
            })
            .collect();
        Self { x: 0.0, y: 0.0, a, b, cos, sin, harmonics }
    }

    /// Turns the semi-axes `a` and `b` into the directions of x and y.
    pub(super) fn upright(mut self) -> Self {
        (self.cos, self.sin) = (1.0, 0.0);
        self
    }

    /// The same shape with its centre at (`x`, `y`).
    pub(super) fn at(mut self, x: f32, y: f32) -> Self {
        (self.x, self.y) = (x, y);
        self
    }

    /// The same shape, `factor` times as large.
    pub(super) fn scaled(mut self, factor: f32) -> Self {
        self.a *= factor;
        self.b *= factor;
        self
    }

    /// Relative radius in the direction (`c`, `s`): 1 plus the harmonics.
    fn radius(&self, c: f32, s: f32) -> f32 {
        let (mut ck, mut sk) = (c * c - s * s, 2.0 * c * s);
        let mut radius = 1.0;
        for &(even, odd) in &self.harmonics {
            radius += even * ck + odd * sk;
            (ck, sk) = (ck * c - sk * s, sk * c + ck * s);
        }
        radius.max(0.25)
    }

    /// Distance of (`x`, `y`) from the outline, approximately in um: positive inside,
    /// negative outside, and exactly 0 on [`WavyEllipse::polygon`].
    pub(super) fn margin(&self, x: f32, y: f32) -> f32 {
        let (dx, dy) = (x - self.x, y - self.y);
        let u = (dx * self.cos + dy * self.sin) / self.a;
        let v = (dy * self.cos - dx * self.sin) / self.b;
        let rho = (u * u + v * v).sqrt();
        let mean = (self.a * self.b).sqrt();
        if rho > 3.0 {
            return (1.0 - rho) * mean * 0.5; // The harmonics do not matter far away.
        }
        let (c, s) = if rho > 1e-6 { (u / rho, v / rho) } else { (1.0, 0.0) };
        (self.radius(c, s) - rho) * mean
    }

    /// The outline as `count` points (x, y), um. The first point is not repeated at the end.
    pub(super) fn polygon(&self, count: u16) -> Vec<(f32, f32)> {
        (0..count)
            .map(|index| {
                let angle = f32::from(index) / f32::from(count) * std::f32::consts::TAU;
                let (s, c) = angle.sin_cos();
                let radius = self.radius(c, s);
                let (u, v) = (self.a * radius * c, self.b * radius * s);
                (self.x + u * self.cos - v * self.sin, self.y + u * self.sin + v * self.cos)
            })
            .collect()
    }

    /// The longest distance between two points of the outline, um.
    pub(super) fn longest_diameter(&self) -> f32 {
        let points = self.polygon(180);
        let mut longest = 0.0f32;
        for (i, p) in points.iter().enumerate() {
            for q in &points[..i] {
                longest = longest.max((p.0 - q.0).hypot(p.1 - q.1));
            }
        }
        longest
    }

    /// The radius of a circle around the centre that contains the whole outline, um.
    pub(super) fn reach(&self) -> f32 {
        let variation: f32 = self.harmonics.iter().map(|h| h.0.hypot(h.1)).sum();
        self.a.max(self.b) * (1.0 + variation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_polygon_is_where_the_margin_changes_sign() {
        for seed in 0..20 {
            let mut rng = Rng::new(seed);
            let shape = WavyEllipse::new(&mut rng, 200.0, 130.0, 0.25, 12).at(900.0, 700.0);
            for (x, y) in shape.polygon(97) {
                assert!(shape.margin(x, y).abs() < 0.1, "{}", shape.margin(x, y));
                let (dx, dy) = (x - shape.x, y - shape.y);
                assert!(shape.margin(shape.x + 0.9 * dx, shape.y + 0.9 * dy) > 0.0);
                assert!(shape.margin(shape.x + 1.1 * dx, shape.y + 1.1 * dy) < 0.0);
                assert!(dx.hypot(dy) <= shape.reach());
            }
        }
    }

    #[test]
    fn scaling_scales_the_diameter() {
        let shape = WavyEllipse::new(&mut Rng::new(4), 100.0, 80.0, 0.2, 10);
        let twice = shape.clone().scaled(2.0).longest_diameter();
        assert!((twice / shape.longest_diameter() - 2.0).abs() < 1e-3);
    }
}
