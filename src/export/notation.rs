//! The form of names and coordinates that several export formats share.

/// The name of a class's score in tables and measurements.
pub(super) fn probability_name(class: &str) -> String {
    format!("prob_{class}")
}

/// A coordinate rounded to a thousandth of a pixel.
pub(super) fn round_thousandth(px: f64) -> f64 {
    // Adding zero turns -0 into 0.
    (px * 1000.0).round() / 1000.0 + 0.0
}
