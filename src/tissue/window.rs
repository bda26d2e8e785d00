//! Smallest and largest value of each 3 x 3 neighbourhood.

use ndarray::{Array2, Axis, Zip};

/// The smallest value of each pixel and its up to eight neighbours.
pub(super) fn smallest(image: &Array2<u8>) -> Array2<u8> {
    reduce_neighbours(image, u8::min)
}

/// The largest value of each pixel and its up to eight neighbours.
pub(super) fn largest(image: &Array2<u8>) -> Array2<u8> {
    reduce_neighbours(image, u8::max)
}

fn reduce_neighbours(image: &Array2<u8>, choose: fn(u8, u8) -> u8) -> Array2<u8> {
    let mut result = image.clone();
    for axis in [Axis(0), Axis(1)] {
        let before = result.clone();
        let len = before.len_of(axis);
        if len < 2 {
            continue;
        }
        let (first, last) =
            (before.slice_axis(axis, (..len - 1).into()), before.slice_axis(axis, (1..).into()));
        let merge = |into: &mut u8, other: &u8| *into = choose(*into, *other);
        Zip::from(result.slice_axis_mut(axis, (1..).into())).and(first).for_each(merge);
        Zip::from(result.slice_axis_mut(axis, (..len - 1).into())).and(last).for_each(merge);
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tissue::test_support::masks;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn results_are_the_extremes_of_each_neighbourhood(mask in masks(9)) {
            let (rows, cols) = mask.dim();
            let near = |row: usize, col: usize| {
                let rows = row.saturating_sub(1)..(row + 2).min(rows);
                rows.flat_map(move |r| (col.saturating_sub(1)..(col + 2).min(cols)).map(move |c| (r, c)))
            };
            let (low, high) = (smallest(&mask), largest(&mask));
            for ((row, col), _) in mask.indexed_iter() {
                let values = || near(row, col).map(|at| mask[at]);
                prop_assert_eq!(low[[row, col]], values().min().unwrap());
                prop_assert_eq!(high[[row, col]], values().max().unwrap());
            }
        }
    }
}
