//! Assembles the maps of a region's windows from the parts they share, and scores the windows.

use std::time::{Duration, Instant};

use super::maps::{MapBox, MapPlace, Maps};
use super::part::{AxisPart, PartPair, PatchInterval};
use crate::geometry::dense_tiles::{DenseTile, GridPlace};
use crate::model::{CutMap, EngineError, ImageSize, LoadedTrunkHead, TrunkSession};
use crate::predict::prepare::{PatchArea, Preparation, PreparedPatch};

/// A region of a patch and the sizes of its windows.
#[derive(Clone, Copy)]
pub(super) struct SharedRegion<'r> {
    pub(super) preparation: &'r Preparation,
    pub(super) patch: &'r PreparedPatch,
    pub(super) tile: &'r DenseTile,
    pub(super) map: &'r CutMap,
    pub(super) window_px: u32,
    pub(super) stride_px: u32,
    /// Pixels of all images in one run of the trunk: as many as a whole region has.
    pub(super) run_px: u32,
}

/// One of the nine parts of the windows' maps. The middle is common to all windows of the
/// region, an edge to those of a row or a column; a corner belongs to one window.
struct MapPiece {
    part: PartPair,
    /// Place of each image; 0 along an axis that is shared.
    places: Vec<GridPlace>,
    maps: Maps,
}

/// Receives the indices of the tile's points, their scores `[window, class]` and the time spent
/// in the network. Returning `false` ends the region.
pub(super) type ScoreSink<'s> = dyn FnMut(&[usize], &[f32], Duration) -> bool + 's;

impl SharedRegion<'_> {
    /// Scores all windows of the region, one batch of the head at a time.
    pub(super) fn score(
        &self,
        network: &mut LoadedTrunkHead,
        classes: usize,
        scored: &mut ScoreSink<'_>,
    ) -> Result<(), EngineError> {
        let mut started = Instant::now();
        let mut filling = Duration::ZERO;
        let mut pieces = Vec::new();
        for part in PartPair::all() {
            if part.down.count(self.map) * part.across.count(self.map) > 0 {
                pieces.push(self.piece(network.trunk.as_mut(), part, &mut filling)?);
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

    /// Runs the trunk over the images of one part, for all windows.
    fn piece(
        &self,
        trunk: &mut dyn TrunkSession,
        part: PartPair,
        filling: &mut Duration,
    ) -> Result<MapPiece, EngineError> {
        let mut places: Vec<GridPlace> =
            self.tile.places.iter().map(|&place| part.image_of(place)).collect();
        places.sort_unstable();
        places.dedup();
        let side = |outputs: u32| (outputs.max(1) - 1) * self.stride_px + self.window_px;
        let rows = PatchInterval { start_px: self.tile.y_px, length_px: side(self.tile.grid.rows) };
        let cols = PatchInterval { start_px: self.tile.x_px, length_px: side(self.tile.grid.cols) };
        let image = |part: AxisPart, region: PatchInterval, at: u32| {
            part.image(self.map, region, self.window_px, at * self.stride_px)
        };
        let size = ImageSize {
            height_px: image(part.down, rows, 0).length_px,
            width_px: image(part.across, cols, 0).length_px,
        };
        let at_once = (self.run_px / (size.height_px * size.width_px)).max(1) as usize;
        let mut maps = Maps::default();
        for places in places.chunks(at_once) {
            let mut fill = |images: &mut [f32]| {
                let started = Instant::now();
                let (height_px, width_px) = (size.height_px as usize, size.width_px as usize);
                let images = images.chunks_exact_mut(3 * height_px * width_px);
                for (image_px, &GridPlace { row, col }) in images.zip(places) {
                    let x_px = image(part.across, cols, col).start_px;
                    let y_px = image(part.down, rows, row).start_px;
                    let area = PatchArea { x_px, y_px, width_px, height_px };
                    self.preparation.area(self.patch, area, image_px);
                }
                *filling += started.elapsed();
            };
            let mut take = |shape: [usize; 4], values: &[f32]| {
                let rows = part.down.kept(self.map, shape[2]);
                let cols = part.across.kept(self.map, shape[3]);
                maps.keep(shape, values, rows, cols);
            };
            trunk.run(places.len(), size, &mut fill, &mut take)?;
        }
        Ok(MapPiece { part, places, maps })
    }

    /// Copies a part into the map of the window at `place`.
    fn copy(&self, piece: &MapPiece, place: GridPlace, window: &mut [f32]) {
        let PartPair { down, across } = piece.part;
        let image = piece.places.binary_search(&piece.part.image_of(place));
        let image = image.expect("a piece has an image for each window");
        let from = MapPlace {
            row: down.found(self.map, place.row * self.stride_px),
            col: across.found(self.map, place.col * self.stride_px),
        };
        let (rows, cols) = (down.count(self.map), across.count(self.map));
        let to = MapPlace { row: down.place(self.map), col: across.place(self.map) };
        piece.maps.copy(MapBox { image, from, rows, cols, to }, window, self.map.side);
    }
}
