//! Checks whether a sample determines the calibration that is fitted to it. Pure.
//!
//! Windows near the threshold and above it determine the slope. If all windows of a sample are
//! far below, the noise of low scores decides the fit. The fit is then often nearly a constant,
//! and its residual looks excellent because only low scores are compared.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::calibration::Calibration;
use super::classes::Classes;

/// Scores of the positive class of at least this are near the threshold or above it.
const NEAR: f32 = 0.1;

/// Fewest such windows that determine a slope.
const MIN_WINDOWS: usize = 16;

/// Fewest tiles that these windows come from, since windows of one tile are alike.
const MIN_TILES: usize = 4;

/// Bootstrap draws, each of as many tiles as the sample has, with replacement.
const DRAWS: usize = 200;

/// Seed of the draws.
const SEED: u64 = 0x51de_941d;

/// Largest ratio of the 95 % to the 5 % quantile of the slope at which the slope is determined.
const MOST_RATIO: f64 = 2.0;

/// Scores of one tile's windows by the dense network and one by one, `[window, class]`.
#[derive(Default)]
pub(super) struct ScorePair {
    pub(super) dense: Vec<f32>,
    pub(super) exact: Vec<f32>,
}

/// Windows of several tiles in one list.
pub(super) fn joined<'p>(pairs: impl Iterator<Item = &'p ScorePair>) -> ScorePair {
    let mut joined = ScorePair::default();
    for pair in pairs {
        joined.dense.extend(&pair.dense);
        joined.exact.extend(&pair.exact);
    }
    joined
}

/// How well a sample determines the fit.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct FitSupport {
    /// Windows near the threshold or above it.
    pub(super) near: u64,
    /// 5 % and 95 % quantile of the positive class's slope over the draws.
    pub(super) slope: [f64; 2],
    /// Why the sample does not determine the fit; empty if it does.
    pub(super) open: String,
}

impl FitSupport {
    /// Windows near the threshold or above it.
    pub(super) fn near_in(tiles: &[&ScorePair], classes: Classes) -> u64 {
        let exact = tiles.iter().flat_map(|pair| classes.positives(&pair.exact));
        exact.filter(|&score| score >= NEAR).count() as u64
    }

    /// Measures the windows of each tile.
    pub(super) fn measure(tiles: &[&ScorePair], classes: Classes) -> Self {
        let near_in = |pair: &&ScorePair| {
            classes.positives(&pair.exact).filter(|&score| score >= NEAR).count()
        };
        let sampled: usize = tiles.iter().map(|pair| pair.exact.len() / classes.count).sum();
        let counts: Vec<usize> = tiles.iter().map(near_in).filter(|&count| count > 0).collect();
        let near: usize = counts.iter().sum();
        let slope = slopes(tiles, classes);
        let [low, high] = slope;
        let open = if near < MIN_WINDOWS || counts.len() < MIN_TILES {
            format!(
                "{near} of {sampled} sampled windows, of {} tissue tiles, are near the threshold or above it ({NEAR}), expected at least {} windows of {} tiles",
                counts.len(),
                MIN_WINDOWS,
                MIN_TILES
            )
        } else if low > 0.0 && high <= MOST_RATIO * low {
            String::new()
        } else {
            format!(
                "the slope is {low:.2} to {high:.2} (9 in 10 of {DRAWS} draws of tiles), expected above 0 and within a factor of {MOST_RATIO}"
            )
        };
        Self { near: near as u64, slope, open }
    }
}

