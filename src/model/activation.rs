//! The card's activation: turns the raw output of a network into scores. Pure arithmetic.

use super::card::{Activation, ModelCard};
use super::check::pairs_single;

/// Why raw outputs cannot be turned into scores.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RawError {
    /// The output does not hold one row of classes per window.
    Shape,
    /// The output for this window of the batch, counted from 0, is NaN or infinite.
    NotFinite(usize),
}

/// The output of a network as an engine gives it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RawOutput<'o> {
    pub(crate) shape: &'o [usize],
    pub(crate) values: &'o [f32],
}

/// Numbers per window in an output of `shape` for `batch` windows; `None` if the shape
/// is not accepted.
///
/// The accepted shapes are `[N, C]`, `[N, C, 1, 1]`, `[N, 1, 1, C]` and `[N]`: at most
/// one axis besides the first may exceed 1.
pub(crate) fn outputs_per_window(shape: &[usize], batch: usize) -> Option<usize> {
    let (windows, rest) = shape.split_first()?;
    (*windows == batch && rest.iter().filter(|size| **size != 1).count() <= 1)
        .then(|| rest.iter().product())
}

/// Writes the scores of `n` windows, `[n, classes]`, in the card's order of classes.
///
/// `raw` holds at least `n` rows of `outputs` numbers; rows beyond `n` are padding and
/// are not read. A single output p of a card with two classes is written as p for the
/// positive class and 1 - p for the other.
pub(crate) fn write_scores(
    card: &ModelCard,
    raw: &[f32],
    outputs: usize,
    n: usize,
    scores: &mut [f32],
) -> Result<(), RawError> {
    let classes = card.classes.len();
    let pair = pairs_single(card, outputs);
    if !(pair || outputs == classes) || raw.len() < n * outputs {
        return Err(RawError::Shape);
    }
    let rows = raw.chunks_exact(outputs).zip(scores.chunks_exact_mut(classes)).take(n);
    for (window, (row, scores)) in rows.enumerate() {
        if !row.iter().all(|value| value.is_finite()) {
            return Err(RawError::NotFinite(window));
        }
        if pair {
            let positive = card.positive_index();
            let p = if card.activation == Activation::Sigmoid { sigmoid(row[0]) } else { row[0] };
            scores[positive] = p;
            scores[1 - positive] = 1.0 - p;
            continue;
        }
        scores.copy_from_slice(row);
        match card.activation {
            Activation::None => {}
            Activation::Softmax => softmax(scores),
            Activation::Sigmoid => scores.iter_mut().for_each(|score| *score = sigmoid(*score)),
        }
    }
    Ok(())
}

/// 1 / (1 + e^-x) without overflow at either end.
pub(super) fn sigmoid(x: f32) -> f32 {
    let e = (-x.abs()).exp();
    if x < 0.0 { e / (1.0 + e) } else { 1.0 / (1.0 + e) }
}

/// Softmax in place. The largest value is subtracted first, so that no exponential
/// overflows.
pub(super) fn softmax(row: &mut [f32]) {
    let largest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    row.iter_mut().for_each(|value| *value = (*value - largest).exp());
    let sum: f32 = row.iter().sum();
    row.iter_mut().for_each(|value| *value /= sum);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn card(classes: &str, positive: &str, activation: &str) -> ModelCard {
        ModelCard::from_toml(&format!(
            "file = \"n\"\nwindow = 2\nmpp = 1.0\nlayout = \"nchw\"\nrange = \"unit\"\nmean = [0, 0, 0]\nstd = [1, 1, 1]\nchannels = \"rgb\"\nclasses = {classes}\npositive = \"{positive}\"\nactivation = \"{activation}\""
        ))
        .unwrap()
    }

    #[test]
    fn shapes_with_one_row_per_window_are_accepted() {
        for (shape, outputs) in [
            (&[4, 2][..], Some(2)),
            (&[4, 2, 1, 1], Some(2)),
            (&[4, 1, 1, 2], Some(2)),
            (&[4], Some(1)),
            (&[4, 1], Some(1)),
            (&[1, 8], None),
            (&[4, 2, 7, 7], None),
            (&[], None),
        ] {
            assert_eq!(outputs_per_window(shape, 4), outputs, "{shape:?}");
        }
    }

    #[test]
    fn a_single_output_is_the_score_of_the_positive_class() {
        let mut scores = [9.0; 4];
        let card = card("[\"tumor\", \"normal\"]", "tumor", "sigmoid");
        write_scores(&card, &[0.0, 200.0], 1, 2, &mut scores).unwrap();
        assert_eq!(scores, [0.5, 0.5, 1.0, 0.0]);
        assert_eq!(write_scores(&card, &[0.0; 6], 3, 2, &mut scores), Err(RawError::Shape));
    }

    #[test]
    fn outputs_that_are_not_finite_are_refused() {
        let card = card("[\"a\", \"b\"]", "b", "softmax");
        let mut scores = [0.0; 4];
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let raw = [0.0, 1.0, bad, 0.0];
            assert_eq!(write_scores(&card, &raw, 2, 2, &mut scores), Err(RawError::NotFinite(1)));
            // Padding may hold anything.
            write_scores(&card, &raw, 2, 1, &mut scores).unwrap();
        }
    }

    proptest! {
        #[test]
        fn activations_agree_with_double_precision(row in prop::collection::vec(-300f32..300.0, 3)) {
            let e: Vec<f64> = {
                let largest = row.iter().copied().fold(f32::MIN, f32::max);
                row.iter().map(|v| (f64::from(*v) - f64::from(largest)).exp()).collect()
            };
            let sum: f64 = e.iter().sum();
            let mut scores = [0.0; 3];
            write_scores(&card("[\"a\", \"b\", \"c\"]", "b", "softmax"), &row, 3, 1, &mut scores).unwrap();
            for (score, e) in scores.iter().zip(&e) {
                prop_assert!((f64::from(*score) - e / sum).abs() < 1e-5);
            }
            write_scores(&card("[\"a\", \"b\", \"c\"]", "b", "sigmoid"), &row, 3, 1, &mut scores).unwrap();
            for (score, x) in scores.iter().zip(&row) {
                prop_assert!((f64::from(*score) - 1.0 / (1.0 + (-f64::from(*x)).exp())).abs() < 1e-6);
            }
        }
    }
}
