//! The connected regions of a mask, and the filling of its holes.

use super::mask::{ColumnSpan, Mask, PixelRun, row_starts};

/// Which pixels are neighbours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Connectivity {
    /// The pixels above, below, left and right.
    Four,
    /// Those and the diagonal ones, as in regions of tissue and tumor.
    Eight,
}

/// A mask whose runs carry the number of their region.
#[derive(Debug, Clone)]
pub struct Labels {
    shape: (u32, u32),
    runs: Vec<PixelRun>,
    starts: Vec<usize>,
    /// Region of each run, from 1.
    region: Vec<u32>,
    count: u32,
}

impl Labels {
    /// Numbers the regions of `mask` from 1 in reading order, like scikit-image's `label`.
    pub fn find(mask: &Mask, connectivity: Connectivity) -> Self {
        let runs = mask.runs().to_vec();
        let starts = row_starts(&runs, mask.shape().0);
        let mut forest: Vec<u32> = (0..).take(runs.len()).collect();
        for row in 1..mask.shape().0 as usize {
            let above = &runs[starts[row - 1]..starts[row]];
            let mut first = 0;
            for (here, run) in (starts[row]..).zip(&runs[starts[row]..starts[row + 1]]) {
                while above
                    .get(first)
                    .is_some_and(|other| !reaches(other.end, run.start, connectivity))
                {
                    first += 1;
                }
                for (place, other) in above.iter().enumerate().skip(first) {
                    if !reaches(run.end, other.start, connectivity) {
                        break;
                    }
                    join(&mut forest, here, starts[row - 1] + place);
                }
            }
        }
        let (region, count) = numbered(&mut forest);
        Self { shape: mask.shape(), runs, starts, region, count }
    }

    /// Number of regions.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// The number of the region at a pixel, 0 if there is none; `None` outside the raster.
    pub fn at(&self, row: u32, col: u32) -> Option<u32> {
        if row >= self.shape.0 || col >= self.shape.1 {
            return None;
        }
        let range = self.starts[row as usize]..self.starts[row as usize + 1];
        let place = range.start + self.runs[range].partition_point(|run| run.end <= col);
        let hit = self.runs.get(place).is_some_and(|run| run.row == row && run.start <= col);
        Some(if hit { self.region[place] } else { 0 })
    }

    /// The runs of each region, in the order of the regions' numbers.
    pub fn regions(&self) -> Vec<Vec<PixelRun>> {
        let mut regions = vec![Vec::new(); self.count as usize];
        for (run, &region) in self.runs.iter().zip(&self.region) {
            regions[region as usize - 1].push(*run);
        }
        regions
    }

    /// Whether each region touches the raster's edge.
    fn touches_edge(&self) -> Vec<bool> {
        let mut touches = vec![false; self.count as usize];
        let (rows, cols) = self.shape;
        for (run, &region) in self.runs.iter().zip(&self.region) {
            if run.row == 0 || run.row + 1 == rows || run.start == 0 || run.end == cols {
                touches[region as usize - 1] = true;
            }
        }
        touches
    }

    /// The mask without the regions that touch the raster's edge, like scikit-image's
    /// `clear_border`.
    pub fn without_border_regions(&self) -> Mask {
        let touches = self.touches_edge();
        self.select(|region| !touches[region as usize - 1])
    }

    fn select(&self, keep: impl Fn(u32) -> bool) -> Mask {
        let mut mask = Mask::empty(self.shape.0, self.shape.1);
        let kept = self.runs.iter().zip(&self.region).filter(|&(_, &region)| keep(region));
        let mut spans: Vec<ColumnSpan> = Vec::new();
        let mut row = 0;
        for (run, _) in kept {
            if run.row != row {
                mask.push_row(row, &mut spans);
                spans.clear();
                row = run.row;
            }
            spans.push(ColumnSpan { start: run.start, end: run.end });
        }
        if !spans.is_empty() {
            mask.push_row(row, &mut spans);
        }
        mask
    }
}

/// Fills the holes of a mask, like SciPy's `binary_fill_holes`. A hole is background that is not
/// 4-connected to the raster's edge.
pub fn fill_holes(mask: &Mask) -> Mask {
    let background = Labels::find(&mask.complement(), Connectivity::Four);
    let open = background.touches_edge();
    background.select(|region| open[region as usize - 1]).complement()
}

/// Whether a run that ends before column `end` touches one that begins at column `start`.
fn reaches(end: u32, start: u32, connectivity: Connectivity) -> bool {
    match connectivity {
        Connectivity::Four => end > start,
        Connectivity::Eight => end >= start,
    }
}

