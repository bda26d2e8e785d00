//! Heatmaps assembled from the scores of lattice points.

use ndarray::{Array2, Array3, ArrayView2, Axis, s};
use thiserror::Error;

/// Why scores cannot be entered into a map.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum HeatmapError {
    /// `row`, `col` and `score` have different lengths.
    #[error(
        "score columns disagree: {row} rows, {col} columns, {score} scores; expected one of each per point"
    )]
    Lengths {
        /// Entries of `row`.
        row: usize,
        /// Entries of `col`.
        col: usize,
        /// Entries (or rows) of `score`.
        score: usize,
    },
    /// A point lies outside the lattice.
    #[error(
        "score {index} is of lattice point (row {row}, col {col}), outside the {rows} x {cols} lattice of stride {stride_px}; were the scores made for another slide or stride?"
    )]
    OutOfRange {
        /// Index of the score in the input.
        index: usize,
        /// Lattice row.
        row: i32,
        /// Lattice column.
        col: i32,
        /// Rows of the lattice.
        rows: usize,
        /// Columns of the lattice.
        cols: usize,
        /// Stride of the map, working px.
        stride_px: u32,
    },
    /// A point already has a score.
    #[error(
        "score {index}: lattice point (row {row}, col {col}) already has a score; two groups overlap or one was read twice"
    )]
    Twice {
        /// Index of the score in the input.
        index: usize,
        /// Lattice row.
        row: usize,
        /// Lattice column.
        col: usize,
    },
    /// A score is NaN or infinite.
    #[error(
        "score {index} of lattice point (row {row}, col {col}) is {score}, not a number; run that group again, or look at the model's output"
    )]
    NotFinite {
        /// Index of the score in the input.
        index: usize,
        /// Lattice row.
        row: usize,
        /// Lattice column.
        col: usize,
        /// The score.
        score: f32,
    },
    /// Scores and map have different numbers of classes.
    #[error("scores have {found} classes, expected {expected}")]
    Classes {
        /// Classes of the scores.
        found: usize,
        /// Classes of the map.
        expected: usize,
    },
}

/// Scores of one class over a whole slide.
#[derive(Debug, Clone)]
pub struct Heatmap {
    /// `[lattice row, lattice col]`, 0..=1; NaN = not scored.
    pub score: Array2<f32>,
    /// Distance between neighbouring points, working px.
    pub stride_px: u32,
}

impl Heatmap {
    /// A map of `rows` x `cols` points, none of them scored.
    pub fn new(rows: usize, cols: usize, stride_px: u32) -> Self {
        Self { score: Array2::from_elem((rows, cols), f32::NAN), stride_px }
    }

    /// Enters scores: `score[i]` at lattice point `(row[i], col[i])`.
    ///
    /// # Errors
    /// [`HeatmapError`] that names the first score whose point lies outside the lattice or
    /// already has a score, or that is not finite. The scores before that one have been
    /// entered by then, so drop the map.
    pub fn scatter(&mut self, row: &[i32], col: &[i32], score: &[f32]) -> Result<(), HeatmapError> {
        check_lengths(row, col, score.len())?;
        let (rows, cols) = self.score.dim();
        let lattice = LatticeSize { rows, cols, stride_px: self.stride_px };
        for (index, &value) in score.iter().enumerate() {
            let (row, col) = lattice.place(index, row[index], col[index])?;
            enter(&mut self.score[[row, col]], value, index, row, col)?;
        }
        Ok(())
    }

    /// The map of stride `k * stride_px`: every `k`-th point along both axes, from the first.
    ///
    /// # Panics
    /// If `k` is 0.
    #[must_use]
    pub fn subsample(&self, k: u32) -> Self {
        assert!(k > 0, "a map of every 0-th point does not exist");
        let step = isize::try_from(k).expect("a stride fits isize");
        let score = self.score.slice(s![..;step, ..;step]).to_owned();
        Self { score, stride_px: self.stride_px * k }
    }

    /// Number of points with a score.
    pub fn scored(&self) -> usize {
        self.score.iter().filter(|score| !score.is_nan()).count()
    }

    /// Number of points that lie in a tissue tile and have no score.
    ///
    /// `tissue` is `[tile row, tile col]`, non-zero = tissue. A complete map gives 0.
    pub fn missing(&self, tissue: ArrayView2<'_, u8>, tile_px: u32) -> usize {
        let mut count = 0;
        self.each_missing(tissue, tile_px, |_| count += 1);
        count
    }

