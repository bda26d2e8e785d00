//! Noise without state: every value follows from a seed and a position alone, so that tiles
//! can be drawn in any order and by any thread with the same result.
#![expect(
    clippy::cast_possible_truncation,
    reason = "hashes keep the high half on purpose; positions fit i32 for slides of up to 2^24 px"
)]

/// A hash of `seed` and the integer position (`x`, `y`); all 64 bits are usable.
pub(super) fn hash(seed: u64, x: i32, y: i32) -> u64 {
    let position = (u64::from(x.cast_unsigned()) << 32) | u64::from(y.cast_unsigned());
    mix(seed ^ mix(position))
}

/// The finaliser of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014).
pub(super) fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// A generator of random numbers (SplitMix64) that is seeded with a hash.
#[derive(Debug, Clone)]
pub(super) struct Rng(u64);

impl Rng {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        mix(self.0)
    }

    /// Uniform in [0, 1).
    pub(super) fn unit(&mut self) -> f32 {
        (self.bits() >> 40) as f32 / 16_777_216.0
    }

    /// Uniform in [`low`, `high`).
    pub(super) fn range(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.unit()
    }

    /// True with probability `p`.
    pub(super) fn chance(&mut self, p: f32) -> bool {
        self.unit() < p
    }

    /// A random direction.
    pub(super) fn direction(&mut self) -> Direction {
        let angle = self.range(0.0, std::f32::consts::TAU);
        Direction { x: angle.cos(), y: angle.sin() }
    }
}

/// A direction in the plane, of length 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Direction {
    /// The cosine of its angle.
    pub(super) x: f32,
    /// The sine of its angle.
    pub(super) y: f32,
}

/// Hermite step: 0 below `low`, 1 above `high`, smooth between.
pub(super) fn smoothstep(low: f32, high: f32, x: f32) -> f32 {
    let t = ((x - low) / (high - low)).clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}

pub(super) fn lerp(a: f32, b: f32, t: f32) -> f32 {
    a + (b - a) * t
}

/// Value noise with lattice spacing 1, in [-1, 1], continuous in slope.
pub(super) fn noise(seed: u64, x: f32, y: f32) -> f32 {
    let (fx, fy) = (x.floor(), y.floor());
    let (ix, iy) = (fx as i32, fy as i32);
    let corner = |dx, dy| (hash(seed, ix + dx, iy + dy) >> 40) as f32 / 8_388_608.0 - 1.0;
    let (tx, ty) = (x - fx, y - fy);
    let (sx, sy) = (tx * tx * (3.0 - 2.0 * tx), ty * ty * (3.0 - 2.0 * ty));
    lerp(lerp(corner(0, 0), corner(1, 0), sx), lerp(corner(0, 1), corner(1, 1), sx), sy)
}

/// The sum of octaves of [`noise`], each twice as fine and half as strong as the one before;
/// approximately in [-1, 1].
pub(super) fn fractal(seed: u64, x: f32, y: f32, octaves: u32) -> f32 {
    let (mut sum, mut strength, mut scale, mut total) = (0.0, 1.0, 1.0, 0.0);
    for octave in 0..octaves {
        sum += strength * noise(seed ^ mix(u64::from(octave)), x * scale, y * scale);
        total += strength;
        strength *= 0.5;
        scale *= 2.0;
    }
    sum * 1.3 / total
}

/// Side of a [`Texture`], a power of two.
pub(super) const TEXTURE_SIDE: usize = 512;

/// A periodic noise image, `[row, col]`, approximately in [-1, 1]. Fine grain is looked up in
/// it, because computing noise for each pixel would take most of the time.
#[derive(Debug)]
pub(super) struct Texture(Vec<f32>);

impl Texture {
    /// A texture of `octaves`; `cell_px` is the lattice spacing of the coarsest, a power of
    /// two.
    pub(super) fn new(seed: u64, cell_px: usize, octaves: u32) -> Self {
        let mut values = vec![0.0f32; TEXTURE_SIDE * TEXTURE_SIDE];
        let mut strength = 1.0;
        for octave in 0..octaves {
            let cell = (cell_px >> octave).max(1);
            let cells = TEXTURE_SIDE / cell;
            let corner = |x: usize, y: usize| {
                let bits = hash(seed ^ u64::from(octave), (x % cells) as i32, (y % cells) as i32);
                (bits >> 40) as f32 / 8_388_608.0 - 1.0
            };
            for (index, value) in values.iter_mut().enumerate() {
                let (x, y) = (index % TEXTURE_SIDE, index / TEXTURE_SIDE);
                let (cx, cy) = (x / cell, y / cell);
                let tx = smoothstep(0.0, 1.0, (x % cell) as f32 / cell as f32);
                let ty = smoothstep(0.0, 1.0, (y % cell) as f32 / cell as f32);
                let top = lerp(corner(cx, cy), corner(cx + 1, cy), tx);
                let bottom = lerp(corner(cx, cy + 1), corner(cx + 1, cy + 1), tx);
                *value += strength * lerp(top, bottom, ty);
            }
            strength *= 0.7;
        }
        Self(values)
    }

    /// The value at (`x`, `y`); positions wrap around.
    #[inline]
    pub(super) fn at(&self, x: i32, y: i32) -> f32 {
        let mask = TEXTURE_SIDE - 1;
        let (x, y) = (x.cast_unsigned() as usize & mask, y.cast_unsigned() as usize & mask);
        self.0[y * TEXTURE_SIDE + x]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_is_bounded_continuous_and_seeded() {
        let mut differs = false;
        for step in 0..2_000 {
            let (x, y) = (step as f32 * 0.37 - 300.0, step as f32 * -0.21);
            let here = noise(7, x, y);
            assert!((-1.0..=1.0).contains(&here));
            assert!((here - noise(7, x + 1e-3, y)).abs() < 0.01);
            differs |= (here - noise(8, x, y)).abs() > 0.1;
        }
        assert!(differs);
    }

    #[test]
    fn textures_wrap_around_without_a_seam() {
        let texture = Texture::new(3, 8, 3);
        let side = TEXTURE_SIDE as i32;
        for at in 0..side {
            assert_eq!(texture.at(at, 5), texture.at(at - side, 5 + side));
            assert!((texture.at(side - 1, at) - texture.at(0, at)).abs() < 1.5);
        }
    }

    #[test]
    fn random_numbers_have_the_mean_of_a_uniform_distribution() {
        let mut rng = Rng::new(1);
        let mean = (0..10_000).map(|_| rng.unit()).sum::<f32>() / 10_000.0;
        assert!((mean - 0.5).abs() < 0.02, "{mean}");
    }
}
