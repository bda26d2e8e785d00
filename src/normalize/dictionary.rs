//! Two non-negative, sparse factors of optical densities.
//!
//! Minimises, as `spams.trainDL` (mode 2, positive) and scikit-learn's
//! `DictionaryLearning` do, the mean over pixels of
//! |x - a D|^2 / 2 + lambda (a1 + a2), a >= 0, D >= 0, |row of D| <= 1:
//! Mairal, Bach, Ponce and Sapiro, Online dictionary learning for sparse coding,
//! ICML 2009; their update of D, over all pixels at once. For two factors the
//! lasso has a closed form, so nothing is random and nothing is left to a time
//! limit.

use super::matrix::dot;

/// Steps after which the factors are taken as they are.
const MOST_STEPS: usize = 1000;
/// A step that moves no component by more than this is the last.
const STILL: f64 = 1e-7;

/// Where the search starts: haematoxylin and eosin of Ruifrok and Johnston,
/// Quantification of histochemical staining by color deconvolution, 2001.
const START: [[f64; 3]; 2] = [[0.65, 0.70, 0.29], [0.07, 0.99, 0.11]];

/// Densities that many pixels share.
#[derive(Debug, Clone, Copy)]
pub(super) struct Weighted {
    pub(super) density: [f64; 3],
    pub(super) weight: f64,
}

/// Non-negative lasso on two factors.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lasso {
    factors: [[f64; 3]; 2],
    lambda: f64,
    /// Squared lengths, and the product between the two.
    p: f64,
    q: f64,
    g: f64,
}

impl Lasso {
    pub(super) fn new(factors: [[f64; 3]; 2], lambda: f64) -> Self {
        let [a, b] = factors;
        Self { factors, lambda, p: dot(a, a), q: dot(b, b), g: dot(a, b) }
    }

    /// The amounts that minimise |x - a D|^2 / 2 + lambda (a1 + a2), a >= 0.
    ///
    /// With both amounts free the minimum solves two linear equations; where one
    /// of them is negative there it is zero, as the factors' product is not
    /// negative.
    fn amounts(&self, density: [f64; 3]) -> [f64; 2] {
        let b1 = dot(self.factors[0], density) - self.lambda;
        let b2 = dot(self.factors[1], density) - self.lambda;
        let determinant = self.p * self.q - self.g * self.g;
        let alone = |b: f64, length: f64| if length > 0.0 { (b / length).max(0.0) } else { 0.0 };
        if determinant <= 1e-12 {
            return [alone(b1, self.p), 0.0];
        }
        let first = (self.q * b1 - self.g * b2) / determinant;
        let second = (self.p * b2 - self.g * b1) / determinant;
        if second < 0.0 {
            [alone(b1, self.p), 0.0]
        } else if first < 0.0 {
            [0.0, alone(b2, self.q)]
        } else {
            [first, second]
        }
    }
}

/// The two factors, not in any order.
pub(super) fn learn(densities: &[Weighted], lambda: f64) -> [[f64; 3]; 2] {
    let mut factors = START.map(to_ball);
    for _ in 0..MOST_STEPS {
        let next = step(densities, factors, lambda);
        let moved = (0..6).map(|i| (next[i / 3][i % 3] - factors[i / 3][i % 3]).abs());
        let still = moved.fold(0.0, f64::max) < STILL;
        factors = next;
        if still {
            break;
        }
    }
    factors
}

/// Codes every density, then updates each factor once.
fn step(densities: &[Weighted], mut factors: [[f64; 3]; 2], lambda: f64) -> [[f64; 3]; 2] {
    let lasso = Lasso::new(factors, lambda);
    let mut codes = [[0.0; 2]; 2];
    let mut products = [[0.0; 3]; 2];
    for &Weighted { density, weight } in densities {
        let amounts = lasso.amounts(density);
        for k in 0..2 {
            let weighted = weight * amounts[k];
            codes[k][0] += weighted * amounts[0];
            codes[k][1] += weighted * amounts[1];
            for c in 0..3 {
                products[k][c] += weighted * density[c];
            }
        }
    }
    for k in 0..2 {
        let other = 1 - k;
        // A factor that no pixel uses stays: its amounts, all zero, say so.
        if codes[k][k] > 0.0 {
            let update =
                |c: usize| (products[k][c] - codes[k][other] * factors[other][c]) / codes[k][k];
            factors[k] = to_ball(std::array::from_fn(|c| update(c).max(0.0)));
        }
    }
    factors
}

/// Vectors longer than 1 made 1 long.
fn to_ball(vector: [f64; 3]) -> [f64; 3] {
    let length = dot(vector, vector).sqrt().max(1.0);
    vector.map(|value| value / length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cost(lasso: &Lasso, density: [f64; 3], amounts: [f64; 2]) -> f64 {
        let rest: f64 = (0..3)
            .map(|c| {
                let mixed: f64 = (0..2).map(|k| amounts[k] * lasso.factors[k][c]).sum();
                (density[c] - mixed).powi(2)
            })
            .sum();
        0.5 * rest + lasso.lambda * (amounts[0] + amounts[1])
    }

    proptest! {
        #[test]
        fn no_other_amounts_cost_less(
            factors in proptest::array::uniform2(proptest::array::uniform3(0.01f64..1.0)),
            density in proptest::array::uniform3(0.0f64..3.0),
            other in proptest::array::uniform2(0.0f64..4.0),
        ) {
            let lasso = Lasso::new(factors, 0.1);
            let best = lasso.amounts(density);
            prop_assert!(best.iter().all(|&amount| amount >= 0.0));
            let least = cost(&lasso, density, best);
            prop_assert!(least <= cost(&lasso, density, other) + 1e-9);
            for (k, delta) in [(0, 1e-4), (0, -1e-4), (1, 1e-4), (1, -1e-4)] {
                let mut near = best;
                near[k] = f64::max(near[k] + delta, 0.0);
                prop_assert!(least <= cost(&lasso, density, near) + 1e-9);
            }
        }
    }
}
