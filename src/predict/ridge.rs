//! Ridge regression for fewer rows than numbers per row, solved by the products of rows (the
//! dual form). Pure.

use ndarray::{Array1, Array2, ArrayView2, Axis, s};

/// Added to standard deviations, so that constants can be divided by theirs.
const LEAST_DEVIATION: f64 = 1e-6;

/// Rows of numbers, each number standardised over the rows, and the products of all pairs
/// of rows.
pub(super) struct StandardRows {
    mean: Array1<f64>,
    deviation: Array1<f64>,
    standard: Array2<f64>,
    /// `standard` times its transpose.
    products: Array2<f64>,
}

/// A linear function with several values.
pub(super) struct Linear {
    /// `[number, value]`
    pub(super) weights: Array2<f64>,
    /// One per value.
    pub(super) bias: Array1<f64>,
}

impl StandardRows {
    /// Standardises `numbers`, `[row, number]`.
    pub(super) fn new(numbers: ArrayView2<'_, f32>) -> Self {
        let mut standard = numbers.mapv(f64::from);
        let rows = standard.nrows().max(1) as f64;
        let mean = standard.sum_axis(Axis(0)) / rows;
        standard -= &mean;
        let deviation = standard.mapv(|v| v * v).sum_axis(Axis(0)) / rows;
        let deviation = deviation.mapv(|v| v.sqrt() + LEAST_DEVIATION);
        standard /= &deviation;
        let products = standard.dot(&standard.t());
        Self { mean, deviation, standard, products }
    }

    /// Fits a function to the `targets` of the rows `seen` and returns its values for the rows
    /// `unseen`, `[unseen, value]`. `None` if the fit has no solution.
    pub(super) fn predict(
        &self,
        seen: &[usize],
        unseen: &[usize],
        targets: &Array2<f64>,
        penalty: f64,
    ) -> Option<Array2<f64>> {
        let (mean, factors) = self.solve(seen, targets, penalty)?;
        let (own, all) = (self.row_means(seen, seen), self.row_means(unseen, seen));
        let common = own.mean()?;
        let across = Array2::from_shape_fn((unseen.len(), seen.len()), |(i, j)| {
            self.products[[unseen[i], seen[j]]] - all[i] - own[j] + common
        });
        Some(across.dot(&factors) + mean)
    }

    /// Fits a function to the `targets`, `[row, value]`, of all rows.
    pub(super) fn fit(&self, targets: &Array2<f64>, penalty: f64) -> Option<Linear> {
        let all: Vec<usize> = (0..self.standard.nrows()).collect();
        let (mean, factors) = self.solve(&all, targets, penalty)?;
        let mut weights = self.standard.t().dot(&factors);
        weights /= &self.deviation.view().insert_axis(Axis(1));
        let bias = mean - self.mean.dot(&weights);
        Some(Linear { weights, bias })
    }

    /// The mean product of each of `rows` with the rows `seen`.
    fn row_means(&self, rows: &[usize], seen: &[usize]) -> Array1<f64> {
        let count = seen.len().max(1) as f64;
        let mean =
            |row: &usize| seen.iter().map(|other| self.products[[*row, *other]]).sum::<f64>();
        rows.iter().map(|row| mean(row) / count).collect()
    }

    /// The mean of the targets and the factor of each row, `[row, value]`.
    fn solve(
        &self,
        seen: &[usize],
        targets: &Array2<f64>,
        penalty: f64,
    ) -> Option<(Array1<f64>, Array2<f64>)> {
        let count = seen.len();
        let mut centred = targets.select(Axis(0), seen);
        let mean = centred.mean_axis(Axis(0))?;
        centred -= &mean;
        // These products are those of numbers with mean 0 over the rows `seen`.
        let means = self.row_means(seen, seen);
        let common = means.mean()?;
        let mut system = Array2::from_shape_fn((count, count), |(i, j)| {
            self.products[[seen[i], seen[j]]] - means[i] - means[j] + common
        });
        // The penalty is per row and number, so that it does not depend on the sample's size.
        let ridge = penalty * count as f64 * self.standard.ncols() as f64 / 1000.0;
        system.diag_mut().mapv_inplace(|value| value + ridge);
        factorise(&mut system)?;
        substitute(&system, &mut centred);
        Some((mean, centred))
    }
}

