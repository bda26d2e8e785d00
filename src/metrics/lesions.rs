//! The lesions of a slide, by the rules of the CAMELYON16 evaluation.

use super::label::{Connectivity, Labels, fill_holes};
use super::mask::Mask;
use super::raster::SampleGrid;
use super::region::{centroid, major_axis_px};

/// The two lengths by which annotations become lesions.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LesionRules {
    /// Annotations that are at most this far apart are one lesion; each is grown by half of the
    /// distance.
    pub merge_um: f64,
    /// A lesion whose longer axis is below this is isolated tumor cells. Such a lesion counts
    /// neither as missed nor as found.
    pub itc_um: f64,
}

impl Default for LesionRules {
    fn default() -> Self {
        Self { merge_um: 75.0, itc_um: 200.0 }
    }
}

/// One lesion.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Lesion {
    /// Longer axis of the grown lesion, um.
    pub major_axis_um: f64,
    /// Centroid (x, y) of the grown lesion, level-0 px.
    pub centre: [f64; 2],
    /// Whether the lesion is isolated tumor cells.
    pub is_itc: bool,
}

/// The lesions of one slide and their places.
#[derive(Debug, Clone)]
pub struct Lesions {
    labels: Labels,
    grid: SampleGrid,
    /// The lesions in the order of their numbers, which count from 1.
    pub lesions: Vec<Lesion>,
}

/// Resolution of the official evaluation: level 5 of slides with 0.243 um per px.
const OFFICIAL_UM_PER_PX: f64 = 0.243 * 32.0;

/// The downsample, a power of two, that brings a slide of `mpp` um per level-0 px nearest to the
/// 7.776 um per px of the official evaluation. For 0.243 it is 32.
pub fn evaluation_downsample(mpp: f64) -> f64 {
    (OFFICIAL_UM_PER_PX / mpp).log2().round().max(0.0).exp2()
}

impl Lesions {
    /// Finds the lesions of a slide of `mpp` um per level-0 px in its annotation `mask`, a
    /// raster over `grid`.
    ///
    /// The rules are those of the challenge's Evaluation_FROC.py. The annotation is grown to all
    /// pixels nearer than half of `merge_um`, and its holes are filled. The lesions are the
    /// 8-connected regions. A lesion is isolated tumor cells if its longer axis is below the sum
    /// of `itc_um` and `merge_um`.
    pub fn find(mask: &Mask, grid: SampleGrid, mpp: f64, rules: &LesionRules) -> Self {
        let um_per_px = mpp * grid.pitch[0];
        let grown = match rules.merge_um / (um_per_px * 2.0) {
            radius_px if radius_px > 0.0 => fill_holes(&mask.dilated(radius_px)),
            _ => fill_holes(mask),
        };
        let labels = Labels::find(&grown, Connectivity::Eight);
        let limit_px = (rules.itc_um + rules.merge_um) / um_per_px;
        let lesions = labels.regions().into_iter().map(|runs| {
            let axis_px = major_axis_px(&runs);
            let is_itc = rules.itc_um > 0.0 && axis_px < limit_px;
            let [row, col] = centroid(&runs);
            let centre = [col, row];
            let centre = [0, 1].map(|axis| grid.origin[axis] + centre[axis] * grid.pitch[axis]);
            Lesion { major_axis_um: axis_px * um_per_px, centre, is_itc }
        });
        Self { lesions: lesions.collect(), labels, grid }
    }

    /// The lesions of a slide that has none.
    pub fn none() -> Self {
        let grid = SampleGrid { rows: 0, cols: 0, origin: [0.0; 2], pitch: [1.0; 2] };
        let labels = Labels::find(&Mask::empty(0, 0), Connectivity::Eight);
        Self { labels, grid, lesions: Vec::new() }
    }

    /// The number of the lesion at a point (level-0 px), from 1; `None` if there is none or the
    /// point is outside the slide.
    pub fn at(&self, x: f64, y: f64) -> Option<usize> {
        let (row, col) = self.grid.element(x, y)?;
        let lesion = self.labels.at(row, col).expect("the grid is the labels'");
        (lesion > 0).then_some(lesion as usize)
    }

    /// The number of the lesion at a point, or else of one within a pixel of the raster. An
    /// outline reaches up to half a pixel beyond the pixels whose centres it holds.
    pub fn near(&self, x: f64, y: f64) -> Option<usize> {
        self.at(x, y).or_else(|| {
            let steps = [-1.0, 0.0, 1.0];
            let around = steps.iter().flat_map(|dy| steps.iter().map(move |dx| (dx, dy)));
            let [across, down] = self.grid.pitch;
            around.filter_map(|(dx, dy)| self.at(x + dx * across, y + dy * down)).next()
        })
    }

    /// Number of lesions to be found: all but isolated tumor cells.
    pub fn to_find(&self) -> usize {
        self.lesions.iter().filter(|lesion| !lesion.is_itc).count()
    }
}

#[cfg(test)]
mod tests {
    use super::super::raster::{Outline, rasterise};
    use super::*;

    fn square(x: f64, y: f64, side: f64) -> Outline {
        Outline {
            rings: vec![vec![[x, y], [x + side, y], [x + side, y + side], [x, y + side]]],
            ..Outline::default()
        }
    }

    fn lesions(outlines: &[Outline]) -> Lesions {
        let grid = SampleGrid::pixels(32_000.0, 32_000.0, 32.0);
        Lesions::find(&rasterise(outlines, &grid), grid, 0.243, &LesionRules::default())
    }

    #[test]
    fn lesions_75_um_apart_are_one() {
        // 300 px are 73 um, 400 px are 97 um.
        let at = |gap: f64| {
            lesions(&[square(3200.0, 3200.0, 3200.0), square(6400.0 + gap, 3200.0, 3200.0)])
        };
        assert_eq!((at(256.0).to_find(), at(416.0).to_find()), (1, 2));
        assert_eq!(at(256.0).at(6500.0, 4000.0), Some(1));
    }

    #[test]
    fn small_lesions_are_isolated_tumor_cells_unless_the_rule_is_off() {
        // The first is 150 um wide; the axis of its ellipse, grown, stays below 275 um.
        let outlines = [square(3200.0, 3200.0, 640.0), square(9600.0, 3200.0, 3200.0)];
        let found = lesions(&outlines);
        assert_eq!(found.lesions.iter().map(|l| l.is_itc).collect::<Vec<_>>(), [true, false]);
        assert_eq!(found.to_find(), 1);
        let grid = SampleGrid::pixels(32_000.0, 32_000.0, 32.0);
        let rules = LesionRules { itc_um: 0.0, ..LesionRules::default() };
        assert_eq!(Lesions::find(&rasterise(&outlines, &grid), grid, 0.243, &rules).to_find(), 2);
    }

    #[test]
    fn holes_belong_to_their_lesion_and_points_outside_to_none() {
        let hole = Outline { excludes: true, ..square(6000.0, 6000.0, 2000.0) };
        let found = lesions(&[square(3200.0, 3200.0, 8000.0), hole]);
        assert_eq!(found.at(7000.0, 7000.0), Some(1));
        assert_eq!((found.at(-5.0, 7000.0), found.at(1e9, 7000.0)), (None, None));
        assert_eq!(Lesions::none().at(0.0, 0.0), None);
    }

    #[test]
    fn slides_are_evaluated_near_the_official_resolution() {
        let found = [0.243, 0.25, 0.5, 1.0, 20.0].map(evaluation_downsample);
        assert_eq!(found, [32.0, 32.0, 16.0, 8.0, 1.0]);
    }
}
