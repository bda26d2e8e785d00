//! The method `stain`: tissue by the colour and density of its stain, relative to the slide's
//! own glass.

use ndarray::Array2;

use super::glass::Glass;
use super::picture::TissuePicture;
use super::regions::{grow, remove_specks};

/// Smallest threshold for the colour of stain; JPEG artefacts on empty glass lie below.
const MIN_COLOUR: f32 = 0.015;
/// Largest threshold that noise of the glass may lead to; pale eosin lies above.
const MAX_COLOUR: f32 = 0.06;
/// Distance of the threshold from the median colour of glass, in standard deviations.
const DEVIATIONS: f32 = 6.0;
/// Largest density of the pixels from which the noise of the glass is measured.
const GLASS_DENSITY: f32 = 0.015;
/// A pixel is grey if its colour is less than this share of its density: dust, shadows, black
/// ink and edges. Stains have at least 0.3.
const GREY: f32 = 0.15;
/// Smallest area of stained tissue, um^2; smaller specks are dust.
const SPECK_UM2: f64 = 1000.0;
/// Smallest area of a mark in green ink, um^2. No stain is green.
const GREEN_UM2: f64 = 1500.0;
/// Smallest area of a mark in blue ink, um^2. Mucin in Alcian blue may be larger, but mostly
/// has other tissue in its tile.
const BLUE_UM2: f64 = 2000.0;
/// Smallest area of a stroke in red ink, um^2: a square with a side of a sixth of a
/// millimetre.
const RED_UM2: f64 = 30_000.0;
/// Smallest colour of red ink, optical density. Muscle and blood have the hue of red ink, but
/// less colour at 8 um. Faint red strokes stay in the mask, so that no tissue is lost.
const RED_COLOUR: f32 = 0.4;
/// Smallest share of a red stroke that must have the ink's full colour.
const INKED_SHARE: f64 = 0.5;
/// Bin width of the histogram from which the noise of the glass is measured, optical density.
const STEP: f32 = 0.0005;

/// Stained pixels, ink, and the threshold that decided.
pub(super) struct StainedPixels {
    /// `[row, col]` of the picture, 1 = stained tissue.
    pub(super) pixels: Array2<u8>,
    /// `[row, col]` of the picture, 1 = taken for a pen's ink.
    pub(super) ink: Array2<u8>,
    /// Smallest colour of stain, optical density.
    pub(super) colour: f32,
}

/// Optical densities of one pixel relative to the glass.
#[derive(Clone, Copy)]
struct PixelDensity {
    red: f32,
    green: f32,
    blue: f32,
    /// Mean of the three channels.
    density: f32,
    /// Largest channel minus smallest: saturation in terms of optical density.
    colour: f32,
}

impl PixelDensity {
    fn is_stain(self, least: f32) -> bool {
        let dense = self.density >= 3.0 * least && self.colour >= least / 2.0;
        (self.colour >= least || dense) && self.colour >= GREY * self.density
    }

    /// Whether the pixel has the hue of `ink`, with `full` colour or at least faintly.
    /// Haematoxylin absorbs at most 1.1 times as much red as green.
    fn is_ink(self, ink: Ink, full: bool) -> bool {
        let (more, less) = if full { (1.25, 0.15) } else { (1.2, 0.05) };
        let cold = self.red > more * self.green && self.red >= less;
        let warm = self.red < 0.2 * self.green && self.blue > 0.68 * self.green;
        match ink {
            Ink::Green => cold && self.blue > self.green && self.colour >= less,
            Ink::Blue => cold && self.blue <= self.green && self.colour >= less,
            Ink::Red => warm && self.colour >= if full { RED_COLOUR } else { less },
        }
    }
}

/// Inks of pens that differ from stains in hue. Black ink is grey and not stained anyway.
#[derive(Debug, Clone, Copy)]
enum Ink {
    Green,
    Blue,
    Red,
}