/// 5 % and 95 % quantile of the slope over bootstrap draws of tiles (Efron, "Bootstrap methods:
/// another look at the jackknife", Annals of Statistics 7, 1979).
fn slopes(tiles: &[&ScorePair], classes: Classes) -> [f64; 2] {
    if tiles.is_empty() {
        return [f64::NEG_INFINITY, f64::INFINITY];
    }
    let positives = |scores: &[f32]| -> Vec<f32> { classes.positives(scores).collect() };
    let tiles: Vec<ScorePair> = tiles
        .iter()
        .map(|pair| ScorePair { dense: positives(&pair.dense), exact: positives(&pair.exact) })
        .collect();
    let mut random = ChaCha8Rng::seed_from_u64(SEED);
    let mut found: Vec<f64> = (0..DRAWS)
        .map(|_| {
            let (mut dense, mut exact) = (Vec::new(), Vec::new());
            for _ in 0..tiles.len() {
                let tile = &tiles[random.random_range(0..tiles.len())];
                dense.extend(&tile.dense);
                exact.extend(&tile.exact);
            }
            Calibration::fit(&dense, &exact, 1).slope[0]
        })
        .collect();
    found.sort_by(f64::total_cmp);
    [found[DRAWS / 20], found[DRAWS - 1 - DRAWS / 20]]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn support(tiles: &[ScorePair]) -> FitSupport {
        FitSupport::measure(&tiles.iter().collect::<Vec<_>>(), CLASSES)
    }

    const CLASSES: Classes = Classes { count: 2, positive: 1 };

    fn sigmoid(x: f64) -> f32 {
        #[expect(clippy::cast_possible_truncation, reason = "scores are f32")]
        let score = (1.0 / (1.0 + (-x).exp())) as f32;
        score
    }

    /// 32 tiles of 8 windows; `dense` and `exact` turn each logit into those of the two scores.
    fn sample(
        logits: impl Fn(usize, f64) -> f64,
        dense: impl Fn(f64, f64) -> f64,
        exact: impl Fn(f64) -> f64,
    ) -> Vec<ScorePair> {
        let mut random = ChaCha8Rng::seed_from_u64(7);
        let tile = |tile: usize| {
            let mut pair = ScorePair::default();
            for _ in 0..8 {
                let logit = logits(tile, random.random_range(-1.0..1.0));
                let [p, q] =
                    [dense(logit, random.random_range(-1.0..1.0)), exact(logit)].map(sigmoid);
                pair.dense.extend([1.0 - p, p]);
                pair.exact.extend([1.0 - q, q]);
            }
            pair
        };
        (0..32).map(tile).collect()
    }

    #[test]
    fn a_sample_without_tumor_leaves_the_fit_open() {
        // All windows are low; their dense scores are noise of the border.
        let tiles =
            sample(|_, noise| -3.5 + 0.3 * noise, |_, noise| -3.0 + 2.0 * noise, |logit| logit);
        let support = support(&tiles);
        assert!(
            support.near == 0 && support.open.contains("0 of 256 sampled windows"),
            "{support:?}"
        );
        // The fit itself is nearly a constant, and its residual is small.
        let join = |scores: &dyn Fn(&ScorePair) -> &Vec<f32>| -> Vec<f32> {
            tiles.iter().flat_map(|pair| scores(pair).clone()).collect()
        };
        let (dense, exact) = (join(&|pair| &pair.dense), join(&|pair| &pair.exact));
        let fit = Calibration::fit(&dense, &exact, 2);
        assert!(fit.slope[1].abs() < 0.3, "{fit:?}");
        let mut tumor = vec![0.01, 0.99];
        fit.apply(&mut tumor);
        assert!(tumor[1] < 0.1, "a fit that loses tumor was expected: {tumor:?}");
    }

    #[test]
    fn tumor_in_three_tiles_is_not_enough() {
        let logits = |tile, noise| if tile < 3 { 2.0 + noise } else { -5.0 + noise };
        let support = support(&sample(logits, |logit, _| logit, |logit| logit));
        assert!(support.near == 24 && support.open.contains("of 3 tissue tiles"), "{support:?}");
    }

    #[test]
    fn a_sample_with_and_without_tumor_determines_the_slope() {
        let logits = |tile: usize, noise: f64| tile as f64 / 4.0 - 6.0 + noise;
        let dense = |logit: f64, noise: f64| logit / 1.5 + 1.0 + 0.2 * noise;
        let support = support(&sample(logits, dense, |logit| logit));
        assert!(support.open.is_empty() && support.near >= 16, "{support:?}");
        assert!(support.slope[0] < 1.5 && support.slope[1] > 1.4, "{support:?}");
    }

    #[test]
    fn a_slope_that_differs_from_draw_to_draw_is_open() {
        // There is enough tumor, but the dense scores do not follow it.
        let logits = |tile, noise| if tile < 6 { 2.0 + noise } else { -4.0 + noise };
        let support = support(&sample(logits, |_, noise| 3.0 * noise, |logit| logit));
        assert!(support.near == 48 && support.open.starts_with("the slope is"), "{support:?}");
    }
}
