//! Linear algebra of 3 x 3 matrices.

/// Rows of a 3 x 3 matrix.
pub(super) type Matrix = [[f64; 3]; 3];

pub(super) fn dot(a: [f64; 3], b: [f64; 3]) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

pub(super) fn product(a: &Matrix, b: &Matrix) -> Matrix {
    std::array::from_fn(|row| {
        std::array::from_fn(|col| (0..3).map(|k| a[row][k] * b[k][col]).sum())
    })
}

/// The matrix times the vector.
pub(super) fn applied(matrix: &Matrix, vector: [f64; 3]) -> [f64; 3] {
    matrix.map(|row| dot(row, vector))
}

/// The inverse, by cofactors. The matrices of this module are far from singular.
pub(super) fn inverse(m: &Matrix) -> Matrix {
    let minor = |row: usize, col: usize| {
        let (r, c) = ([(row + 1) % 3, (row + 2) % 3], [(col + 1) % 3, (col + 2) % 3]);
        m[r[0]][c[0]] * m[r[1]][c[1]] - m[r[0]][c[1]] * m[r[1]][c[0]]
    };
    let determinant: f64 = (0..3).map(|col| m[0][col] * minor(0, col)).sum();
    std::array::from_fn(|row| std::array::from_fn(|col| minor(col, row) / determinant))
}

/// The pseudo-inverse of two stains, one row per stain. The dot product of a row with an
/// optical density is the amount of that stain, by least squares.
pub(super) fn unmixing([a, b]: [[f64; 3]; 2]) -> [[f64; 3]; 2] {
    let (p, g, q) = (dot(a, a), dot(a, b), dot(b, b));
    let determinant = p * q - g * g;
    [
        std::array::from_fn(|c| (q * a[c] - g * b[c]) / determinant),
        std::array::from_fn(|c| (p * b[c] - g * a[c]) / determinant),
    ]
}

/// Rounds to the precision of pixel arithmetic.
#[expect(clippy::cast_possible_truncation, reason = "rounding to f32 is intended")]
pub(super) fn to_f32(value: f64) -> f32 {
    value as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_matrix_times_its_inverse_is_the_identity() {
        let m = [
            [0.412453, 0.357580, 0.180423],
            [0.212671, 0.715160, 0.072169],
            [0.019334, 0.119193, 0.950227],
        ];
        for (row, values) in product(&m, &inverse(&m)).into_iter().enumerate() {
            for (col, value) in values.into_iter().enumerate() {
                assert!((value - f64::from(u8::from(row == col))).abs() < 1e-12);
            }
        }
    }

    #[test]
    fn unmixing_finds_the_mixed_amounts() {
        let stains = [[0.65, 0.70, 0.29], [0.07, 0.99, 0.11]];
        let mixed = std::array::from_fn(|c| 0.8 * stains[0][c] + 0.3 * stains[1][c]);
        let [h, e] = unmixing(stains).map(|row| dot(row, mixed));
        assert!((h - 0.8).abs() < 1e-12 && (e - 0.3).abs() < 1e-12);
    }
}
