//! Synthetic tissue: nuclei, stroma and glass of two stains.

use ndarray::Array3;

/// Unit optical densities of two stains, red, green, blue, and the light.
pub(crate) struct Scanner {
    pub(crate) stains: [[f64; 3]; 2],
    pub(crate) light: f64,
}

pub(crate) const FIRST: Scanner =
    Scanner { stains: [[0.650, 0.704, 0.286], [0.092, 0.954, 0.285]], light: 243.0 };
pub(crate) const SECOND: Scanner =
    Scanner { stains: [[0.540, 0.720, 0.437], [0.160, 0.880, 0.447]], light: 228.0 };

impl Scanner {
    /// A picture of round nuclei in stroma, glass in its lower right corner.
    pub(crate) fn tissue(&self, rows: usize, cols: usize, seed: u64) -> Array3<u8> {
        let noise = crate::common::noise(rows, cols, seed);
        Array3::from_shape_fn((rows, cols, 3), |(row, col, channel)| {
            let roll = |c: usize| f64::from(noise[[row, col, c]]) / 255.0;
            let glass = row + col > (rows + cols) * 3 / 4;
            let wave = ((row as f64 / 7.0).sin() + (col as f64 / 9.0 + seed as f64).cos()) / 2.0;
            let nucleus = wave > 0.25;
            let (h, e) = match (glass, nucleus) {
                (true, _) => (0.0, 0.0),
                (_, true) => (0.8 + 0.9 * roll(0), 0.08 * roll(1)),
                (_, false) => (0.05 * roll(0), 0.35 + 0.7 * roll(1) * (1.2 + wave)),
            };
            let density = h * self.stains[0][channel] + e * self.stains[1][channel];
            let value = self.light * (-density).exp() + 2.0 * (roll(2) - 0.5);
            #[expect(clippy::cast_sign_loss, clippy::cast_possible_truncation, reason = "clamped")]
            let byte = value.round().clamp(0.0, 255.0) as u8;
            byte
        })
    }
}

/// Pixels in rows.
pub(crate) fn bytes(picture: &Array3<u8>) -> Vec<u8> {
    picture.as_standard_layout().iter().copied().collect()
}
