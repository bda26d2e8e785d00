//! Converts stain amounts to colours by the Beer-Lambert law.
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "amounts are clamped to the table before they become indices"
)]

use super::noise::Rng;

/// Number of table entries per unit of optical density.
const STEPS: f32 = 110.0;
const SIDE: usize = 256;

/// The staining of one slide: a table from (haematoxylin, eosin) to RGB.
#[derive(Debug)]
pub(super) struct Stain {
    table: Vec<[u8; 3]>,
}

impl Stain {
    /// Random staining of one of two scanners. Colours differ between the scanners and, less,
    /// from slide to slide.
    pub(super) fn new(rng: &mut Rng) -> Self {
        let scanner_b = rng.chance(0.5);
        // These unit vectors of optical density (red, green, blue) give the colours of
        // lymph-node slides: dark purple nuclei on pink ground.
        let (h, e, white) = if scanner_b {
            ([0.61, 0.69, 0.39], [0.10, 0.80, 0.46], [244.0, 243.0, 246.0])
        } else {
            ([0.54, 0.72, 0.44], [0.16, 0.82, 0.44], [243.0, 240.0, 242.0])
        };
        let (h_strength, e_strength) = (rng.range(0.85, 1.12), rng.range(0.7, 1.08));
        let mut vary =
            |v: [f32; 3], strength: f32| v.map(|c| strength * (c + rng.range(-0.03, 0.03)));
        let (h, e) = (vary(h, h_strength), vary(e, e_strength));
        let mut table = Vec::with_capacity(SIDE * SIDE);
        for index in 0..SIDE * SIDE {
            let (h_od, e_od) = ((index / SIDE) as f32 / STEPS, (index % SIDE) as f32 / STEPS);
            table.push(std::array::from_fn(|c| {
                let density: f32 = h[c] * h_od + e[c] * e_od;
                let full: f32 = white[c];
                (full * 10f32.powf(-density)).round() as u8
            }));
        }
        Self { table }
    }

    /// RGB of a pixel with these amounts of haematoxylin and eosin, optical density (base 10).
    #[inline]
    pub(super) fn color(&self, h_od: f32, e_od: f32) -> [u8; 3] {
        let h = (h_od * STEPS + 0.5).clamp(0.0, 255.0) as usize;
        let e = (e_od * STEPS + 0.5).clamp(0.0, 255.0) as usize;
        self.table[h * SIDE + e]
    }

    /// RGB of glass without tissue.
    pub(super) fn background(&self) -> [u8; 3] {
        self.table[0]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_stain_is_darker_and_the_two_stains_differ() {
        for seed in 0..10 {
            let stain = Stain::new(&mut Rng::new(seed));
            assert!(stain.background().iter().all(|&c| c > 235));
            let (nucleus, ground) = (stain.color(1.0, 0.1), stain.color(0.0, 0.4));
            assert!(nucleus[0] < 110 && nucleus[2] > nucleus[1], "{nucleus:?}");
            assert!(ground[0] > 180 && ground[0] > ground[2] && ground[2] > ground[1]);
            assert!(stain.color(1.2, 0.1)[0] <= nucleus[0]);
        }
    }
}
