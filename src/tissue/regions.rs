//! Connected regions of large pictures, found in one byte per pixel and the memory for one
//! region.

use ndarray::Array2;

/// Sets to 0 the 8-connected regions of fewer than `least` pixels.
pub(super) fn remove_specks(mask: &mut Array2<u8>, least: usize) {
    let mut seen = mask.mapv(|value| value == 0);
    let mut flood = Flood::default();
    for start in ndarray::indices(mask.dim()) {
        if seen[start] {
            continue;
        }
        let members = flood.fill(start.into(), &mut seen, least);
        if members.len() < least {
            members.iter().for_each(|&at| mask[at] = 0);
        }
    }
}

/// The 8-connected regions of `seeds` and `weak` together that hold a seed, have at least
/// `least` pixels, and of whose pixels at least `share` are seeds.
pub(super) fn grow(seeds: &Array2<u8>, weak: &Array2<u8>, least: usize, share: f64) -> Array2<u8> {
    let mut open = seeds.clone();
    open.zip_mut_with(weak, |open, &weak| *open |= weak);
    let mut seen = open.mapv(|value| value == 0);
    let mut grown = Array2::zeros(seeds.dim());
    let mut flood = Flood::default();
    for (start, &seed) in seeds.indexed_iter() {
        if seed != 0 && !seen[start] {
            let members = flood.fill(start.into(), &mut seen, usize::MAX);
            let sown = members.iter().filter(|&&at| seeds[at] != 0).count();
            if members.len() >= least && sown as f64 >= share * members.len() as f64 {
                members.iter().for_each(|&at| grown[at] = 1);
            }
        }
    }
    grown
}

/// Buffers of a flood fill, reused from region to region.
#[derive(Default)]
struct Flood {
    open: Vec<[usize; 2]>,
    members: Vec<[usize; 2]>,
}

impl Flood {
    /// Marks the region of `start` as seen and returns its pixels, at most `most` of them.
    fn fill(&mut self, start: [usize; 2], seen: &mut Array2<bool>, most: usize) -> &[[usize; 2]] {
        self.open.clear();
        self.members.clear();
        let (rows, cols) = seen.dim();
        seen[start] = true;
        self.open.push(start);
        while let Some([row, col]) = self.open.pop() {
            if self.members.len() < most {
                self.members.push([row, col]);
            }
            for near_row in row.saturating_sub(1)..(row + 2).min(rows) {
                for near_col in col.saturating_sub(1)..(col + 2).min(cols) {
                    let near = [near_row, near_col];
                    if !std::mem::replace(&mut seen[near], true) {
                        self.open.push(near);
                    }
                }
            }
        }
        &self.members
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tissue::morphology::remove_small;
    use crate::tissue::test_support::masks;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn specks_are_the_small_components(mask in masks(12), least in 0_usize..9) {
            let mut found = mask.clone();
            remove_specks(&mut found, least);
            prop_assert_eq!(found, remove_small(mask.view(), least));
        }

        #[test]
        fn grown_regions_are_whole_and_have_a_seed(weak in masks(12), picked in masks(12)) {
            let seeds = Array2::from_shape_fn(weak.dim(), |(row, col)| {
                picked.get((row, col)).map_or(0, |&seed| seed & weak[[row, col]])
            });
            let grown = grow(&seeds, &weak, 1, 0.0);
            for (at, &seed) in seeds.indexed_iter() {
                prop_assert!(seed <= grown[at] && grown[at] <= weak[at]);
            }
            // The weak pixels that are left do not touch the grown regions.
            let rest = Array2::from_shape_fn(weak.dim(), |at| weak[at] & (1 - grown[at]));
            let beside = crate::tissue::window::largest(&grown);
            prop_assert!(rest.iter().zip(&beside).all(|(&rest, &beside)| rest & beside == 0));
            // Each grown region has a seed.
            prop_assert_eq!(grow(&seeds, &grown, 1, 0.0), grown);
            prop_assert!(grow(&seeds, &weak, usize::MAX, 0.0).iter().all(|&set| set == 0));
            prop_assert_eq!(grow(&weak, &weak, 1, 1.0), weak.clone());
        }
    }
}
