//! The errors of colour normalisation.

use thiserror::Error;

use super::method::ColourMethod;

/// Why a picture's colours cannot be measured or changed.
#[derive(Debug, Clone, Copy, PartialEq, Error)]
pub enum NormalizeError {
    /// Nearly all pixels are glass.
    #[error("too little tissue: {found_px} of {all_px} pixels, expected at least {expected_px}")]
    TooLittleTissue {
        /// Pixels of tissue.
        found_px: usize,
        /// All pixels of the picture.
        all_px: usize,
        /// Fewest pixels of tissue that suffice.
        expected_px: usize,
    },
    /// All pixels have nearly the same colour, or no colour: black or shades of grey.
    #[error("one colour: its pixels hardly vary")]
    OneColour,
    /// The two stains are nearly the same.
    #[error(
        "singular stains: the two found are {angle_deg:.2} degrees apart, expected at least {least_deg} degrees"
    )]
    SingularStains {
        /// Angle between the stains.
        angle_deg: f64,
        /// Smallest angle of two distinct stains.
        least_deg: f64,
    },
    /// One of the stains is absent.
    #[error(
        "no {stain}: its optical density at the 99th percentile is {found:.3}, expected at least {least}"
    )]
    AbsentStain {
        /// Name of the stain.
        stain: &'static str,
        /// 99th percentile of its amount.
        found: f64,
        /// Smallest percentile that can be scaled.
        least: f64,
    },
    /// Slide and template were measured by different methods.
    #[error("the estimate is of method {found}, expected {expected} as the template's")]
    OtherMethod {
        /// Method of the slide's estimate.
        found: ColourMethod,
        /// Method of the template's estimate.
        expected: ColourMethod,
    },
}
