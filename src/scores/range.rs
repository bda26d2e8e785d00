//! The values that scores can have.

/// What the scores of a network with this activation can be; empty if it is not known.
///
/// A softmax or a sigmoid gives 0 to 1. Without an activation the network itself computes the
/// score, and any finite number may be one.
fn allowed(activation: &str) -> (f32, f32, &'static str) {
    match activation {
        "softmax" | "sigmoid" => (0.0, 1.0, "0 to 1"),
        _ => (f32::MIN, f32::MAX, "a finite number"),
    }
}

/// What was expected of `score`, if it is no score that a network with this activation gives. NaN
/// is none.
pub(crate) fn impossible(activation: &str, score: f32) -> Option<&'static str> {
    let (least, most, expected) = allowed(activation);
    (!(least..=most).contains(&score)).then_some(expected)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_are_0_to_1_and_other_scores_finite() {
        for activation in ["softmax", "sigmoid"] {
            for score in [0.0, -0.0, 1e-40, 0.5, 1.0] {
                assert_eq!(impossible(activation, score), None, "{score}");
            }
            for score in [-1e-9, 1.000_000_1, 7.6e36, f32::NAN, f32::INFINITY] {
                assert_eq!(impossible(activation, score), Some("0 to 1"), "{score}");
            }
        }
        for activation in ["none", ""] {
            assert_eq!(impossible(activation, -7.6e36), None);
            for score in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
                assert_eq!(impossible(activation, score), Some("a finite number"), "{score}");
            }
        }
    }
}
