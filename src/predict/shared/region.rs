//! Windows of a region, put together from what they share and scored.

use std::time::{Duration, Instant};

use super::maps::Maps;
use super::part::{Along, PARTS, Part};
use crate::geometry::dense_tiles::DenseTile;
use crate::model::{CutMap, EngineError, LoadedTrunkHead, TrunkSession};
use crate::predict::prepare::{PatchArea, Preparation, PreparedPatch};

/// A region of a patch and the sizes of its windows.
#[derive(Clone, Copy)]
pub(super) struct Region<'r> {
    pub(super) preparation: &'r Preparation,
    pub(super) patch: &'r PreparedPatch,
    pub(super) tile: &'r DenseTile,
    pub(super) map: &'r CutMap,
    pub(super) window_px: u32,
    pub(super) stride_px: u32,
    /// Of all images of one trunk run: as many as a whole region has.
    pub(super) run_px: u32,
}

/// A part of the windows' maps: what is common to all of a row, of a column, or of the
/// region.
struct Piece {
    parts: (Part, Part),
    /// (row, col) of each image; 0 along an axis that is shared.
    places: Vec<(u32, u32)>,
    maps: Maps,
}

/// Which image of a piece a window at `place` has its part of.
fn keyed(parts: (Part, Part), (row, col): (u32, u32)) -> (u32, u32) {
    let along = |part: Part, at: u32| if part == Part::Shared { 0 } else { at };
    (along(parts.0, row), along(parts.1, col))
}

/// What takes scores: indices of the tile's points, `[window, class]`, time spent in
/// the network. `false` ends the region.
pub(super) type Scored<'s> = dyn FnMut(&[usize], &[f32], Duration) -> bool + 's;

impl Region<'_> {
    /// Scores all windows, `batch` at a time.
    pub(super) fn score(
        &self,
        network: &mut LoadedTrunkHead,
        classes: usize,
        scored: &mut Scored<'_>,
    ) -> Result<(), EngineError> {
        let mut started = Instant::now();
        let mut filling = Duration::ZERO;
        let mut pieces = Vec::new();
        for parts in PARTS.iter().flat_map(|&rows| PARTS.map(|cols| (rows, cols))) {
            if parts.0.count(self.map) * parts.1.count(self.map) > 0 {
                pieces.push(self.piece(network.trunk.as_mut(), parts, &mut filling)?);
            }
        }
        let head = network.head.as_mut();
        let window_len = self.map.channels * self.map.side * self.map.side;
        let mut scores = vec![0.0; head.batch() * classes];
        let points: Vec<usize> = (0..self.tile.places.len()).collect();
        for points in points.chunks(head.batch()) {
            let mut fill = |windows: &mut [f32]| {
                for (window, &point) in windows.chunks_exact_mut(window_len).zip(points) {
                    for piece in &pieces {
                        self.copy(piece, self.tile.places[point], window);
                    }
                }
            };
            let scores = &mut scores[..points.len() * classes];
            head.run_filled(points.len(), &mut fill, scores)?;
            let spent = started.elapsed().saturating_sub(std::mem::take(&mut filling));
            started = Instant::now();
            if !scored(points, scores, spent) {
                break;
            }
        }
        Ok(())
    }

    /// The maps of one piece for windows at `places`.
    fn piece(
        &self,
        trunk: &mut dyn TrunkSession,
        parts: (Part, Part),
        filling: &mut Duration,
    ) -> Result<Piece, EngineError> {
        let mut places: Vec<(u32, u32)> =
            self.tile.places.iter().map(|&place| keyed(parts, place)).collect();
        places.sort_unstable();
        places.dedup();
        let side = |outputs: u32| (outputs.max(1) - 1) * self.stride_px + self.window_px;
        let rows = Along { start_px: self.tile.y_px, length_px: side(self.tile.grid.0) };
        let cols = Along { start_px: self.tile.x_px, length_px: side(self.tile.grid.1) };
        let image = |part: Part, region: Along, at: u32| {
            part.image(self.map, region, (self.window_px, at * self.stride_px))
        };
        let sides_px = (image(parts.0, rows, 0).1, image(parts.1, cols, 0).1);
        let at_once = (self.run_px / (sides_px.0 * sides_px.1)).max(1) as usize;
        let mut maps = Maps::default();
        for places in places.chunks(at_once) {
            let mut fill = |images: &mut [f32]| {
                let started = Instant::now();
                let (height_px, width_px) = (sides_px.0 as usize, sides_px.1 as usize);
                let images = images.chunks_exact_mut(3 * height_px * width_px);
                for (image_px, &(row, col)) in images.zip(places) {
                    let (x_px, y_px) = (image(parts.1, cols, col).0, image(parts.0, rows, row).0);
                    let area = PatchArea { x_px, y_px, width_px, height_px };
                    self.preparation.area(self.patch, area, image_px);
                }
                *filling += started.elapsed();
            };
            let mut take = |shape: [usize; 4], values: &[f32]| {
                let kept = (parts.0.kept(self.map, shape[2]), parts.1.kept(self.map, shape[3]));
                maps.keep((shape, values), kept.0, kept.1);
            };
            trunk.run(places.len(), sides_px, &mut fill, &mut take)?;
        }
        Ok(Piece { parts, places, maps })
    }

    /// Copies a piece into the map of the window at `place`.
    fn copy(&self, piece: &Piece, (row, col): (u32, u32), window: &mut [f32]) {
        let (rows, cols) = piece.parts;
        let image = piece.places.binary_search(&keyed(piece.parts, (row, col)));
        let image = image.expect("a piece has all of its windows");
        let from = (
            rows.found(self.map, row * self.stride_px),
            cols.found(self.map, col * self.stride_px),
        );
        let size = (rows.count(self.map), cols.count(self.map));
        let to = (rows.place(self.map), cols.place(self.map));
        piece.maps.copy(image, (from, size), window, (self.map.side, to));
    }
}
