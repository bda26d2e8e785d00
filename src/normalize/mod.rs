//! Colour normalisation: pictures changed to look as if stained and scanned like a template.
//! `predict` applies it to patches before the network sees them.
//!
//! A [`ColourMethod`] measures a picture ([`ColourMethod::estimate`]). The estimates of a slide and of a
//! template give a [`ColourTransform`], a function of single pixels. The module is deterministic
//! and does no I/O. docs/colour.md has the formulas with their sources, and pictures.
//!
//! | method | estimate | source |
//! |---|---|---|
//! | [`ColourMethod::Reinhard`] | mean and deviation of L\*, a\*, b\* | Reinhard et al. 2001 |
//! | [`ColourMethod::Macenko`] | two stains by extreme angles in the plane of optical density | Macenko et al. 2009 |
//! | [`ColourMethod::Vahadane`] | brightness, and two stains by sparse non-negative factors | Vahadane et al. 2016 |

mod cv_lab;
mod dictionary;
mod eigen;
mod error;
mod estimate;
mod fast_math;
mod lab;
mod luminosity;
mod macenko;
mod matrix;
mod measure;
mod method;
mod percentile;
mod planes;
mod reinhard;
mod stains;
mod transform;
mod vahadane;

pub use error::NormalizeError;
pub use estimate::{ColourEstimate, LabStatistics, Stains};
pub use lab::{lab_to_rgb, rgb_to_lab};
pub use luminosity::standardize_luminosity;
pub use method::ColourMethod;
pub use transform::ColourTransform;

/// Normalises one picture in place, by an estimate made from the picture itself.
///
/// `rgb` is `[pixel, rgb]`, any number of pixels.
///
/// # Errors
/// `NormalizeError` if the picture's colours cannot be measured; `rgb` is then unchanged.
pub fn normalize_patch(rgb: &mut [u8], target: &ColourEstimate) -> Result<(), NormalizeError> {
    let source = target.method().estimate(rgb)?;
    ColourTransform::new(&source, target)?.apply(rgb);
    Ok(())
}

#[cfg(test)]
mod mixture;
#[cfg(test)]
mod tests;