    /// The tissue tiles with at least one point that has no score: `[tile row, tile col]`,
    /// 1 = incomplete.
    pub fn missing_tiles(&self, tissue: ArrayView2<'_, u8>, tile_px: u32) -> Array2<u8> {
        let mut tiles = Array2::zeros(tissue.dim());
        self.each_missing(tissue, tile_px, |tile| tiles[tile] = 1);
        tiles
    }

    fn each_missing(
        &self,
        tissue: ArrayView2<'_, u8>,
        tile_px: u32,
        mut visit: impl FnMut((usize, usize)),
    ) {
        let (stride, tile) = (self.stride_px as usize, tile_px.max(1) as usize);
        for ((row, col), score) in self.score.indexed_iter() {
            let tile = (row * stride / tile, col * stride / tile);
            if score.is_nan() && tissue.get(tile).is_some_and(|&t| t != 0) {
                visit(tile);
            }
        }
    }
}

/// Scores of every class over a whole slide.
#[derive(Debug, Clone)]
pub struct ClassHeatmap {
    /// `[lattice row, lattice col, class]`, 0..=1; NaN = not scored.
    pub score: Array3<f32>,
    /// Distance between neighbouring points, working px.
    pub stride_px: u32,
}

impl ClassHeatmap {
    /// A map of `rows` x `cols` points, none of them scored.
    pub fn new(rows: usize, cols: usize, classes: usize, stride_px: u32) -> Self {
        Self { score: Array3::from_elem((rows, cols, classes), f32::NAN), stride_px }
    }

    /// Enters scores, `[point, class]`: `score[i, ..]` at lattice point `(row[i], col[i])`.
    ///
    /// # Errors
    /// Those of [`Heatmap::scatter`], and [`HeatmapError::Classes`] for another number of
    /// classes.
    pub fn scatter(
        &mut self,
        row: &[i32],
        col: &[i32],
        score: ArrayView2<'_, f32>,
    ) -> Result<(), HeatmapError> {
        check_lengths(row, col, score.nrows())?;
        let (rows, cols, expected) = self.score.dim();
        if score.ncols() != expected {
            return Err(HeatmapError::Classes { found: score.ncols(), expected });
        }
        let lattice = LatticeSize { rows, cols, stride_px: self.stride_px };
        for (index, values) in score.axis_iter(Axis(0)).enumerate() {
            let (row, col) = lattice.place(index, row[index], col[index])?;
            for (class, &value) in values.iter().enumerate() {
                enter(&mut self.score[[row, col, class]], value, index, row, col)?;
            }
        }
        Ok(())
    }

    /// The map of one class; `None` if there is no such class.
    pub fn class(&self, class: usize) -> Option<Heatmap> {
        (class < self.score.dim().2).then(|| Heatmap {
            score: self.score.index_axis(Axis(2), class).to_owned(),
            stride_px: self.stride_px,
        })
    }
}

fn check_lengths(row: &[i32], col: &[i32], score: usize) -> Result<(), HeatmapError> {
    if row.len() == score && col.len() == score {
        return Ok(());
    }
    Err(HeatmapError::Lengths { row: row.len(), col: col.len(), score })
}

/// The lattice whose points a map holds.
struct LatticeSize {
    rows: usize,
    cols: usize,
    stride_px: u32,
}

impl LatticeSize {
    /// Row and column of the point of score `index`, if it lies on the lattice.
    fn place(&self, index: usize, row: i32, col: i32) -> Result<(usize, usize), HeatmapError> {
        let Self { rows, cols, stride_px } = *self;
        let place = usize::try_from(row).ok().zip(usize::try_from(col).ok());
        place.filter(|&(r, c)| r < rows && c < cols).ok_or(HeatmapError::OutOfRange {
            index,
            row,
            col,
            rows,
            cols,
            stride_px,
        })
    }
}

