//! A random forest that turns features into slide scores, tested on slides it was not trained
//! on.
//!
//! The trees are smartcore's regression trees on 0 and 1. With two classes, splitting for the
//! smallest squared error is splitting for the smallest Gini impurity, and a leaf's mean is its
//! share of positives. The forest's mean is therefore the `predict_proba` of scikit-learn's
//! classifier.

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use smartcore::ensemble::random_forest_regressor::{
    RandomForestRegressor, RandomForestRegressorParameters,
};
use smartcore::linalg::basic::matrix::DenseMatrix;
use thiserror::Error;

/// How a forest is grown. The defaults are the paper's values.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ForestRules {
    /// Number of trees.
    pub trees: usize,
    /// Largest number of levels of a tree.
    pub max_depth: u16,
    /// Number of features that are tried at each split.
    pub max_features: usize,
    /// Seed of all random choices.
    pub seed: u64,
}

impl Default for ForestRules {
    fn default() -> Self {
        Self { trees: 300, max_depth: 20, max_features: 10, seed: 42 }
    }
}

/// Why a forest cannot be grown or used.
#[derive(Debug, Error)]
pub enum ForestError {
    /// There are too few positive or negative slides.
    #[error(
        "{positives} positive and {negatives} negative slides to train on, expected at least {expected} of each; use the simple slide score (max), or more slides"
    )]
    TooFew {
        /// Number of positive slides.
        positives: usize,
        /// Number of negative slides.
        negatives: usize,
        /// Smallest number of each that suffices.
        expected: usize,
    },
    /// The library smartcore reports an error.
    #[error("the random forest could not be grown: {0}")]
    Library(#[from] smartcore::error::Failed),
}

type Tree = RandomForestRegressor<f64, f64, DenseMatrix<f64>, Vec<f64>>;

/// A trained forest.
#[derive(Debug)]
pub struct Forest {
    trees: Vec<Tree>,
}

impl Forest {
    /// Trains on `features`, one row per slide, and `truth`, which marks the positive slides.
    ///
    /// # Errors
    /// [`ForestError`] if there are no positive or no negative slides.
    pub fn train(
        features: &[Vec<f64>],
        truth: &[bool],
        rules: &ForestRules,
    ) -> Result<Self, ForestError> {
        smaller_class(truth, 1)?;
        let x = DenseMatrix::from_2d_vec(&features.to_vec())?;
        let y: Vec<f64> = truth.iter().map(|&truth| f64::from(u8::from(truth))).collect();
        let width = features.first().map_or(0, Vec::len);
        // Each tree is a forest of one tree of the library, because the trees of one such forest
        // all try the same features.
        let trees = (0..rules.trees.max(1) as u64).map(|number| {
            let parameters = RandomForestRegressorParameters::default()
                .with_n_trees(1)
                .with_max_depth(rules.max_depth)
                .with_m(rules.max_features.clamp(1, width.max(1)))
                .with_seed(rules.seed.wrapping_mul(1_000_003).wrapping_add(number));
            Tree::fit(&x, &y, parameters)
        });
        Ok(Self { trees: trees.collect::<Result<_, _>>()? })
    }

    /// The probability that each slide, a row of `features`, is positive, 0 to 1.
    ///
    /// # Errors
    /// [`ForestError::Library`] if the number of features is not that of the training.
    pub fn predict(&self, features: &[Vec<f64>]) -> Result<Vec<f64>, ForestError> {
        if features.is_empty() {
            return Ok(Vec::new());
        }
        let x = DenseMatrix::from_2d_vec(&features.to_vec())?;
        let mut sums = vec![0.0; features.len()];
        for tree in &self.trees {
            for (sum, share) in sums.iter_mut().zip(tree.predict(&x)?) {
                *sum += share;
            }
        }
        Ok(sums.into_iter().map(|sum| sum / self.trees.len() as f64).collect())
    }
}

/// Scores of all slides by cross-validation: every slide is scored by a forest that was not
/// trained on it.
///
/// The slides are divided into `folds` parts with equal shares of positives, and each part is
/// scored by a forest that is trained on the others. If there are fewer positive or negative
/// slides than `folds`, there are only as many folds as the rarer kind has slides.
///
/// # Errors
/// [`ForestError`] if there are fewer than two positive or two negative slides.
pub fn cross_validated(
    features: &[Vec<f64>],
    truth: &[bool],
    folds: usize,
    rules: &ForestRules,
) -> Result<Vec<f64>, ForestError> {
    let folds = folds.min(smaller_class(truth, 2)?).max(2);
    let fold = stratified_folds(truth, folds, rules.seed);
    let mut scores = vec![0.0; truth.len()];
    for held_out in 0..folds {
        let (test, train): (Vec<usize>, Vec<usize>) =
            (0..truth.len()).partition(|&slide| fold[slide] == held_out);
        let forest =
            Forest::train(&select_rows(features, &train), &select_truth(truth, &train), rules)?;
        for (&slide, score) in test.iter().zip(forest.predict(&select_rows(features, &test))?) {
            scores[slide] = score;
        }
    }
    Ok(scores)
}

