//! Where a heatmap's points are on the slide, in level-0 px.

use super::heatmap_h5::HeatmapMeta;

/// The lattice on the slide. Point (row, col) is at x = col * `pitch_px`,
/// y = row * `pitch_px`; its cell reaches half a pitch to all sides.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct SlideLattice {
    /// Between points, level-0 px.
    pub(crate) pitch_px: f64,
    /// Side of the network's window, level-0 px.
    pub(crate) window_px: f64,
    /// Width of the slide at level 0.
    pub(crate) width_px: u32,
    /// Height of the slide at level 0.
    pub(crate) height_px: u32,
    /// Micrometres per level-0 px, x and y.
    pub(crate) um_per_px: Option<[f64; 2]>,
}

impl SlideLattice {
    pub(crate) fn new(meta: &HeatmapMeta) -> Self {
        let level0 = |um: f64| um / meta.downsample;
        Self {
            pitch_px: f64::from(meta.stride_px) * meta.downsample,
            window_px: f64::from(meta.window_px) * meta.downsample,
            width_px: meta.level0_width_px,
            height_px: meta.level0_height_px,
            um_per_px: meta.mpp_x.zip(meta.mpp_y).map(|(x, y)| [level0(x), level0(y)]),
        }
    }

    /// Left, top, right, bottom of the square of side `side_px` centred on a
    /// point, as far as it lies on the slide.
    pub(crate) fn square(&self, row: usize, col: usize, side_px: f64) -> [f64; 4] {
        let (x, y) = (col as f64 * self.pitch_px, row as f64 * self.pitch_px);
        let half = side_px / 2.0;
        let (width, height) = (f64::from(self.width_px), f64::from(self.height_px));
        [(x - half).max(0.0), (y - half).max(0.0), (x + half).min(width), (y + half).min(height)]
    }

    /// Micrometres between points, x and y.
    pub(crate) fn pitch_um(&self) -> Option<[f64; 2]> {
        self.um_per_px.map(|[x, y]| [x * self.pitch_px, y * self.pitch_px])
    }
}

/// Pixels of a picture that covers the whole slide, each an integer part of it.
///
/// Viewers that lay one picture over another (ASAP) take it when
/// `width / columns == height / rows` in whole numbers, and then stretch it over
/// the slide. A heatmap with one pixel a point breaks both: its cells begin half
/// a pitch left of the slide, and strides in level-0 px need not be whole. So
/// pixels are at most half a pitch wide, and each takes the point whose cell
/// holds its middle: no score is changed, none is left out, and no pixel's middle
/// is farther than half a pitch from its point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OverlayGrid {
    /// Pixels along x.
    pub(crate) columns: u32,
    /// Pixels along y.
    pub(crate) rows: u32,
    /// The quotient: level-0 px per pixel, rounded down.
    pub(crate) quotient: u32,
}

impl OverlayGrid {
    /// The coarsest picture of a slide whose quotients agree and are at most half
    /// of `pitch_px`. One always is: at a quotient of 1, or any up to the root of
    /// the shorter side, remainders are too small to be seen in it.
    pub(crate) fn new(width_px: u32, height_px: u32, pitch_px: f64) -> Self {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "clamped to the slide's size"
        )]
        let most = (pitch_px / 2.0).clamp(1.0, f64::from(width_px.min(height_px).max(1))) as u32;
        let overlay = |quotient: u32| Self {
            columns: width_px / quotient,
            rows: height_px / quotient,
            quotient,
        };
        let agrees = |overlay: &Self| {
            width_px / overlay.columns == overlay.quotient
                && height_px / overlay.rows == overlay.quotient
        };
        (1..=most).rev().map(overlay).find(agrees).unwrap_or(overlay(1))
    }

    /// The lattice column shown by each pixel column, of `points`.
    pub(crate) fn lattice_columns(&self, lattice: &SlideLattice, points: usize) -> Vec<usize> {
        nearest(self.columns, lattice.width_px, lattice.pitch_px, points)
    }

    /// The lattice row shown by each pixel row, of `points`.
    pub(crate) fn lattice_rows(&self, lattice: &SlideLattice, points: usize) -> Vec<usize> {
        nearest(self.rows, lattice.height_px, lattice.pitch_px, points)
    }
}

/// For each of `pixels` over `extent_px`, the point nearest to its middle; of two
/// the first.
fn nearest(pixels: u32, extent_px: u32, pitch_px: f64, points: usize) -> Vec<usize> {
    let last = points.saturating_sub(1);
    let side = f64::from(extent_px) / f64::from(pixels);
    let point = |pixel: u32| {
        let middle = (f64::from(pixel) + 0.5) * side / pitch_px;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "not negative, below the number of points"
        )]
        let index = (middle - 0.5).ceil().max(0.0) as usize;
        index.min(last)
    };
    (0..pixels).map(point).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn lattice(width_px: u32, height_px: u32, pitch_px: f64) -> SlideLattice {
        SlideLattice { pitch_px, window_px: 224.0, width_px, height_px, um_per_px: None }
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
            // As coarse as promised: the size stays within bounds.
            let root = f64::from(width.min(height)).sqrt().floor();
            prop_assert!(f64::from(overlay.quotient) >= (pitch / 2.0).floor().min(root));
        }

        #[test]
        fn every_point_shows_and_every_pixel_shows_the_nearest(
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
                let mut seen = shown.clone();
                seen.dedup();
                prop_assert_eq!(seen, (0..points).collect::<Vec<_>>());
                for (pixel, point) in shown.iter().enumerate() {
                    let middle = (pixel as f64 + 0.5) * f64::from(extent) / f64::from(pixels);
                    let off = |point: usize| (point as f64 * pitch - middle).abs();
                    let least = (0..points).map(off).fold(f64::INFINITY, f64::min);
                    prop_assert!(off(*point) <= least + 1e-6);
                }
            }
        }
    }

    #[test]
    fn whole_strides_give_two_pixels_a_point_and_cells_in_their_places() {
        let overlay = OverlayGrid::new(97_792, 221_184, 16.0);
        assert_eq!(overlay, OverlayGrid { columns: 12_224, rows: 27_648, quotient: 8 });
        let shown = overlay.lattice_columns(&lattice(97_792, 221_184, 16.0), 6112);
        assert_eq!(shown[..5], [0, 1, 1, 2, 2]);
        assert_eq!(shown[12_222..], [6111, 6111]);
    }

    #[test]
    fn small_slides_get_smaller_pixels() {
        // 2220 / 9 = 246, 2967 / 13 = 228: refused by ASAP at the stride itself.
        let overlay = OverlayGrid::new(2220, 2967, 224.0);
        assert_eq!(2220 / overlay.columns, 2967 / overlay.rows);
        assert!(overlay.quotient > 40, "{overlay:?}");
        assert_eq!(OverlayGrid::new(1, 1, 16.0), OverlayGrid { columns: 1, rows: 1, quotient: 1 });
        assert_eq!(OverlayGrid::new(5, 9, 1.0), OverlayGrid { columns: 5, rows: 9, quotient: 1 });
    }

    #[test]
    fn squares_end_at_the_slide() {
        let lattice = lattice(100, 50, 16.0);
        assert_eq!(lattice.square(1, 2, 16.0), [24.0, 8.0, 40.0, 24.0]);
        assert_eq!(lattice.square(0, 6, 16.0), [88.0, 0.0, 100.0, 8.0]);
    }
}
