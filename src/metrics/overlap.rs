//! The agreement of two segmentations: Dice and intersection over union (IoU).

use ndarray::ArrayView2;
use serde::Serialize;

/// Numbers of pixels in the prediction, in the truth and in both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Overlap {
    /// Pixels in both.
    pub true_positives: u64,
    /// Pixels in the prediction alone.
    pub false_positives: u64,
    /// Pixels in the truth alone.
    pub false_negatives: u64,
}

impl Overlap {
    /// `2 TP / (2 TP + FP + FN)`; `None` if prediction and truth are empty.
    pub fn dice(&self) -> Option<f64> {
        let (both, apart) = (self.true_positives, self.false_positives + self.false_negatives);
        (both + apart > 0).then(|| 2.0 * both as f64 / (2 * both + apart) as f64)
    }

    /// `TP / (TP + FP + FN)`; `None` if prediction and truth are empty.
    pub fn iou(&self) -> Option<f64> {
        let (both, apart) = (self.true_positives, self.false_positives + self.false_negatives);
        (both + apart > 0).then(|| both as f64 / (both + apart) as f64)
    }
}

impl std::ops::AddAssign for Overlap {
    fn add_assign(&mut self, other: Self) {
        self.true_positives += other.true_positives;
        self.false_positives += other.false_positives;
        self.false_negatives += other.false_negatives;
    }
}

/// The overlap at each of `thresholds`. A point is predicted if its score is at least the
/// threshold; points without a score (NaN) are not predicted.
///
/// `heatmap` and `truth` are `[row, col]`, of the same shape.
///
/// # Panics
/// If the shapes differ.
pub fn threshold_sweep(
    heatmap: ArrayView2<'_, f32>,
    truth: ArrayView2<'_, bool>,
    thresholds: &[f32],
) -> Vec<Overlap> {
    assert_eq!(heatmap.dim(), truth.dim(), "one truth for each point");
    let mut order: Vec<usize> = (0..thresholds.len()).collect();
    order.sort_by(|&a, &b| thresholds[a].total_cmp(&thresholds[b]));
    // reach[k]: points outside and inside the truth that reach exactly k thresholds.
    let mut reach = vec![[0_u64; 2]; thresholds.len() + 1];
    for (&score, &truth) in heatmap.iter().zip(truth) {
        let reached = match score.is_nan() {
            true => 0,
            false => order.partition_point(|&place| thresholds[place] <= score),
        };
        reach[reached][usize::from(truth)] += 1;
    }
    let positives: u64 = reach.iter().map(|counts| counts[1]).sum();
    let mut overlaps = vec![Overlap::default(); thresholds.len()];
    let mut predicted = [0, 0];
    for (rank, &place) in order.iter().enumerate().rev() {
        predicted = [0, 1].map(|kind| predicted[kind] + reach[rank + 1][kind]);
        overlaps[place] = Overlap {
            true_positives: predicted[1],
            false_positives: predicted[0],
            false_negatives: positives - predicted[1],
        };
    }
    overlaps
}

/// The overlap of each class. The result has 256 entries, indexed by the value of the class in
/// the label images.
///
/// `predicted` and `truth` are `[row, col]`, of the same shape.
///
/// # Panics
/// If the shapes differ.
pub fn per_class(predicted: ArrayView2<'_, u8>, truth: ArrayView2<'_, u8>) -> Vec<Overlap> {
    assert_eq!(predicted.dim(), truth.dim(), "one truth for each pixel");
    let mut overlaps = vec![Overlap::default(); 256];
    for (&predicted, &truth) in predicted.iter().zip(truth) {
        if predicted == truth {
            overlaps[usize::from(truth)].true_positives += 1;
        } else {
            overlaps[usize::from(predicted)].false_positives += 1;
            overlaps[usize::from(truth)].false_negatives += 1;
        }
    }
    overlaps
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array2, arr2};
    use proptest::prelude::*;

    #[test]
    fn empty_segmentations_have_no_dice_and_no_iou() {
        assert_eq!((Overlap::default().dice(), Overlap::default().iou()), (None, None));
        let overlap = Overlap { true_positives: 2, false_positives: 1, false_negatives: 3 };
        assert_eq!((overlap.dice(), overlap.iou()), (Some(0.5), Some(2.0 / 6.0)));
    }

    #[test]
    fn points_without_a_score_are_missed_tumor() {
        let heatmap = arr2(&[[f32::NAN, 0.5, 0.9]]);
        let truth = arr2(&[[true, true, false]]);
        let found = threshold_sweep(heatmap.view(), truth.view(), &[0.9, 0.5]);
        let overlap = |true_positives, false_positives, false_negatives| Overlap {
            true_positives,
            false_positives,
            false_negatives,
        };
        assert_eq!(found, [overlap(0, 1, 2), overlap(1, 1, 1)]);
    }

    proptest! {
        #[test]
        fn a_sweep_equals_one_comparison_per_threshold(
            values in proptest::collection::vec((0_u8..9, any::<bool>()), 30),
            thresholds in proptest::collection::vec(0_u8..9, 0..6),
        ) {
            let scores: Vec<f32> = values.iter().map(|v| f32::from(v.0) / 8.0).collect();
            let heatmap = Array2::from_shape_vec((5, 6), scores).unwrap();
            let truth = Array2::from_shape_vec((5, 6), values.iter().map(|v| v.1).collect()).unwrap();
            let thresholds: Vec<f32> = thresholds.into_iter().map(|t| f32::from(t) / 8.0).collect();
            let swept = threshold_sweep(heatmap.view(), truth.view(), &thresholds);
            for (threshold, found) in thresholds.iter().zip(swept) {
                let labels = heatmap.mapv(|score| u8::from(score >= *threshold));
                let expected = per_class(labels.view(), truth.mapv(u8::from).view())[1];
                prop_assert_eq!(found, expected);
            }
        }
    }
}