/// The number of slides of the rarer kind; an error if there are fewer than `expected`.
fn smaller_class(truth: &[bool], expected: usize) -> Result<usize, ForestError> {
    let positives = truth.iter().filter(|&&truth| truth).count();
    let negatives = truth.len() - positives;
    if positives.min(negatives) < expected {
        return Err(ForestError::TooFew { positives, negatives, expected });
    }
    Ok(positives.min(negatives))
}

/// The fold of each slide. The slides of each kind are shuffled and dealt out evenly.
fn stratified_folds(truth: &[bool], folds: usize, seed: u64) -> Vec<usize> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut fold = vec![0; truth.len()];
    let mut dealt = 0;
    for kind in [true, false] {
        let mut slides: Vec<usize> = (0..truth.len()).filter(|&i| truth[i] == kind).collect();
        slides.shuffle(&mut rng);
        for slide in slides {
            fold[slide] = dealt % folds;
            dealt += 1;
        }
    }
    fold
}

fn select_rows(features: &[Vec<f64>], slides: &[usize]) -> Vec<Vec<f64>> {
    slides.iter().map(|&slide| features[slide].clone()).collect()
}

fn select_truth(truth: &[bool], slides: &[usize]) -> Vec<bool> {
    slides.iter().map(|&slide| truth[slide]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two features whose classes overlap a little, and one of noise.
    fn slides(count: usize) -> (Vec<Vec<f64>>, Vec<bool>) {
        let mut state = 77_u64;
        let mut noise = move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 40) as f64 / f64::from(1 << 24)
        };
        let truth: Vec<bool> = (0..count).map(|i| i % 2 == 1).collect();
        let row = |&positive: &bool| {
            let shift = if positive { 0.7 } else { 0.0 };
            vec![noise() + shift, noise() * 3.0, noise() + shift]
        };
        (truth.iter().map(row).collect(), truth)
    }

    #[test]
    fn held_out_slides_are_classified() {
        let (features, truth) = slides(60);
        let rules = ForestRules { trees: 50, max_features: 2, ..ForestRules::default() };
        let scores = cross_validated(&features, &truth, 5, &rules).unwrap();
        let auc = crate::metrics::auc::auc(&truth, &scores).unwrap().auc;
        assert!(auc > 0.9, "{auc}");
        assert!(scores.iter().all(|score| (0.0..=1.0).contains(score)));
        assert_eq!(scores, cross_validated(&features, &truth, 5, &rules).unwrap());
        let shuffled: Vec<bool> = (0..60).map(|i| i % 4 < 2).collect();
        let chance = cross_validated(&features, &shuffled, 5, &rules).unwrap();
        let auc = crate::metrics::auc::auc(&shuffled, &chance).unwrap().auc;
        assert!((0.2..0.8).contains(&auc), "held-out slides leak: {auc}");
    }

    #[test]
    fn trees_differ_in_the_features_they_try_first() {
        // Each feature separates the classes, so trees that try one feature per split use either.
        let features: Vec<Vec<f64>> = (0..20).map(|i| vec![f64::from(i), f64::from(i)]).collect();
        let truth: Vec<bool> = (0..20).map(|i| i >= 10).collect();
        let rules = ForestRules { trees: 40, max_features: 1, ..ForestRules::default() };
        let forest = Forest::train(&features, &truth, &rules).unwrap();
        let mixed = forest.predict(&[vec![0.0, 19.0]]).unwrap()[0];
        assert!((0.2..0.8).contains(&mixed), "{mixed}");
    }

    #[test]
    fn each_fold_has_its_share_of_each_kind() {
        let truth: Vec<bool> = (0..23).map(|i| i < 11).collect();
        let fold = stratified_folds(&truth, 5, 1);
        for part in 0..5 {
            let of_kind = |kind| (0..23).filter(|&i| fold[i] == part && truth[i] == kind).count();
            assert!((2..=3).contains(&of_kind(true)) && (2..=3).contains(&of_kind(false)));
        }
    }

    #[test]
    fn slides_of_one_kind_alone_are_refused() {
        let (features, _) = slides(6);
        let error = cross_validated(&features, &[true; 6], 5, &ForestRules::default()).unwrap_err();
        assert!(error.to_string().contains("6 positive and 0 negative"), "{error}");
    }
}
