//! Masks stored as runs of set pixels, row by row.

use ndarray::{Array2, ArrayView2};

/// A range of columns: `start..end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ColumnSpan {
    /// First column.
    pub(crate) start: u32,
    /// One past the last column.
    pub(crate) end: u32,
}

/// A run of set pixels in one row: columns `start..end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct PixelRun {
    /// The row.
    pub row: u32,
    /// First column.
    pub start: u32,
    /// One past the last column.
    pub end: u32,
}

impl PixelRun {
    /// Number of pixels.
    pub fn len(&self) -> usize {
        (self.end - self.start) as usize
    }

    /// Whether the run has no pixel; false for every run of a mask.
    pub fn is_empty(&self) -> bool {
        self.end <= self.start
    }
}

/// The set pixels of a raster of `rows` x `cols`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mask {
    rows: u32,
    cols: u32,
    /// The runs in order of row, then column. The runs of a row neither touch nor overlap.
    runs: Vec<PixelRun>,
}

impl Mask {
    /// A mask without set pixels.
    pub fn empty(rows: u32, cols: u32) -> Self {
        Self { rows, cols, runs: Vec::new() }
    }

    /// The mask of the elements of `image`, `[row, col]`, for which `is_set` holds.
    ///
    /// # Panics
    /// If `image` has more than 2^32 rows or columns.
    pub fn from_image<T>(image: ArrayView2<'_, T>, is_set: impl Fn(&T) -> bool) -> Self {
        let (rows, cols) = image.dim();
        let side = |n: usize| u32::try_from(n).expect("fewer than 2^32 rows and columns");
        let mut mask = Self::empty(side(rows), side(cols));
        for (row, values) in (0_u32..).zip(image.rows()) {
            let mut start = None;
            for (col, value) in (0_u32..).zip(values) {
                match (is_set(value), start) {
                    (true, None) => start = Some(col),
                    (false, Some(first)) => {
                        mask.runs.push(PixelRun { row, start: first, end: col });
                        start = None;
                    }
                    _ => {}
                }
            }
            mask.runs.extend(start.map(|start| PixelRun { row, start, end: mask.cols }));
        }
        mask
    }

    /// Number of rows and of columns.
    pub fn shape(&self) -> (u32, u32) {
        (self.rows, self.cols)
    }

    /// The runs, in order of row, then column.
    pub fn runs(&self) -> &[PixelRun] {
        &self.runs
    }

    /// Number of set pixels.
    pub fn area(&self) -> usize {
        self.runs.iter().map(PixelRun::len).sum()
    }

    /// Adds the union of `spans`, in any order, as row `row`. That row must
    /// come after all rows with set pixels.
    pub(crate) fn push_row(&mut self, row: u32, spans: &mut [ColumnSpan]) {
        debug_assert!(self.runs.last().is_none_or(|run| run.row < row) && row < self.rows);
        spans.sort_unstable();
        let first = self.runs.len();
        for &mut ColumnSpan { start, end } in spans {
            let end = end.min(self.cols);
            match self.runs[first..].last_mut() {
                _ if start >= end => {}
                Some(run) if start <= run.end => run.end = run.end.max(end),
                _ => self.runs.push(PixelRun { row, start, end }),
            }
        }
    }

    /// The runs of a row.
    pub fn row(&self, row: u32) -> &[PixelRun] {
        let first = self.runs.partition_point(|run| run.row < row);
        let count = self.runs[first..].iter().take_while(|run| run.row == row).count();
        &self.runs[first..first + count]
    }

    /// The mask of the pixels that are not set.
    #[must_use]
    pub fn complement(&self) -> Self {
        let mut result = Self::empty(self.rows, self.cols);
        let mut next = 0;
        for row in 0..self.rows {
            let mut col = 0;
            while let Some(run) = self.runs.get(next).filter(|run| run.row == row) {
                if col < run.start {
                    result.runs.push(PixelRun { row, start: col, end: run.start });
                }
                col = run.end;
                next += 1;
            }
            if col < self.cols {
                result.runs.push(PixelRun { row, start: col, end: self.cols });
            }
        }
        result
    }

