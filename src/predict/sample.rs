//! Draws windows of a few tissue tiles by place, and scores them one by one.

use std::collections::HashMap;

use super::colour::Normalizer;
use super::draw::{Purpose, draw_key};
use super::error::PredictError;
use super::group::points_of;
use super::prepare::{Preparation, PreparedPatch};
use crate::geometry::lattice::LatticePoint;
use crate::geometry::{Lattice, Tiling};
use crate::model::{EngineError, Session};
use crate::patches::GroupReader;

/// Points of one tile in one patch.
pub(super) struct Sample<'r> {
    pub(super) reader: &'r GroupReader,
    pub(super) index: usize,
    pub(super) points: Vec<LatticePoint>,
}

/// The size of a sample.
#[derive(Debug, Clone, Copy)]
pub(super) struct SampleSize {
    /// What tiles are drawn for.
    pub(super) draw: Purpose,
    /// Tiles of the draw that are passed over.
    pub(super) skip: usize,
    pub(super) tiles: usize,
    /// Points in each tile.
    pub(super) points: usize,
}

/// A square part of a patch.
#[derive(Debug, Clone, Copy)]
pub(super) struct Square {
    pub(super) x_px: u32,
    pub(super) y_px: u32,
    pub(super) side_px: u32,
}

impl Square {
    /// Points of a patch in the coordinates of the square.
    pub(super) fn places(self, points: &[LatticePoint]) -> Vec<LatticePoint> {
        let place = |point: &LatticePoint| LatticePoint {
            patch_x_px: point.patch_x_px - self.x_px,
            patch_y_px: point.patch_y_px - self.y_px,
            ..*point
        };
        points.iter().map(place).collect()
    }
}

impl Sample<'_> {
    /// The whole patch.
    pub(super) fn whole(&self) -> Square {
        let side_px = u32::try_from(self.reader.patch_px()).expect("patches are small");
        Square { x_px: 0, y_px: 0, side_px }
    }

    /// Reads a part of the patch, ready to cut windows from; `None` if its colours cannot be
    /// normalised and the run does not score such a patch.
    pub(super) fn prepared(
        &self,
        square: Square,
        preparation: &Preparation,
        normalizer: Option<&Normalizer>,
    ) -> Result<Option<PreparedPatch>, PredictError> {
        let [x_px, y_px, side_px] =
            [square.x_px, square.y_px, square.side_px].map(|px| px as usize);
        let mut rgb = vec![0; side_px * side_px * 3];
        self.reader.read_square(self.index, x_px, y_px, side_px, &mut rgb)?;
        if let Some(Err(failure)) = normalizer.map(|normalizer| normalizer.apply(&mut rgb))
            && !failure.kind.scored
        {
            return Ok(None);
        }
        let mut patch = PreparedPatch::default();
        preparation.prepare(&rgb, side_px, &mut patch);
        Ok(Some(patch))
    }
}

/// Scores of single windows of a patch, `[point, class]`.
pub(super) fn window_scores(
    session: &mut dyn Session,
    preparation: &Preparation,
    patch: &PreparedPatch,
    points: &[LatticePoint],
    classes: usize,
) -> Result<Vec<f32>, EngineError> {
    let mut all = vec![0.0; points.len() * classes];
    let (batch, window_len) = (session.batch(), preparation.window_len());
    for (points, scores) in points.chunks(batch).zip(all.chunks_mut(batch * classes)) {
        let mut fill = |input: &mut [f32]| {
            for (point, window) in points.iter().zip(input.chunks_exact_mut(window_len)) {
                preparation.window(patch, point.patch_x_px, point.patch_y_px, window);
            }
        };
        session.run_filled(points.len(), &mut fill, scores)?;
    }
    Ok(all)
}

/// Draws up to `most.tiles` tissue tiles with points, and up to `most.points` points of each.
pub(super) fn samples<'r>(
    readers: &'r [GroupReader],
    tiling: Tiling,
    lattice: &Lattice,
    most: SampleSize,
) -> Vec<Sample<'r>> {
    let tile_px = i64::from(tiling.tile_px());
    let stride_px = i64::from(lattice.stride_px());
    let mut tiles: HashMap<(i64, i64), Sample<'r>> = HashMap::new();
    for reader in readers {
        for (index, points) in points_of(lattice, tiling, reader).into_iter().enumerate() {
            for point in points {
                let tile = |at: i32| i64::from(at) * stride_px / tile_px;
                let place = (tile(point.row), tile(point.col));
                let new = || Sample { reader, index, points: Vec::new() };
                tiles.entry(place).or_insert_with(new).points.push(point);
            }
        }
    }
    let mut tiles: Vec<((i64, i64), Sample<'r>)> = tiles.into_iter().collect();
    tiles.sort_by_key(|&((row, col), _)| draw_key(most.draw, row, col));
    tiles
        .into_iter()
        .skip(most.skip)
        .take(most.tiles)
        .map(|(_, mut sample)| {
            sample.points.sort_by_key(|point| {
                draw_key(Purpose::Windows, i64::from(point.row), i64::from(point.col))
            });
            sample.points.truncate(most.points);
            sample
        })
        .collect()
}
