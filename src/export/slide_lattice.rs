//! The positions of a heatmap's lattice points on the slide, in level-0 px; all exports
//! place points by these.

use crate::heatmap_h5::HeatmapMeta;

/// The lattice on the slide. Point (row, col) is at x = col * `pitch_px`,
/// y = row * `pitch_px`, and its cell extends half a pitch to all sides.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct SlideLattice {
    /// Distance between points, level-0 px: the stride times the downsample.
    pub(crate) pitch_px: f64,
    /// Side of the network's window, level-0 px.
    pub(crate) window_px: f64,
    /// The part of a window that lies left of and above its point, level-0 px.
    pub(crate) before_px: f64,
    /// Width of the slide at level 0, px.
    pub(crate) width_px: u32,
    /// Height of the slide at level 0, px.
    pub(crate) height_px: u32,
    /// Micrometres per level-0 px along x and y; `None` when unknown.
    pub(crate) um_per_px: Option<[f64; 2]>,
}

impl SlideLattice {
    pub(crate) fn new(meta: &HeatmapMeta) -> Self {
        let level0 = |um: f64| um / meta.downsample;
        Self {
            pitch_px: f64::from(meta.stride_px) * meta.downsample,
            window_px: f64::from(meta.window_px) * meta.downsample,
            before_px: f64::from(meta.window_px / 2) * meta.downsample,
            width_px: meta.level0_width_px,
            height_px: meta.level0_height_px,
            um_per_px: meta.mpp_x.zip(meta.mpp_y).map(|(x, y)| [level0(x), level0(y)]),
        }
    }

    /// Left, top, right and bottom, in level-0 px, of the square of side `side_px` centred
    /// on a point. The square is cut off at the edges of the slide.
    pub(crate) fn square(&self, row: usize, col: usize, side_px: f64) -> [f64; 4] {
        let (x, y) = (col as f64 * self.pitch_px, row as f64 * self.pitch_px);
        let half = side_px / 2.0;
        let (width, height) = (f64::from(self.width_px), f64::from(self.height_px));
        [(x - half).max(0.0), (y - half).max(0.0), (x + half).min(width), (y + half).min(height)]
    }

    /// Distance between points in micrometres, along x and y; `None` when the resolution
    /// is unknown.
    pub(crate) fn pitch_um(&self) -> Option<[f64; 2]> {
        self.um_per_px.map(|[x, y]| [x * self.pitch_px, y * self.pitch_px])
    }
}

/// The pixel grid of an overlay: a picture of the heatmap that covers the whole slide.
///
/// ASAP accepts an overlay when `width / columns == height / rows` in whole numbers, and
/// then stretches the overlay over the slide. A picture with one pixel per lattice point
/// would fail on both counts: its cells begin half a pitch left of the slide, and strides
/// in level-0 px need not be whole. The pixels of this grid are therefore at most half a
/// pitch wide, and each shows the point whose cell contains the pixel's centre. No score
/// is changed or left out, and no pixel's centre is farther than half a pitch from its
/// point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OverlayGrid {
    /// Number of pixels along x.
    pub(crate) columns: u32,
    /// Number of pixels along y.
    pub(crate) rows: u32,
    /// Level-0 px per pixel, rounded down; the same along x and y.
    pub(crate) quotient: u32,
}

impl OverlayGrid {
    /// The coarsest grid whose quotients along x and y agree and are at most half of
    /// `pitch_px`. Such a grid always exists: a quotient of 1 agrees, and so does each up
    /// to the square root of the shorter side, whose remainders are too small to change
    /// the whole-number quotient.
    pub(crate) fn new(width_px: u32, height_px: u32, pitch_px: f64) -> Self {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "clamped to the slide's size"
        )]
        let largest = (pitch_px / 2.0).clamp(1.0, f64::from(width_px.min(height_px).max(1))) as u32;
        let overlay = |quotient: u32| Self {
            columns: width_px / quotient,
            rows: height_px / quotient,
            quotient,
        };
        let agrees = |overlay: &Self| {
            width_px / overlay.columns == overlay.quotient
                && height_px / overlay.rows == overlay.quotient
        };
        (1..=largest).rev().map(overlay).find(agrees).unwrap_or(overlay(1))
    }

    /// The lattice column that each pixel column shows, below `points`.
    pub(crate) fn lattice_columns(&self, lattice: &SlideLattice, points: usize) -> Vec<usize> {
        nearest(self.columns, lattice.width_px, lattice.pitch_px, points)
    }

    /// The lattice row that each pixel row shows, below `points`.
    pub(crate) fn lattice_rows(&self, lattice: &SlideLattice, points: usize) -> Vec<usize> {
        nearest(self.rows, lattice.height_px, lattice.pitch_px, points)
    }
}

