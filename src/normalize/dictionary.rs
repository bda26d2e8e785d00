//! Dictionary learning: two non-negative factors of optical densities, with sparse amounts.
//!
//! Like `spams.trainDL` (mode 2, positive) and scikit-learn's `DictionaryLearning`, this
//! module minimises the mean over pixels of |x - a D|^2 / 2 + lambda (a1 + a2), where a >= 0,
//! D >= 0 and every row of D has at most length 1. Source: Mairal, Bach, Ponce and Sapiro,
//! Online dictionary learning for sparse coding, ICML 2009; the update of D is theirs, made
//! over all pixels at once. For two factors the lasso has a closed form, so the result depends
//! neither on random numbers nor on a time limit.

use super::matrix::{dot, to_f32};
use super::planes::{CHUNK, Planes, sum};

/// Largest number of steps.
const MAX_STEPS: usize = 1000;
/// The search ends with a step that moves no component by as much as this.
const CONVERGED: f64 = 1e-7;
/// The same limit for sums over single pixels, which are rounded more coarsely.
const CONVERGED_OF_PIXELS: f64 = 1e-5;

/// First factors of the search: haematoxylin and eosin of Ruifrok and Johnston, Quantification
/// of histochemical staining by color deconvolution, 2001.
const START: [[f64; 3]; 2] = [[0.65, 0.70, 0.29], [0.07, 0.99, 0.11]];

/// The mean density of similar pixels, and their number.
#[derive(Debug, Clone, Copy)]
pub(super) struct WeightedDensity {
    pub(super) density: [f64; 3],
    pub(super) weight: f64,
}

/// The non-negative lasso for two factors.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lasso {
    factors: [[f64; 3]; 2],
    lambda: f64,
    /// Squared lengths of the factors, and their dot product.
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
    /// Without the bound, the minimum solves two linear equations. If one amount of that
    /// solution is negative, it is zero in the bounded minimum, because the dot product of
    /// the factors is not negative.
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

/// The two factors of densities in which similar pixels are combined, in no particular order.
pub(super) fn learn(densities: &[WeightedDensity], lambda: f64) -> [[f64; 3]; 2] {
    descend(START.map(limit_length), CONVERGED, |factors| step(densities, factors, lambda))
}

/// The two factors of the densities of all single pixels. `factors` are close ones, from which
/// the search starts.
#[inline(always)]
pub(super) fn refine(pixels: &[Planes], factors: [[f64; 3]; 2], lambda: f64) -> [[f64; 3]; 2] {
    descend(factors, CONVERGED_OF_PIXELS, |factors| {
        update(factors, &moments(pixels, &Lasso::new(factors, lambda)))
    })
}

/// Repeats `step` until no component moves by `tolerance`.
#[inline(always)]
fn descend(
    mut factors: [[f64; 3]; 2],
    tolerance: f64,
    step: impl Fn([[f64; 3]; 2]) -> [[f64; 3]; 2],
) -> [[f64; 3]; 2] {
    for _ in 0..MAX_STEPS {
        let next = step(factors);
        let last = farthest(&next, &factors) < tolerance;
        factors = next;
        if last {
            break;
        }
    }
    factors
}

/// Largest absolute difference of a component.
fn farthest(a: &[[f64; 3]; 2], b: &[[f64; 3]; 2]) -> f64 {
    (0..6).map(|i| (a[i / 3][i % 3] - b[i / 3][i % 3]).abs()).fold(0.0, f64::max)
}

/// The sums over pixels that an update of the factors needs.
#[derive(Default)]
struct UpdateSums {
    /// Products of amounts, `[stain, stain]`.
    codes: [[f64; 2]; 2],
    /// Products of amounts and densities, `[stain, channel]`.
    products: [[f64; 3]; 2],
}

/// The sums over whole chunks. Places without a pixel have density 0 and so amounts of 0.
#[inline(always)]
fn moments(pixels: &[Planes], lasso: &Lasso) -> UpdateSums {
    let fast = FastLasso::new(lasso);
    let mut moments = UpdateSums::default();
    for planes in pixels {
        let mut amounts = [[0f32; CHUNK]; 2];
        for at in 0..CHUNK {
            let [a1, a2] = fast.amounts([planes[0][at], planes[1][at], planes[2][at]]);
            (amounts[0][at], amounts[1][at]) = (a1, a2);
        }
        let [a1, a2] = &amounts;
        moments.codes[0][0] += sum(|at| a1[at] * a1[at], CHUNK);
        moments.codes[0][1] += sum(|at| a1[at] * a2[at], CHUNK);
        moments.codes[1][1] += sum(|at| a2[at] * a2[at], CHUNK);
        for (channel, plane) in planes.iter().enumerate() {
            moments.products[0][channel] += sum(|at| a1[at] * plane[at], CHUNK);
            moments.products[1][channel] += sum(|at| a2[at] * plane[at], CHUNK);
        }
    }
    moments.codes[1][0] = moments.codes[0][1];
    moments
}

