//! Synthetic tissue for tests, made of known amounts of known stains.

use super::matrix::dot;

/// Reproducible numbers from 0 to 1.
pub(super) struct UnitRng(u64);

impl UnitRng {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(super) fn unit(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// Pixels of nuclei, stroma and glass, `[pixel, rgb]`. Each is `light` absorbed by a mixture
/// of two stains, in proportions from purely the one to purely the other.
pub(super) fn tissue(stains: [[f64; 3]; 2], light: f64, pixels: usize, seed: u64) -> Vec<u8> {
    let mut rng = UnitRng::new(seed);
    let mut rgb = Vec::with_capacity(3 * pixels);
    for _ in 0..pixels {
        let (kind, amount, noise) = (rng.unit(), rng.unit(), rng.unit());
        let (h, e) = match kind {
            k if k < 0.15 => (0.0, 0.0),
            k if k < 0.50 => (0.7 + 1.1 * amount, 0.03 * noise),
            // Dense enough in red for Macenko's tissue threshold.
            k if k < 0.90 => (0.03 * noise, 0.8 + 0.9 * amount),
            _ => (1.5 * amount, 0.9 * (1.0 - amount)),
        };
        rgb.extend((0..3).map(|c| {
            let value = light * (-(h * stains[0][c] + e * stains[1][c])).exp();
            (value + rng.unit() - 0.5).round().clamp(0.0, 255.0) as u8
        }));
    }
    rgb
}

/// Stain vectors of length 1 near the usual ones, as varied as scanners make them.
pub(super) fn stains(seed: u64) -> [[f64; 3]; 2] {
    let mut rng = UnitRng::new(seed + 77);
    [[0.62, 0.70, 0.34], [0.24, 0.83, 0.38]].map(|vector| {
        let varied = vector.map(|value: f64| (value + 0.08 * (rng.unit() - 0.5)).max(0.01));
        let length = dot(varied, varied).sqrt();
        varied.map(|value| value / length)
    })
}

/// Angle between two directions, degrees.
pub(super) fn angle_deg(a: [f64; 3], b: [f64; 3]) -> f64 {
    (dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()).clamp(-1.0, 1.0).acos().to_degrees()
}
