//! The colour of a slide's empty glass, and optical densities relative to it.

use ndarray::{Array2, ArrayView3};

use super::window::{largest, smallest};

/// Largest range of grey levels in a 3 x 3 neighbourhood of glass; tissue varies by more.
const SMOOTH_LEVELS: u8 = 6;
/// Every channel of glass is at least this bright.
const DARKEST: u8 = 150;
/// Largest difference between the channels of glass, which may be tinted; stain has more.
const MAX_TINT: u8 = 40;
/// Channels at or above this are white: not scanned, or overexposed.
pub(super) const WHITE: u8 = 254;
/// Channels at or below this are black: outside the scanned area, or a dark edge.
pub(super) const BLACK: u8 = 30;
/// Smallest share of the picture from which the colour of the glass is taken.
const MIN_SHARE: f64 = 0.005;
/// Smallest height of a peak of grey levels, relative to the highest peak. Glass is the
/// brightest of such peaks.
const PEAK_SHARE: f64 = 0.2;
/// Every channel of a gap in tissue is at least this bright; darker pixels are pale tissue.
const DARKEST_GAP: f64 = 225.0;
/// Largest distance of glass from its peak, grey levels.
const PEAK_LEVELS: usize = 6;
/// A pixel is brighter than glass if a channel exceeds the glass by more levels than this.
const BRIGHTER_LEVELS: f64 = 10.0;
/// Largest share of the picture that may be brighter than glass. Pale tissue has brighter
/// gaps; glass has none.
const BRIGHTER_SHARE: f64 = 0.01;

/// The colour of a slide's empty glass.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Glass {
    /// Red, green and blue, 0..=255.
    pub rgb: [f64; 3],
    /// Whether the picture shows enough glass. If not, `rgb` is the colour that only a
    /// hundredth of the scanned pixels exceed, if that colour is pale, and white otherwise.
    pub seen: bool,
}

/// The number of times that each value occurs.
type Levels = [u64; 256];

impl Glass {
    /// Finds the glass in a picture `[row, col, rgb]`.
    ///
    /// Glass is the brightest frequent grey level of smooth, bright, nearly neutral pixels,
    /// unless more than a hundredth of the scanned pixels are brighter still. Pure white is
    /// where nothing was scanned; it counts as glass only where there is no other.
    pub(crate) fn estimate(rgb: ArrayView3<'_, u8>) -> Self {
        let grey = mean_grey(rgb);
        let (low, high) = (smallest(&grey), largest(&grey));
        let is_smooth = |at: (usize, usize)| high[at] - low[at] <= SMOOTH_LEVELS;
        let pixel = |(row, col)| [0, 1, 2].map(|channel: usize| rgb[[row, col, channel]]);
        let (mut greys, mut scanned): (Levels, [Levels; 3]) = ([0; 256], [[0; 256]; 3]);
        let mut white = 0_u64;
        for (at, &level) in grey.indexed_iter() {
            let [red, green, blue] = pixel(at);
            let (least, most) = (red.min(green).min(blue), red.max(green).max(blue));
            if least >= WHITE {
                white += 1;
                continue;
            }
            count(&mut scanned, [red, green, blue]);
            if is_smooth(at) && least >= DARKEST && most - least <= MAX_TINT {
                greys[usize::from(level)] += 1;
            }
        }
        let enough = |count: u64| count as f64 >= MIN_SHARE * grey.len() as f64 && count > 0;
        let brightest = scanned.each_ref().map(|levels| quantile(levels, 1.0 - BRIGHTER_SHARE));
        let unseen =
            || Self { rgb: if is_pale(brightest) { brightest } else { [255.0; 3] }, seen: false };
        if !enough(greys.iter().sum()) {
            return match enough(white) {
                true => Self { rgb: [255.0; 3], seen: true },
                false => unseen(),
            };
        }
        let peak = brightest_peak(&greys);
        let mut glass: [Levels; 3] = [[0; 256]; 3];
        for (at, &level) in grey.indexed_iter() {
            if is_smooth(at) && usize::from(level).abs_diff(peak) <= PEAK_LEVELS {
                count(&mut glass, pixel(at));
            }
        }
        let found = glass.each_ref().map(|levels| quantile(levels, 0.5));
        if (0..3).any(|channel| brightest[channel] > found[channel] + BRIGHTER_LEVELS) {
            return unseen();
        }
        Self { rgb: found, seen: true }
    }

    /// Optical density, base 10, of each value of each channel relative to the glass: 0 is
    /// glass, 1 is a tenth of its light. Value and glass are both increased by one, so that
    /// the density of black is finite.
    pub(crate) fn densities(&self) -> [[f32; 256]; 3] {
        self.rgb.map(|full| std::array::from_fn(|value| density(value as f64, full)))
    }

