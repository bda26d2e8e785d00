//! Windows of a few tissue tiles, drawn by their place, scored both ways.

use std::collections::HashMap;

use super::PredictError;
use super::colour::Normalizer;
use super::dense::Worker;
use super::draw::{End, lot};
use super::group::points_of;
use super::prepare::{Preparation, PreparedPatch};
use crate::geometry::dense_tiles::DenseTile;
use crate::geometry::lattice::LatticePoint;
use crate::geometry::{Lattice, Tiling};
use crate::model::{EngineError, Session};
use crate::patches::GroupReader;

/// Tissue tiles to look at.
const TILES: usize = 32;

/// Windows of each tile.
const WINDOWS: usize = 8;

/// Windows of one tile, scored both ways, `[window, class]`.
#[derive(Default)]
pub(super) struct Pair {
    pub(super) dense: Vec<f32>,
    pub(super) exact: Vec<f32>,
}

/// Points of one tile in one patch.
pub(super) struct Sample<'r> {
    reader: &'r GroupReader,
    index: usize,
    points: Vec<LatticePoint>,
}

/// What scores a sample both ways.
pub(super) struct Both<'b> {
    pub(super) worker: Worker<'b>,
    pub(super) windows: &'b mut dyn Session,
    pub(super) preparation: &'b Preparation,
    pub(super) normalizer: Option<&'b Normalizer>,
}

impl Both<'_> {
    /// Corner and side of the square of a patch that a tile and its windows lie in:
    /// patches are large, and one tile of each is looked at.
    fn square(&self, patch_px: usize, tile: &DenseTile) -> ((usize, usize), usize) {
        let side_px = self.worker.tiles.side_px() as usize;
        if side_px >= patch_px || self.normalizer.is_some_and(|colours| !colours.is_local()) {
            return ((0, 0), patch_px);
        }
        let within = |px: i64| usize::try_from(px).unwrap_or(0).min(patch_px - side_px);
        ((within(tile.x_px), within(tile.y_px)), side_px)
    }

    pub(super) fn score(&mut self, sample: &Sample<'_>) -> Result<Pair, PredictError> {
        let failed =
            |source: EngineError| PredictError::Engine { what: "calibration".into(), source };
        let Some(mut tile) = self.worker.tiles.tile_around(&sample.points) else {
            return Ok(Pair::default());
        };
        let (corner, side_px) = self.square(sample.reader.patch_px(), &tile);
        let mut rgb = vec![0; side_px * side_px * 3];
        sample.reader.read_square(sample.index, corner, side_px, &mut rgb)?;
        if let Some(Err(failure)) = self.normalizer.map(|normalizer| normalizer.apply(&mut rgb))
            && !failure.scored
        {
            // Its windows are not scored either.
            return Ok(Pair::default());
        }
        let mut patch = PreparedPatch::default();
        self.preparation.prepare(&rgb, side_px, &mut patch);
        let classes = self.worker.classes;
        let mut pair = Pair::default();
        pair.exact.resize(sample.points.len() * classes, 0.0);
        let (left_px, top_px) = (narrow(corner.0), narrow(corner.1));
        (tile.x_px, tile.y_px) = (tile.x_px - i64::from(left_px), tile.y_px - i64::from(top_px));
        pair.dense = self.worker.scores(&patch, &tile).map_err(failed)?.0;
        let batch = self.windows.batch();
        let window_len = self.preparation.window_len();
        for (points, scores) in
            sample.points.chunks(batch).zip(pair.exact.chunks_mut(batch * classes))
        {
            let mut fill = |input: &mut [f32]| {
                for (point, window) in points.iter().zip(input.chunks_exact_mut(window_len)) {
                    let (x_px, y_px) = (point.patch_x_px - left_px, point.patch_y_px - top_px);
                    self.preparation.window(&patch, x_px, y_px, window);
                }
            };
            self.windows.run_filled(points.len(), &mut fill, scores).map_err(failed)?;
        }
        Ok(pair)
    }
}

/// A place in a patch.
fn narrow(px: usize) -> u32 {
    u32::try_from(px).expect("patches are small")
}

/// Draws tissue tiles with points, and some of their points.
pub(super) fn samples<'r>(
    readers: &'r [GroupReader],
    tiling: Tiling,
    lattice: &Lattice,
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
    tiles.sort_by_key(|&((row, col), _)| lot(End::Tiles, row, col));
    tiles.truncate(TILES);
    tiles
        .into_iter()
        .map(|(_, mut sample)| {
            sample
                .points
                .sort_by_key(|point| lot(End::Windows, i64::from(point.row), i64::from(point.col)));
            sample.points.truncate(WINDOWS);
            sample
        })
        .collect()
}
