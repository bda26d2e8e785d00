//! Checks on two stains that both stain methods make.

use super::matrix::dot;
use super::{NormalizeError, Stains};

/// Smallest angle between two distinct stains; amounts of closer ones are noise.
const MIN_ANGLE_DEG: f64 = 2.0;

/// Smallest strength of a stain. A weaker one would be scaled up from noise.
const MIN_STRENGTH: f64 = 0.02;

/// Fewest pixels of tissue from which colours are measured.
const MIN_TISSUE_PX: usize = 64;
/// Pixels of a picture per required pixel of tissue.
const PX_PER_TISSUE_PX: usize = 200;

/// Refuses a picture that is nearly all glass.
pub(super) fn check_tissue(found_px: usize, all_px: usize) -> Result<(), NormalizeError> {
    let expected_px = MIN_TISSUE_PX.max(all_px / PX_PER_TISSUE_PX);
    if found_px < expected_px {
        return Err(NormalizeError::TooLittleTissue { found_px, all_px, expected_px });
    }
    Ok(())
}

/// The two directions as unit vectors, haematoxylin first.
///
/// # Errors
/// [`NormalizeError::SingularStains`] if the directions are nearly the same.
pub(super) fn ordered(a: [f64; 3], b: [f64; 3]) -> Result<[[f64; 3]; 2], NormalizeError> {
    let unit = |v: [f64; 3]| {
        let length = dot(v, v).sqrt();
        v.map(|c| c / length)
    };
    let (a, b) = (unit(a), unit(b));
    let angle_deg = dot(a, b).clamp(-1.0, 1.0).acos().to_degrees();
    // A vector of length 0 makes the angle NaN, which no comparison finds too small.
    if angle_deg.is_nan() || angle_deg < MIN_ANGLE_DEG {
        let angle_deg = if angle_deg.is_nan() { 0.0 } else { angle_deg };
        return Err(NormalizeError::SingularStains { angle_deg, least_deg: MIN_ANGLE_DEG });
    }
    Ok(if a[0] > b[0] { [a, b] } else { [b, a] })
}

/// Combines directions and strengths.
///
/// # Errors
/// [`NormalizeError::AbsentStain`] if a stain is too weak to be scaled.
pub(super) fn with_strength(
    [haematoxylin, eosin]: [[f64; 3]; 2],
    strength: [f64; 2],
) -> Result<Stains, NormalizeError> {
    for (stain, found) in ["haematoxylin", "eosin"].into_iter().zip(strength) {
        if found.is_nan() || found < MIN_STRENGTH {
            return Err(NormalizeError::AbsentStain { stain, found, least: MIN_STRENGTH });
        }
    }
    Ok(Stains { haematoxylin, eosin, strength })
}