/// For each of `pixels` that divide `extent_px` equally, the lattice point nearest to the
/// pixel's centre. Ties go to the lower index.
fn nearest(pixels: u32, extent_px: u32, pitch_px: f64, points: usize) -> Vec<usize> {
    let last = points.saturating_sub(1);
    let side = f64::from(extent_px) / f64::from(pixels);
    let point = |pixel: u32| {
        let centre = (f64::from(pixel) + 0.5) * side / pitch_px;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "not negative, below the number of points"
        )]
        let index = (centre - 0.5).ceil().max(0.0) as usize;
        index.min(last)
    };
    (0..pixels).map(point).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn lattice(width_px: u32, height_px: u32, pitch_px: f64) -> SlideLattice {
        SlideLattice {
            pitch_px,
            window_px: 224.0,
            before_px: 112.0,
            width_px,
            height_px,
            um_per_px: None,
        }
    }

    fn points(extent_px: u32, pitch_px: f64) -> usize {
        ((f64::from(extent_px) / pitch_px - 1e-6).ceil() as usize).max(1)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn quotients_agree_and_no_coarser_ones_do(
            width in 1u32..300_000, height in 1u32..300_000, pitch in 0.3f64..300.0,
        ) {
            let overlay = OverlayGrid::new(width, height, pitch);
            prop_assert!(overlay.columns >= 1 && overlay.rows >= 1);
            prop_assert_eq!(width / overlay.columns, height / overlay.rows);
            prop_assert_eq!(width / overlay.columns, overlay.quotient);
            prop_assert!(overlay.quotient == 1 || 2.0 * f64::from(overlay.quotient) <= pitch);
            // The grid is as coarse as promised, so the picture's size stays within bounds.
            let root = f64::from(width.min(height)).sqrt().floor();
            prop_assert!(f64::from(overlay.quotient) >= (pitch / 2.0).floor().min(root));
        }

        #[test]
        fn every_point_is_shown_and_every_pixel_shows_its_nearest_point(
            width in 1u32..3000, height in 1u32..3000, pitch in 2.0f64..300.0,
        ) {
            let lattice = lattice(width, height, pitch);
            let overlay = OverlayGrid::new(width, height, pitch);
            let (rows, cols) = (points(height, pitch), points(width, pitch));
            for (shown, pixels, extent, points) in [
                (overlay.lattice_columns(&lattice, cols), overlay.columns, width, cols),
                (overlay.lattice_rows(&lattice, rows), overlay.rows, height, rows),
            ] {
                prop_assert_eq!(shown.len(), pixels as usize);
                prop_assert!(shown.is_sorted());
                let mut distinct = shown.clone();
                distinct.dedup();
                prop_assert_eq!(distinct, (0..points).collect::<Vec<_>>());
                for (pixel, point) in shown.iter().enumerate() {
                    let centre = (pixel as f64 + 0.5) * f64::from(extent) / f64::from(pixels);
                    let distance = |point: usize| (point as f64 * pitch - centre).abs();
                    let smallest = (0..points).map(distance).fold(f64::INFINITY, f64::min);
                    prop_assert!(distance(*point) <= smallest + 1e-6);
                }
            }
        }
    }

    #[test]
    fn whole_strides_give_two_pixels_per_point() {
        let overlay = OverlayGrid::new(97_792, 221_184, 16.0);
        assert_eq!(overlay, OverlayGrid { columns: 12_224, rows: 27_648, quotient: 8 });
        let shown = overlay.lattice_columns(&lattice(97_792, 221_184, 16.0), 6112);
        assert_eq!(shown[..5], [0, 1, 1, 2, 2]);
        assert_eq!(shown[12_222..], [6111, 6111]);
    }

    #[test]
    fn small_slides_get_smaller_pixels() {
        // At the stride itself 2220 / 9 = 246 and 2967 / 13 = 228, which ASAP refuses.
        let overlay = OverlayGrid::new(2220, 2967, 224.0);
        assert_eq!(2220 / overlay.columns, 2967 / overlay.rows);
        assert!(overlay.quotient > 40, "{overlay:?}");
        assert_eq!(OverlayGrid::new(1, 1, 16.0), OverlayGrid { columns: 1, rows: 1, quotient: 1 });
        assert_eq!(OverlayGrid::new(5, 9, 1.0), OverlayGrid { columns: 5, rows: 9, quotient: 1 });
    }

    #[test]
    fn squares_are_cut_off_at_the_edges_of_the_slide() {
        let lattice = lattice(100, 50, 16.0);
        assert_eq!(lattice.square(1, 2, 16.0), [24.0, 8.0, 40.0, 24.0]);
        assert_eq!(lattice.square(0, 6, 16.0), [88.0, 0.0, 100.0, 8.0]);
    }
}