/// Finds stained pixels.
///
/// The colour of a pixel is the largest minus the smallest of its optical densities relative
/// to the glass. A pixel is stained if its colour reaches the threshold, or if its mean
/// density reaches three times the threshold and its colour half of it. The threshold is
/// `least_colour`, or else the median of the glass plus six standard deviations, between
/// 0.015 and 0.06.
///
/// Three things are not stained: pixels that are grey for their density; strokes of a pen,
/// which grow from pixels of full colour whose hue no stain has; and specks below 1,000 um^2,
/// which are dust. Where at least half of the stained pixels have a hue of ink (Giemsa,
/// toluidine blue), that hue is the stain and nothing is taken for ink.
pub(super) fn stained(
    picture: &TissuePicture,
    glass: &Glass,
    least_colour: Option<f64>,
) -> StainedPixels {
    let densities = glass.densities();
    let light = |at: (usize, usize)| -> PixelDensity {
        let [red, green, blue] =
            [0, 1, 2].map(|k| densities[k][usize::from(picture.rgb[[at.0, at.1, k]])]);
        let (least, most) = (red.min(green).min(blue), red.max(green).max(blue));
        PixelDensity { red, green, blue, density: (red + green + blue) / 3.0, colour: most - least }
    };
    let size = picture.size();
    #[expect(clippy::cast_possible_truncation, reason = "a threshold of density")]
    let colour = least_colour.map_or_else(
        || match glass.seen {
            true => threshold(ndarray::indices(size).into_iter().map(light)),
            false => MIN_COLOUR,
        },
        |given| given as f32,
    );
    let mut pixels = Array2::from_shape_fn(size, |at| u8::from(light(at).is_stain(colour)));
    let all = pixels.iter().filter(|&&pixel| pixel != 0).count();
    let mut ink_pixels = Array2::zeros(size);
    for (ink, least_um2) in [(Ink::Green, GREEN_UM2), (Ink::Blue, BLUE_UM2), (Ink::Red, RED_UM2)] {
        let [seeds, weak] = [true, false]
            .map(|full| Array2::from_shape_fn(size, |at| u8::from(light(at).is_ink(ink, full))));
        let share = if matches!(ink, Ink::Red) { INKED_SHARE } else { 0.0 };
        let strokes = grow(&seeds, &weak, picture.pixels_in(least_um2), share);
        ink_pixels.zip_mut_with(&strokes, |pixel, &stroke| *pixel |= stroke);
    }
    ink_pixels.zip_mut_with(&pixels, |ink, &stained| *ink &= stained);
    // Where at least half of the stained pixels have a hue of ink, that hue is the stain.
    if 2 * ink_pixels.iter().filter(|&&pixel| pixel != 0).count() >= all {
        ink_pixels.fill(0);
    }
    pixels.zip_mut_with(&ink_pixels, |pixel, &ink| *pixel &= 1 - ink);
    remove_specks(&mut pixels, picture.pixels_in(SPECK_UM2));
    StainedPixels { pixels, ink: ink_pixels, colour }
}

/// The smallest colour that glass does not reach: its median plus six standard deviations.
/// The standard deviation is estimated as 1.4826 times the median absolute deviation.
fn threshold(pixels: impl Iterator<Item = PixelDensity>) -> f32 {
    const STEPS: usize = 200;
    let mut counts = [0_u64; STEPS];
    let index = |colour: f32| {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "colour is not negative"
        )]
        let step = (colour / STEP) as usize;
        step.min(STEPS - 1)
    };
    for light in pixels.filter(|light| light.density.abs() < GLASS_DENSITY) {
        counts[index(light.colour)] += 1;
    }
    let middle = median_index(counts.iter().copied().enumerate());
    let away = counts.iter().enumerate().map(|(at, &count)| (at.abs_diff(middle), count));
    let mut deviations = [0_u64; STEPS];
    away.for_each(|(distance, count)| deviations[distance] += count);
    let deviation = median_index(deviations.iter().copied().enumerate());
    let steps = middle as f32 + DEVIATIONS * 1.4826 * deviation as f32;
    (steps * STEP).clamp(MIN_COLOUR, MAX_COLOUR)
}

/// The index that half of the counts do not exceed; 0 if there are none.
fn median_index(counts: impl Iterator<Item = (usize, u64)> + Clone) -> usize {
    let half = counts.clone().map(|(_, count)| count).sum::<u64>().div_ceil(2);
    let mut below = 0;
    counts
        .into_iter()
        .find(|&(_, count)| {
            below += count;
            below >= half
        })
        .map_or(0, |(at, _)| at)
}

#[cfg(test)]
#[path = "stain_tests.rs"]
mod tests;