fn root(forest: &mut [u32], mut item: u32) -> u32 {
    while forest[item as usize] != item {
        let parent = forest[item as usize];
        forest[item as usize] = forest[parent as usize];
        item = parent;
    }
    item
}

/// Joins two trees under the smaller root, which is the run that comes first.
fn join(forest: &mut [u32], a: usize, b: usize) {
    let place = |item: usize| u32::try_from(item).expect("fewer than 2^32 runs");
    let (a, b) = (root(forest, place(a)), root(forest, place(b)));
    forest[a.max(b) as usize] = a.min(b);
}

fn numbered(forest: &mut [u32]) -> (Vec<u32>, u32) {
    let mut count = 0;
    let mut number = vec![0; forest.len()];
    for item in 0..forest.len() {
        let top = root(forest, u32::try_from(item).expect("fewer than 2^32 runs")) as usize;
        if top == item {
            count += 1;
            number[item] = count;
        } else {
            number[item] = number[top];
        }
    }
    (number, count)
}

#[cfg(test)]
mod tests {
    use super::super::mask::tests::{mask_of, masks};
    use super::*;
    use ndarray::Array2;
    use proptest::prelude::*;

    /// Regions by flood fill, pixel by pixel.
    fn by_flood(array: &Array2<u8>, connectivity: Connectivity) -> Array2<u32> {
        let (rows, cols) = array.dim();
        let mut labels = Array2::zeros((rows, cols));
        let mut count = 0;
        for start in ndarray::indices((rows, cols)) {
            if array[start] == 0 || labels[start] != 0 {
                continue;
            }
            count += 1;
            let mut open = vec![start];
            while let Some((row, col)) = open.pop() {
                if array[[row, col]] == 0 || labels[[row, col]] != 0 {
                    continue;
                }
                labels[[row, col]] = count;
                for (dy, dx) in (-1_isize..=1).flat_map(|y| (-1_isize..=1).map(move |x| (y, x))) {
                    if connectivity == Connectivity::Four && dy != 0 && dx != 0 {
                        continue;
                    }
                    let next = row.checked_add_signed(dy).zip(col.checked_add_signed(dx));
                    open.extend(next.filter(|&(r, c)| r < rows && c < cols));
                }
            }
        }
        labels
    }

    proptest! {
        #[test]
        fn regions_equal_those_of_a_flood_fill(array in masks(16), eight in any::<bool>()) {
            let connectivity = if eight { Connectivity::Eight } else { Connectivity::Four };
            let labels = Labels::find(&mask_of(&array), connectivity);
            let expected = by_flood(&array, connectivity);
            for ((row, col), &region) in expected.indexed_iter() {
                prop_assert_eq!(labels.at(row as u32, col as u32), Some(region));
            }
            prop_assert_eq!(labels.count(), expected.iter().copied().max().unwrap_or(0));
            prop_assert_eq!(labels.at(array.nrows() as u32, 0), None);
            let areas: usize = labels.regions().iter().flatten().map(PixelRun::len).sum();
            prop_assert_eq!(areas, array.iter().filter(|&&v| v != 0).count());
        }

        #[test]
        fn filled_pixels_are_those_not_connected_to_the_edge(array in masks(14)) {
            let background = by_flood(&array.mapv(|v| 1 - v), Connectivity::Four);
            let (rows, cols) = array.dim();
            let filled = fill_holes(&mask_of(&array)).to_array();
            for ((row, col), &found) in filled.indexed_iter() {
                let open = background.indexed_iter().any(|((r, c), &region)| {
                    region == background[[row, col]]
                        && (r == 0 || c == 0 || r + 1 == rows || c + 1 == cols)
                });
                prop_assert_eq!(found, array[[row, col]] != 0 || !open);
            }
        }

        #[test]
        fn regions_that_touch_the_edge_are_removed(array in masks(12)) {
            let labels = by_flood(&array, Connectivity::Eight);
            let (rows, cols) = array.dim();
            let inside = Labels::find(&mask_of(&array), Connectivity::Eight).without_border_regions().to_array();
            for ((row, col), &found) in inside.indexed_iter() {
                let region = labels[[row, col]];
                let touches = labels.indexed_iter().any(|((r, c), &other)| {
                    other == region && (r == 0 || c == 0 || r + 1 == rows || c + 1 == cols)
                });
                prop_assert_eq!(found, region != 0 && !touches);
            }
        }
    }
}