fn enter(
    slot: &mut f32,
    score: f32,
    index: usize,
    row: usize,
    col: usize,
) -> Result<(), HeatmapError> {
    if !score.is_finite() {
        return Err(HeatmapError::NotFinite { index, row, col, score });
    }
    if !slot.is_nan() {
        return Err(HeatmapError::Twice { index, row, col });
    }
    *slot = score;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::Lattice;
    use proptest::prelude::*;

    #[test]
    fn errors_name_the_point_and_the_score() {
        let fail = |row: &[i32], col: &[i32], score: &[f32]| {
            Heatmap::new(2, 3, 16).scatter(row, col, score).unwrap_err().to_string()
        };
        assert!(
            fail(&[0, 2], &[0, 0], &[0.1, 0.2])
                .contains("score 1 is of lattice point (row 2, col 0), outside the 2 x 3")
        );
        assert!(fail(&[0], &[3], &[0.1]).contains("col 3"));
        assert!(fail(&[-1], &[0], &[0.1]).contains("row -1"));
        assert!(fail(&[0], &[i32::MIN], &[0.1]).contains("outside"));
        assert!(fail(&[1, 1], &[2, 2], &[0.0, 0.0]).contains("(row 1, col 2) already"));
        assert!(fail(&[1], &[2], &[f32::NAN]).contains("NaN"));
        assert!(fail(&[1], &[2], &[f32::INFINITY]).contains("inf"));
        assert!(fail(&[1, 0], &[2], &[0.5]).contains("disagree"));
    }

    #[test]
    fn a_score_that_was_entered_before_is_not_overwritten() {
        let mut map = Heatmap::new(2, 2, 16);
        map.scatter(&[0], &[1], &[0.25]).unwrap();
        assert_eq!(
            map.scatter(&[1, 0], &[1, 1], &[0.5, 0.75]),
            Err(HeatmapError::Twice { index: 1, row: 0, col: 1 })
        );
        assert_eq!(map.scored(), 2);
    }

    #[test]
    fn classes_are_kept_apart() {
        let mut map = ClassHeatmap::new(1, 2, 2, 16);
        map.scatter(&[0], &[1], ndarray::arr2(&[[0.25, 0.75]]).view()).unwrap();
        assert_eq!(map.class(1).unwrap().score[[0, 1]], 0.75);
        assert!(map.class(0).unwrap().score[[0, 0]].is_nan());
        assert!(map.class(2).is_none());
        let error = map.scatter(&[0], &[0], ndarray::arr2(&[[0.5]]).view()).unwrap_err();
        assert_eq!(error, HeatmapError::Classes { found: 1, expected: 2 });
        let repeated = map.scatter(&[0], &[1], ndarray::arr2(&[[0.5, 0.5]]).view());
        assert_eq!(repeated, Err(HeatmapError::Twice { index: 0, row: 0, col: 1 }));
    }

    #[test]
    fn only_points_of_tissue_tiles_can_be_missing() {
        // Tiles of 40 px, stride 16: points 0, 16, 32 lie in the first, 48, 64 in the second.
        let mut map = Heatmap::new(1, 5, 16);
        let tissue = ndarray::arr2(&[[0_u8, 1]]);
        assert_eq!(map.missing(tissue.view(), 40), 2);
        map.scatter(&[0], &[3], &[0.0]).unwrap();
        assert_eq!(map.missing(tissue.view(), 40), 1);
        assert_eq!(map.missing_tiles(tissue.view(), 40), tissue);
        map.scatter(&[0], &[4], &[0.0]).unwrap();
        assert_eq!(map.missing(tissue.view(), 40), 0);
        assert_eq!(map.missing_tiles(tissue.view(), 40).sum(), 0);
    }

    proptest! {
        #[test]
        fn a_subsampled_map_is_the_map_of_the_coarser_lattice(
            width_px in 1_u32..400, height_px in 1_u32..400, stride_px in 1_u32..30, k in 1_u32..6,
        ) {
            let (rows, cols) = Lattice::new(width_px, height_px, stride_px).shape();
            let mut map = Heatmap::new(rows, cols, stride_px);
            for ((r, c), score) in map.score.indexed_iter_mut() {
                *score = (r * 1000 + c) as f32;
            }
            let coarse = map.subsample(k);
            let lattice = Lattice::new(width_px, height_px, stride_px * k);
            prop_assert_eq!(coarse.score.dim(), lattice.shape());
            prop_assert_eq!(coarse.stride_px, lattice.stride_px());
            let k = k as usize;
            for ((r, c), &score) in coarse.score.indexed_iter() {
                prop_assert_eq!(score, (r * k * 1000 + c * k) as f32);
            }
        }
    }
}
