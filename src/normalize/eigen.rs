//! Eigenvectors of a symmetric 3 x 3 matrix, by Jacobi rotations.

use super::matrix::Matrix;

/// Number of sweeps of rotations. Six are enough for any 3 x 3 matrix; after them the
/// off-diagonal rest is below rounding.
const SWEEPS: usize = 12;

/// Eigenvalues, largest first, each with its unit eigenvector.
pub(super) fn eigen(symmetric: &Matrix) -> [(f64, [f64; 3]); 3] {
    let mut a = *symmetric;
    let mut vectors = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
    for _ in 0..SWEEPS {
        for (p, q) in [(0, 1), (0, 2), (1, 2)] {
            rotate(&mut a, &mut vectors, p, q);
        }
    }
    let mut pairs: [(f64, [f64; 3]); 3] =
        std::array::from_fn(|i| (a[i][i], std::array::from_fn(|row| vectors[row][i])));
    pairs.sort_by(|x, y| y.0.total_cmp(&x.0));
    pairs
}

/// Makes `a[p][q]` zero (Golub and Van Loan, Matrix Computations, 8.5).
fn rotate(a: &mut Matrix, vectors: &mut Matrix, p: usize, q: usize) {
    if a[p][q] == 0.0 {
        return;
    }
    let theta = (a[q][q] - a[p][p]) / (2.0 * a[p][q]);
    let t = theta.signum() / (theta.abs() + (theta * theta + 1.0).sqrt());
    let cos = 1.0 / (t * t + 1.0).sqrt();
    let sin = t * cos;
    for row in a.iter_mut() {
        (row[p], row[q]) = (cos * row[p] - sin * row[q], sin * row[p] + cos * row[q]);
    }
    let (upper, lower) = (a[p], a[q]);
    a[p] = std::array::from_fn(|col| cos * upper[col] - sin * lower[col]);
    a[q] = std::array::from_fn(|col| sin * upper[col] + cos * lower[col]);
    for row in vectors {
        (row[p], row[q]) = (cos * row[p] - sin * row[q], sin * row[p] + cos * row[q]);
    }
}

#[cfg(test)]
mod tests {
    use super::super::matrix::{applied, dot};
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn eigenvectors_are_scaled_by_their_eigenvalues(v in proptest::array::uniform6(-10.0f64..10.0)) {
            let m = [[v[0], v[1], v[2]], [v[1], v[3], v[4]], [v[2], v[4], v[5]]];
            let pairs = eigen(&m);
            prop_assert!(pairs[0].0 >= pairs[1].0 && pairs[1].0 >= pairs[2].0);
            for (value, vector) in pairs {
                prop_assert!((dot(vector, vector) - 1.0).abs() < 1e-9);
                let image = applied(&m, vector);
                for c in 0..3 {
                    prop_assert!((image[c] - value * vector[c]).abs() < 1e-8);
                }
            }
        }
    }
}