/// Replaces the lower half of a positive definite matrix by its Cholesky factor; `None`
/// for other matrices.
fn factorise(matrix: &mut Array2<f64>) -> Option<()> {
    for row in 0..matrix.nrows() {
        for col in 0..=row {
            let left = matrix.slice(s![row, ..col]);
            let sum = dot(left.as_slice()?, matrix.slice(s![col, ..col]).as_slice()?);
            let rest = matrix[[row, col]] - sum;
            matrix[[row, col]] = if row > col {
                rest / matrix[[col, col]]
            } else if rest > 0.0 {
                rest.sqrt()
            } else {
                return None;
            };
        }
    }
    Some(())
}

/// Replaces right-hand sides by the solutions, given the Cholesky factor.
fn substitute(factor: &Array2<f64>, values: &mut Array2<f64>) {
    let count = factor.nrows();
    for row in 0..count {
        let (known, mut rest) = values.view_mut().split_at(Axis(0), row);
        let mut own = rest.row_mut(0);
        own -= &factor.slice(s![row, ..row]).dot(&known);
        own /= factor[[row, row]];
    }
    for row in (0..count).rev() {
        let (mut before, known) = values.view_mut().split_at(Axis(0), row + 1);
        let mut own = before.row_mut(row);
        own -= &factor.slice(s![row + 1.., row]).dot(&known);
        own /= factor[[row, row]];
    }
}

/// The dot product, with eight partial sums that processors compute in parallel.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let (a_chunks, a_rest) = a.as_chunks::<8>();
    let (b_chunks, b_rest) = b.as_chunks::<8>();
    let mut sums = [0.0; 8];
    for (a, b) in a_chunks.iter().zip(b_chunks) {
        for lane in 0..8 {
            sums[lane] += a[lane] * b[lane];
        }
    }
    let rest: f64 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f64>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    fn numbers(rows: usize, cols: usize) -> Array2<f32> {
        let mut random = ChaCha8Rng::seed_from_u64(3);
        Array2::from_shape_fn((rows, cols), |(_, col)| {
            random.random_range(-1.0f32..1.0) * (1.0 + col as f32) + 5.0
        })
    }

    #[test]
    fn a_linear_function_is_recovered() {
        let numbers = numbers(60, 12);
        let weight = |col: usize, value: usize| (col as f64 - 4.0) * (1.0 + value as f64);
        let targets = Array2::from_shape_fn((60, 2), |(row, value)| {
            let terms = (0..12).map(|col| f64::from(numbers[[row, col]]) * weight(col, value));
            terms.sum::<f64>() + 3.0
        });
        let rows = StandardRows::new(numbers.view());
        let fit = rows.fit(&targets, 1e-9).unwrap();
        for value in 0..2 {
            for col in 0..12 {
                let found = fit.weights[[col, value]];
                assert!((found - weight(col, value)).abs() < 1e-4, "{found}");
            }
            assert!((fit.bias[value] - 3.0).abs() < 1e-3, "{}", fit.bias);
        }
        let (seen, unseen): (Vec<usize>, Vec<usize>) = (0..60).partition(|row| row % 3 > 0);
        let found = rows.predict(&seen, &unseen, &targets, 1e-9).unwrap();
        for (at, &row) in unseen.iter().enumerate() {
            assert!((found[[at, 1]] - targets[[row, 1]]).abs() < 1e-3);
        }
    }

    #[test]
    fn a_large_penalty_leaves_the_mean_and_constants_get_no_weight() {
        let mut numbers = numbers(20, 30);
        numbers.column_mut(7).fill(2.0);
        let targets = Array2::from_shape_fn((20, 1), |(row, _)| row as f64);
        let rows = StandardRows::new(numbers.view());
        let fit = rows.fit(&targets, 1e9).unwrap();
        assert!(fit.weights.iter().all(|weight| weight.abs() < 1e-3));
        assert!((fit.bias[0] - 9.5).abs() < 1e-3);
        let fit = rows.fit(&targets, 0.1).unwrap();
        assert_eq!(fit.weights[[7, 0]], 0.0);
    }
}
