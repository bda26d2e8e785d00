//! Lesions as the CAMELYON16 evaluation counts them.

use super::label::{Connectivity, Labels, fill_holes};
use super::mask::Mask;
use super::raster::SampleGrid;
use super::region::{centroid, major_axis_px};

/// The evaluation's two lengths.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LesionRules {
    /// Annotations up to this far apart are one lesion: each is grown by half.
    pub merge_um: f64,
    /// A lesion whose longest diameter is below this is isolated tumour cells:
    /// neither missing it nor hitting it counts.
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
    /// Longer axis of the grown lesion.
    pub major_axis_um: f64,
    /// x and y of the grown lesion's centre of gravity, level-0 px.
    pub centre: [f64; 2],
    /// Whether it is isolated tumour cells.
    pub is_itc: bool,
}

/// The lesions of one slide, and where they are.
#[derive(Debug, Clone)]
pub struct Lesions {
    labels: Labels,
    grid: SampleGrid,
    /// In the order of their numbers, from 1.
    pub lesions: Vec<Lesion>,
}

/// Resolution of the official evaluation: 0.243 um per px at level 5.
const OFFICIAL_UM_PER_PX: f64 = 0.243 * 32.0;

/// The power of two by which a slide of `mpp` um per level-0 px is shrunk to
/// come nearest to the official evaluation's 7.776 um per px: 32 for 0.243.
pub fn evaluation_downsample(mpp: f64) -> f64 {
    (OFFICIAL_UM_PER_PX / mpp).log2().round().max(0.0).exp2()
}

impl Lesions {
    /// Finds the lesions of a slide of `mpp` um per level-0 px in its
    /// annotation, `mask`, a raster over `grid`.
    ///
    /// Evaluation_FROC.py of the challenge: pixels nearer to tumour than half of
    /// `merge_um`, holes filled, 8-connected regions; isolated tumour cells
    /// where the longer axis is below `itc_um` and `merge_um` together.
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

    /// A slide without lesions.
    pub fn none() -> Self {
        let grid = SampleGrid { rows: 0, cols: 0, origin: [0.0; 2], pitch: [1.0; 2] };
        let labels = Labels::find(&Mask::empty(0, 0), Connectivity::Eight);
        Self { labels, grid, lesions: Vec::new() }
    }

    /// The lesion (from 1) at a level-0 point; `None` where there is none and
    /// outside the slide.
    pub fn at(&self, x: f64, y: f64) -> Option<usize> {
        let (row, col) = self.grid.element(x, y)?;
        let lesion = self.labels.at(row, col).expect("the grid is the labels'");
        (lesion > 0).then_some(lesion as usize)
    }

    /// As [`Lesions::at`], or else a lesion within a pixel of the raster: what was drawn
    /// reaches up to half a pixel beyond the pixels whose centres it holds.
    pub fn near(&self, x: f64, y: f64) -> Option<usize> {
        self.at(x, y).or_else(|| {
            let steps = [-1.0, 0.0, 1.0];
            let around = steps.iter().flat_map(|dy| steps.iter().map(move |dx| (dx, dy)));
            let [across, down] = self.grid.pitch;
            around.filter_map(|(dx, dy)| self.at(x + dx * across, y + dy * down)).next()
        })
    }

    /// Lesions to be found: all but isolated tumour cells.
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
            excludes: false,
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
    fn small_ones_are_isolated_tumour_cells_unless_the_rule_is_off() {
        // 150 um across; its ellipse's axis, grown, stays below 275 um.
        let outlines = [square(3200.0, 3200.0, 640.0), square(9600.0, 3200.0, 3200.0)];
        let found = lesions(&outlines);
        assert_eq!(found.lesions.iter().map(|l| l.is_itc).collect::<Vec<_>>(), [true, false]);
        assert_eq!(found.to_find(), 1);
        let grid = SampleGrid::pixels(32_000.0, 32_000.0, 32.0);
        let rules = LesionRules { itc_um: 0.0, ..LesionRules::default() };
        assert_eq!(Lesions::find(&rasterise(&outlines, &grid), grid, 0.243, &rules).to_find(), 2);
    }

    #[test]
    fn holes_belong_to_their_lesion_and_outside_is_nothing() {
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