    /// The mask of the pixels nearer than `radius_px` to a set pixel, which are those where an
    /// exact Euclidean distance transform is below `radius_px`.
    #[must_use]
    pub fn dilated(&self, radius_px: f64) -> Self {
        let half_widths = half_widths(radius_px);
        let mut result = Self::empty(self.rows, self.cols);
        // Each row is the union of the widened runs of the rows within reach.
        let starts = row_starts(&self.runs, self.rows);
        let reach = u32::try_from(half_widths.len()).expect("a disk has fewer than 2^32 rows");
        let mut spans = Vec::new();
        for row in 0..self.rows {
            spans.clear();
            let near = row.saturating_sub(reach.saturating_sub(1))
                ..row.saturating_add(reach).min(self.rows);
            for other in near {
                let Some(&half) = half_widths.get(other.abs_diff(row) as usize) else { continue };
                let runs = starts[other as usize]..starts[other as usize + 1];
                spans.extend(self.runs[runs].iter().map(|run| {
                    let start = run.start.saturating_sub(half);
                    ColumnSpan { start, end: run.end.saturating_add(half).min(self.cols) }
                }));
            }
            result.push_row(row, &mut spans);
        }
        result
    }

    /// The mask as an array, `[row, col]`.
    pub fn to_array(&self) -> Array2<bool> {
        let mut array = Array2::from_elem((self.rows as usize, self.cols as usize), false);
        for run in &self.runs {
            let row = run.row as usize;
            array.slice_mut(ndarray::s![row, run.start as usize..run.end as usize]).fill(true);
        }
        array
    }
}

/// For each distance in rows, the largest distance in columns that is nearer than `radius_px`.
fn half_widths(radius_px: f64) -> Vec<u32> {
    let squared = |length: u32| f64::from(length) * f64::from(length);
    let nearer = |dx: u32, dy: u32| (squared(dx) + squared(dy)).sqrt() < radius_px;
    let mut half = 0;
    while nearer(half + 1, 0) {
        half += 1;
    }
    let mut widths = Vec::new();
    for dy in 0.. {
        if !nearer(0, dy) {
            break;
        }
        while !nearer(half, dy) {
            half -= 1;
        }
        widths.push(half);
    }
    widths
}

/// The index in `runs` at which the runs of each row begin, and the end of the last row's runs.
pub(crate) fn row_starts(runs: &[PixelRun], rows: u32) -> Vec<usize> {
    let mut starts = vec![0; rows as usize + 1];
    for run in runs {
        starts[run.row as usize + 1] += 1;
    }
    for row in 0..rows as usize {
        starts[row + 1] += starts[row];
    }
    starts
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Masks of up to `side` x `side` pixels with any share of set pixels.
    pub(crate) fn masks(side: usize) -> impl Strategy<Value = Array2<u8>> {
        (1..=side, 1..=side, 1_u8..=9).prop_flat_map(|(rows, cols, tenths)| {
            proptest::collection::vec(0_u8..10, rows * cols).prop_map(move |values| {
                let set = values.into_iter().map(|v| u8::from(v < tenths)).collect();
                Array2::from_shape_vec((rows, cols), set).unwrap()
            })
        })
    }

    pub(crate) fn mask_of(array: &Array2<u8>) -> Mask {
        Mask::from_image(array.view(), |&v| v != 0)
    }

    proptest! {
        #[test]
        fn a_mask_equals_the_array_it_is_made_from(array in masks(20)) {
            let mask = mask_of(&array);
            prop_assert_eq!(mask.to_array(), array.mapv(|v| v != 0));
            prop_assert_eq!(mask.complement().to_array(), array.mapv(|v| v == 0));
            prop_assert_eq!(mask.area(), array.iter().filter(|&&v| v != 0).count());
            for row in 0..mask.shape().0 {
                prop_assert!(mask.row(row).iter().all(|run| run.row == row && !run.is_empty()));
            }
        }

        #[test]
        fn dilation_sets_the_pixels_nearer_than_the_radius(array in masks(14), radius in 0.0..6.0) {
            let grown = mask_of(&array).dilated(radius).to_array();
            for ((row, col), &found) in grown.indexed_iter() {
                let near = array.indexed_iter().any(|((r, c), &set)| {
                    let (dy, dx) = (r.abs_diff(row) as f64, c.abs_diff(col) as f64);
                    set != 0 && (dy * dy + dx * dx).sqrt() < radius
                });
                prop_assert_eq!(found, near);
            }
        }
    }
}