    /// [`Self::densities`] for grey values, which are means of the three channels.
    pub(crate) fn grey_densities(&self) -> [f32; 256] {
        let full = self.rgb.iter().sum::<f64>() / 3.0;
        std::array::from_fn(|value| density(value as f64, full))
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a density is at most 2.5")]
fn density(value: f64, full: f64) -> f32 {
    -((value + 1.0) / (full + 1.0)).log10() as f32
}

/// Mean of the three channels, rounded down: `[row, col]`.
pub(super) fn mean_grey(rgb: ArrayView3<'_, u8>) -> Array2<u8> {
    Array2::from_shape_fn((rgb.dim().0, rgb.dim().1), |(row, col)| {
        let sum: u16 = (0..3).map(|channel| u16::from(rgb[[row, col, channel]])).sum();
        u8::try_from(sum / 3).expect("a mean of bytes is a byte")
    })
}

/// The highest grey level whose five surrounding levels together are a peak of at least
/// [`PEAK_SHARE`].
fn brightest_peak(levels: &Levels) -> usize {
    let near = |at: usize| levels[at.saturating_sub(2)..(at + 3).min(256)].iter().sum::<u64>();
    let highest = (0..256).map(near).max().unwrap_or(0);
    let wanted = PEAK_SHARE * highest as f64;
    let is_peak = |at: usize| {
        let own = near(at);
        let around = at.saturating_sub(3)..(at + 4).min(256);
        own > 0 && own as f64 >= wanted && around.into_iter().all(|other| near(other) <= own)
    };
    (0..256).rev().find(|&at| is_peak(at)).unwrap_or(255)
}

/// Whether gaps in tissue may have this colour: bright, and at most half as tinted as glass
/// may be.
fn is_pale(rgb: [f64; 3]) -> bool {
    let least = rgb.into_iter().fold(f64::INFINITY, f64::min);
    let most = rgb.into_iter().fold(0.0, f64::max);
    least >= DARKEST_GAP && most - least <= f64::from(MAX_TINT) / 2.0
}

fn count(levels: &mut [Levels; 3], pixel: [u8; 3]) {
    for (levels, value) in levels.iter_mut().zip(pixel) {
        levels[usize::from(value)] += 1;
    }
}

/// The smallest value that at least `share` of the counted pixels do not exceed; white if
/// nothing was counted.
fn quantile(levels: &Levels, share: f64) -> f64 {
    let wanted = levels.iter().sum::<u64>() as f64 * share;
    let mut below = 0;
    for (value, count) in levels.iter().enumerate() {
        below += count;
        if below > 0 && below as f64 >= wanted {
            return value as f64;
        }
    }
    255.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array3;

    fn picture(colour: impl Fn(usize, usize) -> [u8; 3]) -> Array3<u8> {
        Array3::from_shape_fn((60, 80, 3), |(row, col, channel)| colour(row, col)[channel])
    }

    /// A pixel of texture like that of tissue at 8 um.
    fn tissue(row: usize, col: usize) -> [u8; 3] {
        let shade = ((row * 7 + col * 13) % 11) as u8 * 4;
        [190 + shade / 2, 120 + shade, 170 + shade]
    }

    #[test]
    fn tinted_glass_is_found_between_tissue() {
        let tint = [238, 222, 233];
        let rgb = picture(|row, col| if col < 20 { tint } else { tissue(row, col) });
        let glass = Glass::estimate(rgb.view());
        assert_eq!(glass, Glass { rgb: tint.map(f64::from), seen: true });
        assert!(glass.densities()[1][222].abs() < 1e-6);
        assert!((glass.densities()[0][0] - 239_f32.log10()).abs() < 1e-6);
    }

    #[test]
    fn unscanned_white_is_not_taken_for_glass() {
        let rgb = picture(|row, col| match (row, col) {
            (0..30, _) => [255; 3],
            (_, 0..20) => [225, 224, 226],
            _ => tissue(row, col),
        });
        assert_eq!(Glass::estimate(rgb.view()).rgb, [225.0, 224.0, 226.0]);
    }

    #[test]
    fn without_glass_white_is_assumed_and_marked_as_not_seen() {
        let rgb = picture(tissue);
        assert_eq!(Glass::estimate(rgb.view()), Glass { rgb: [255.0; 3], seen: false });
        let white = picture(|row, col| if row < 10 { [255; 3] } else { tissue(row, col) });
        assert_eq!(Glass::estimate(white.view()), Glass { rgb: [255.0; 3], seen: true });
        assert!(!Glass::estimate(Array3::zeros((0, 0, 3)).view()).seen);
    }

    #[test]
    fn pale_tissue_with_brighter_gaps_is_not_the_glass() {
        let rgb = picture(|row, col| match (row / 3 + col / 5) % 6 {
            0 => [246, 240, 244],
            _ => [239, 209, 222],
        });
        assert_eq!(Glass::estimate(rgb.view()), Glass { rgb: [246.0, 240.0, 244.0], seen: false });
    }

    #[test]
    fn a_large_smooth_shadow_is_not_the_glass() {
        let rgb = picture(|row, col| match col {
            0..45 => [200; 3],
            45..60 => [240; 3],
            _ => tissue(row, col),
        });
        assert_eq!(Glass::estimate(rgb.view()).rgb, [240.0; 3]);
    }
}
