//! Standardised brightness: L\* scaled so that its 95th percentile is white, like StainTools'
//! `LuminosityStandardizer`.

use super::NormalizeError;
use super::cv_lab::{CvLab, cv_lab};
use super::percentile::percentile_of_bytes;

/// Percentile of L\* that becomes white.
const WHITE_PERCENTILE: f64 = 95.0;

/// The scale of L\*, and the conversion for which it is made.
#[derive(Clone)]
pub(super) struct Luminosity {
    lab: &'static CvLab,
    /// Standardised L\*, indexed by L\*.
    scaled: [u8; 256],
}

impl std::fmt::Debug for Luminosity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Luminosity")
            .field("white", &self.scaled.iter().position(|&l| l == 255))
            .finish()
    }
}

impl Luminosity {
    /// `percentile` is the 95th percentile of L\* from [`percentile_of_l`], above 0.
    pub(super) fn new(percentile: f64) -> Self {
        let mut value = 0.0;
        let scaled = std::array::from_fn(|_| {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped")]
            let byte = (255.0 * value / percentile).clamp(0.0, 255.0) as u8;
            value += 1.0;
            byte
        });
        Self { lab: cv_lab(), scaled }
    }

    #[inline(always)]
    pub(super) fn pixel(&self, rgb: [u8; 3]) -> [u8; 3] {
        let [l, a, b] = self.lab.lab(rgb);
        self.lab.rgb([self.scaled[usize::from(l)], a, b])
    }

    #[inline(always)]
    pub(super) fn apply(&self, rgb: &mut [u8]) {
        for pixel in rgb.as_chunks_mut::<3>().0 {
            *pixel = self.pixel(*pixel);
        }
    }
}

/// The 95th percentile of L\*, 0 to 255.
///
/// # Errors
/// [`NormalizeError::OneColour`] if that percentile is black.
#[inline(always)]
pub(super) fn percentile_of_l(rgb: &[u8]) -> Result<f64, NormalizeError> {
    let lab = cv_lab();
    let mut counts = [0usize; 256];
    for pixel in rgb.as_chunks::<3>().0 {
        counts[usize::from(lab.l(*pixel))] += 1;
    }
    let percentile = percentile_of_bytes(&counts, WHITE_PERCENTILE);
    if percentile > 0.0 { Ok(percentile) } else { Err(NormalizeError::OneColour) }
}

/// Scales the L\* of a picture in place, so that its 95th percentile is white.
///
/// `rgb` is `[pixel, rgb]`. The result equals that of StainTools'
/// `LuminosityStandardizer.standardize` with OpenCV's 8-bit L\*a\*b\*.
///
/// # Errors
/// `NormalizeError::OneColour` for a black picture.
pub fn standardize_luminosity(rgb: &mut [u8]) -> Result<(), NormalizeError> {
    Luminosity::new(percentile_of_l(rgb)?).apply(rgb);
    Ok(())
}