/// Finds the amounts of every density, then updates each factor once.
fn step(densities: &[WeightedDensity], factors: [[f64; 3]; 2], lambda: f64) -> [[f64; 3]; 2] {
    let lasso = Lasso::new(factors, lambda);
    let mut moments = UpdateSums::default();
    let UpdateSums { codes, products } = &mut moments;
    for &WeightedDensity { density, weight } in densities {
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
    update(factors, &moments)
}

/// Updates each factor once, with the other fixed.
fn update(
    mut factors: [[f64; 3]; 2],
    UpdateSums { codes, products }: &UpdateSums,
) -> [[f64; 3]; 2] {
    for k in 0..2 {
        let other = 1 - k;
        // A factor that no pixel uses has only amounts of zero, and stays unchanged.
        if codes[k][k] > 0.0 {
            let update =
                |c: usize| (products[k][c] - codes[k][other] * factors[other][c]) / codes[k][k];
            factors[k] = limit_length(std::array::from_fn(|c| update(c).max(0.0)));
        }
    }
    factors
}

/// [`Lasso`] in single precision and without branches, for vector instructions.
#[derive(Debug, Clone, Copy)]
pub(super) struct FastLasso {
    factors: [[f32; 3]; 2],
    lambda: f32,
    /// Inverse for both amounts: `[[q, -g], [-g, p]] / (p q - g^2)`.
    both: [[f32; 2]; 2],
    /// Inverse for each amount alone: 1 / p, 1 / q.
    alone: [f32; 2],
}

impl FastLasso {
    pub(super) fn new(lasso: &Lasso) -> Self {
        let Lasso { factors, lambda, p, q, g } = *lasso;
        let determinant = p * q - g * g;
        let inverse = |value: f64| if value > 0.0 { to_f32(1.0 / value) } else { 0.0 };
        // For parallel factors this matrix makes the second amount negative, so that the
        // first factor is used alone.
        let both = if determinant <= 1e-12 {
            [[0.0; 2], [0.0, -1.0]]
        } else {
            [[q, -g], [-g, p]].map(|row| row.map(|value| to_f32(value / determinant)))
        };
        Self {
            factors: factors.map(|factor| factor.map(to_f32)),
            lambda: to_f32(lambda),
            both,
            alone: [inverse(p), inverse(q)],
        }
    }

    #[inline(always)]
    pub(super) fn amounts(&self, density: [f32; 3]) -> [f32; 2] {
        let [b1, b2] = self
            .factors
            .map(|f| f[0] * density[0] + f[1] * density[1] + f[2] * density[2] - self.lambda);
        let [first, second] = self.both.map(|row| row[0] * b1 + row[1] * b2);
        let a1 = if second < 0.0 { b1 * self.alone[0] } else { first };
        let a2 = if first < 0.0 { b2 * self.alone[1] } else { second };
        let a1 = if first < 0.0 && second >= 0.0 { 0.0 } else { a1 };
        let a2 = if second < 0.0 { 0.0 } else { a2 };
        [a1.max(0.0), a2.max(0.0)]
    }
}

/// Shortens vectors longer than 1 to length 1.
fn limit_length(vector: [f64; 3]) -> [f64; 3] {
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
        fn the_lasso_without_branches_costs_no_more(
            factors in proptest::array::uniform2(proptest::array::uniform3(0.01f64..1.0)),
            density in proptest::array::uniform3(0.0f64..3.0),
        ) {
            let lasso = Lasso::new(factors, 0.1);
            let fast = FastLasso::new(&lasso).amounts(density.map(to_f32));
            let cost_of = |amounts| cost(&lasso, density, amounts);
            let exact = lasso.amounts(density);
            prop_assert!(cost_of(fast.map(f64::from)) <= cost_of(exact) + 1e-4, "{fast:?} {exact:?}");
        }

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
