//! Why a picture's colours cannot be told.

use thiserror::Error;

use super::Method;

/// Why a picture's colours cannot be told, or not be changed.
#[derive(Debug, Clone, Copy, PartialEq, Error)]
pub enum NormalizeError {
    /// Nearly everything is glass.
    #[error("too little tissue: {found_px} of {all_px} pixels, expected at least {expected_px}")]
    TooLittleTissue {
        /// Pixels of tissue.
        found_px: usize,
        /// Pixels looked at.
        all_px: usize,
        /// Fewest that say anything.
        expected_px: usize,
    },
    /// All pixels have nearly one colour, or none: black, or shades of grey.
    #[error("one colour: its pixels hardly vary")]
    OneColour,
    /// What should be two stains is one.
    #[error(
        "singular stains: the two found are {angle_deg:.2} degrees apart, expected at least {least_deg} degrees"
    )]
    SingularStains {
        /// Angle between the stains.
        angle_deg: f64,
        /// Smallest that tells two stains.
        least_deg: f64,
    },
    /// One of the stains is not there.
    #[error(
        "no {stain}: its optical density at the 99th percentile is {found:.3}, expected at least {least}"
    )]
    AbsentStain {
        /// Which.
        stain: &'static str,
        /// 99th percentile of its amount.
        found: f64,
        /// Smallest that can be scaled.
        least: f64,
    },
    /// Slide and template were measured by different methods.
    #[error("the estimate is of method {found}, expected {expected} as the template's")]
    OtherMethod {
        /// The slide's.
        found: Method,
        /// The template's.
        expected: Method,
    },
}
