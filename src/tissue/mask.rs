//! A mask image that the user gives, measured tile by tile.

use ndarray::Array2;

use super::TissueError;
use super::picture::shares;
use super::tile_grid::TileGrid;

/// A mask image and the part of the tile grid it covers.
///
/// The image shows the whole slide at any size: its edges are the slide's edges. Its pixels
/// need not align with the tiles.
#[derive(Debug, Clone)]
pub(crate) struct SlideMask {
    /// `[row, col]`, non-zero = tissue.
    pub pixels: Array2<u8>,
    /// Height of the slide in tiles, height / tile; not a whole number where the last row of
    /// tiles reaches beyond the slide.
    pub tiles_down: f64,
    /// Width of the slide in tiles, width / tile.
    pub tiles_across: f64,
}

impl SlideMask {
    /// Fraction of each tile that the mask marks, by area: `[tile row, tile col]`, 0..=1,
    /// `ceil(tiles_down)` x `ceil(tiles_across)`.
    ///
    /// A pixel on a tile border counts for each of the tiles with its area inside that tile.
    /// A tile that reaches beyond the slide is measured over its part inside.
    ///
    /// # Errors
    /// [`TissueError::EmptyMask`] for an image without pixels or a slide
    /// without area.
    pub(crate) fn coverage(&self) -> Result<Array2<f64>, TissueError> {
        let (height, width) = self.pixels.dim();
        let sized = |tiles: f64| tiles.is_finite() && tiles > 0.0;
        if height == 0 || width == 0 || !sized(self.tiles_down) || !sized(self.tiles_across) {
            return Err(TissueError::EmptyMask {
                rows: height,
                cols: width,
                tiles_down: self.tiles_down,
                tiles_across: self.tiles_across,
            });
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "positive, finite"
        )]
        let tiles = |extent: f64| extent.ceil() as usize;
        let per_tile = [height as f64 / self.tiles_down, width as f64 / self.tiles_across];
        let grid = TileGrid { rows: tiles(self.tiles_down), cols: tiles(self.tiles_across) };
        Ok(shares(self.pixels.view(), per_tile, grid))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tissue::test_support::parse_mask;

    #[test]
    fn coverage_is_the_marked_area() {
        let cases: Vec<serde_json::Value> =
            serde_json::from_str(include_str!("../../tests/reference/coverage.json")).unwrap();
        assert!(cases.len() > 10);
        for case in cases {
            let [tiles_down, tiles_across]: [f64; 2] =
                serde_json::from_value(case["extent"].clone()).unwrap();
            let mask = SlideMask { pixels: parse_mask(&case["mask"]), tiles_down, tiles_across };
            let expected: Vec<Vec<f64>> = serde_json::from_value(case["covered"].clone()).unwrap();
            let found = mask.coverage().unwrap();
            assert_eq!(found.dim(), (expected.len(), expected[0].len()));
            for (found, expected) in found.iter().zip(expected.concat()) {
                assert!((found - expected).abs() < 1e-9, "{found} {expected}");
            }
        }
    }

    #[test]
    fn a_tile_beyond_the_edge_is_measured_inside_the_slide() {
        // 2.25 tiles across, four pixels per tile: the last tile is one pixel wide.
        let mut pixels = Array2::zeros((4, 9));
        pixels[[0, 8]] = 255;
        pixels[[1, 8]] = 1;
        let mask = SlideMask { pixels, tiles_down: 1.0, tiles_across: 2.25 };
        assert_eq!(mask.coverage().unwrap(), ndarray::arr2(&[[0.0, 0.0, 0.5]]));
    }

    #[test]
    fn a_mask_without_pixels_is_refused() {
        let mask = SlideMask { pixels: Array2::zeros((0, 5)), tiles_down: 1.0, tiles_across: 1.0 };
        assert!(mask.coverage().unwrap_err().to_string().contains("0 x 5"));
    }
}
