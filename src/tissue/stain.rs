//! Tissue by its stain, against the slide's own glass.

use ndarray::Array2;

use super::glass::Glass;
use super::picture::TissuePicture;
use super::regions::{grow, remove_specks};

/// Least threshold for the colour of stain: what JPEG leaves on empty glass is below.
const MIN_COLOUR: f32 = 0.015;
/// Largest threshold that noise of the glass may ask for: pale eosin is above.
const MAX_COLOUR: f32 = 0.06;
/// Standard deviations of the glass that stain lies above it.
const DEVIATIONS: f32 = 6.0;
/// Pixels of less density are glass when its noise is measured.
const GLASS_DENSITY: f32 = 0.015;
/// Grey is what has less colour than this share of its density: dust, shadows, black ink
/// and edges. Stains have at least 0.3.
const GREY: f32 = 0.15;
/// Stained specks are smaller, um^2: dust, not cells on their own.
const SPECK_UM2: f64 = 1000.0;
/// Marks in green ink, which no stain is, are larger, um^2.
const GREEN_UM2: f64 = 1500.0;
/// Marks in blue ink are larger, um^2; mucin in Alcian blue mostly has other tissue in its
/// tile.
const BLUE_UM2: f64 = 2000.0;
/// Strokes in red ink are larger, um^2: a sixth of a millimetre square.
const RED_UM2: f64 = 30_000.0;
/// Colour of red ink, optical density. Muscle and blood have its hue, and at 8 um less
/// colour; faint red strokes stay in the mask rather than tissue be lost.
const RED_COLOUR: f32 = 0.4;
/// Share of a stroke that has much of its ink's colour.
const INKED_SHARE: f64 = 0.5;
/// Steps of density that the noise of glass is counted in.
const STEP: f32 = 0.0005;

/// What was found, and what decided it.
pub(super) struct StainedPixels {
    /// `[row, col]` of the picture, 1 = stained tissue.
    pub(super) pixels: Array2<u8>,
    /// `[row, col]` of the picture, 1 = taken for a pen's ink.
    pub(super) ink: Array2<u8>,
    /// Least colour of stain.
    pub(super) colour: f32,
}

/// Densities of one pixel against the glass.
#[derive(Clone, Copy)]
struct PixelDensity {
    red: f32,
    green: f32,
    blue: f32,
    /// Mean of the three.
    density: f32,
    /// Largest less smallest: saturation, as light lost.
    colour: f32,
}

impl PixelDensity {
    fn is_stain(self, least: f32) -> bool {
        let dense = self.density >= 3.0 * least && self.colour >= least / 2.0;
        (self.colour >= least || dense) && self.colour >= GREY * self.density
    }

    /// Whether it has a hue of `ink`, faintly or `much`. Haematoxylin takes at most 1.1
    /// times as much red as green.
    fn is_ink(self, ink: Ink, much: bool) -> bool {
        let (more, less) = if much { (1.25, 0.15) } else { (1.2, 0.05) };
        let cold = self.red > more * self.green && self.red >= less;
        let warm = self.red < 0.2 * self.green && self.blue > 0.68 * self.green;
        match ink {
            Ink::Green => cold && self.blue > self.green && self.colour >= less,
            Ink::Blue => cold && self.blue <= self.green && self.colour >= less,
            Ink::Red => warm && self.colour >= if much { RED_COLOUR } else { less },
        }
    }
}

/// Inks of pens that hue tells from stains; black ink is grey.
#[derive(Debug, Clone, Copy)]
enum Ink {
    Green,
    Blue,
    Red,
}

/// Finds stained pixels.
///
/// A pixel is stained where its colour (the largest less the smallest of its optical
/// densities against the glass) reaches the threshold, or its mean density three times it
/// with half the colour. The threshold is `least_colour`, or else six standard deviations
/// of the glass, between 0.015 and 0.06. What is grey for its density is not stained, nor
/// are strokes of a pen: hue is looked at only where there is much colour, and only for
/// hues that stains do not have; where most of the slide has such a hue (Giemsa, toluidine
/// blue), it is not. Specks below 1,000 um^2 are dust.
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
            .map(|much| Array2::from_shape_fn(size, |at| u8::from(light(at).is_ink(ink, much))));
        let share = if matches!(ink, Ink::Red) { INKED_SHARE } else { 0.0 };
        let strokes = grow(&seeds, &weak, picture.pixels_in(least_um2), share);
        ink_pixels.zip_mut_with(&strokes, |pixel, &stroke| *pixel |= stroke);
    }
    ink_pixels.zip_mut_with(&pixels, |ink, &stained| *ink &= stained);
    // Where most of what is stained has such a hue, it is the stain.
    if 2 * ink_pixels.iter().filter(|&&pixel| pixel != 0).count() >= all {
        ink_pixels.fill(0);
    }
    pixels.zip_mut_with(&ink_pixels, |pixel, &ink| *pixel &= 1 - ink);
    remove_specks(&mut pixels, picture.pixels_in(SPECK_UM2));
    StainedPixels { pixels, ink: ink_pixels, colour }
}

/// The colour that glass does not reach: its median and six standard deviations, the
/// deviation being 1.4826 median absolute deviations.
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

/// The index that half of the counts do not exceed; 0 of nothing.
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
