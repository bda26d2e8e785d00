//! What holds for two stains, whoever found them.

use super::matrix::dot;
use super::{NormalizeError, Stains};

/// Stains closer than this are one: amounts along them are noise.
const MIN_ANGLE_DEG: f64 = 2.0;

/// A stain that takes less light than this even where it is strongest would be
/// scaled up from noise.
const MIN_STRENGTH: f64 = 0.02;

/// Fewest pixels of tissue that say anything, and their least share.
const MIN_TISSUE_PX: usize = 64;
const PX_PER_TISSUE_PX: usize = 200;

/// Refuses a picture of which nearly everything is glass.
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
/// When they are one.
pub(super) fn ordered(a: [f64; 3], b: [f64; 3]) -> Result<[[f64; 3]; 2], NormalizeError> {
    let unit = |v: [f64; 3]| {
        let length = dot(v, v).sqrt();
        v.map(|c| c / length)
    };
    let (a, b) = (unit(a), unit(b));
    let angle_deg = dot(a, b).clamp(-1.0, 1.0).acos().to_degrees();
    // A vector without length makes NaN, which is below nothing.
    if angle_deg.is_nan() || angle_deg < MIN_ANGLE_DEG {
        let angle_deg = if angle_deg.is_nan() { 0.0 } else { angle_deg };
        return Err(NormalizeError::SingularStains { angle_deg, least_deg: MIN_ANGLE_DEG });
    }
    Ok(if a[0] > b[0] { [a, b] } else { [b, a] })
}

/// Puts directions and strengths together.
///
/// # Errors
/// When one of them is too weak to be scaled.
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
