//! The share of each lesion that has scores. A lesion without scores cannot be found.

use super::lesions::Lesions;
use super::mask::Mask;
use super::raster::SampleGrid;

/// Share of a lesion's points below which too few are scored and the study warns.
pub const WELL_SCORED: f64 = 0.9;

/// The points of a heatmap's lattice that lie inside one lesion's outline.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Number of points inside the outline.
    pub points: u64,
    /// Number of those points that have a score.
    pub scored: u64,
}

impl Coverage {
    /// Share of the points that have a score, 0 to 1; `None` if no point of the lattice lies
    /// inside.
    pub fn share(&self) -> Option<f64> {
        (self.points > 0).then(|| self.scored as f64 / self.points as f64)
    }

    /// Whether points lie inside and none of them has a score.
    pub fn is_unscored(&self) -> bool {
        self.points > 0 && self.scored == 0
    }
}

/// The coverage of each lesion, in the order of the lesions' numbers.
///
/// `drawn` is the annotation itself, sampled by `lattice`: not grown, and without excluded
/// areas. `is_scored` tells whether the point at a row and column of the lattice has a score.
pub fn coverage(
    lesions: &Lesions,
    drawn: &Mask,
    lattice: &SampleGrid,
    is_scored: impl Fn(usize, usize) -> bool,
) -> Vec<Coverage> {
    let mut all = vec![Coverage::default(); lesions.lesions.len()];
    for run in drawn.runs() {
        let y = lattice.origin[1] + f64::from(run.row) * lattice.pitch[1];
        for col in run.start..run.end {
            let x = lattice.origin[0] + f64::from(col) * lattice.pitch[0];
            let Some(lesion) = lesions.near(x, y) else { continue };
            let counts = &mut all[lesion - 1];
            counts.points += 1;
            counts.scored += u64::from(is_scored(run.row as usize, col as usize));
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::super::lesions::LesionRules;
    use super::super::raster::{Outline, rasterise};
    use super::*;
    use proptest::prelude::*;

    fn rectangle(x: f64, y: f64, width: f64, height: f64, excludes: bool) -> Outline {
        let ring = vec![[x, y], [x + width, y], [x + width, y + height], [x, y + height]];
        Outline { rings: vec![ring], excludes, ..Outline::default() }
    }

    fn coverage_of(
        outlines: &[Outline],
        pitch: f64,
        merge_um: f64,
        is_scored: impl Fn(f64, f64) -> bool,
    ) -> Vec<Coverage> {
        let pixels = SampleGrid::pixels(4000.0, 3000.0, 16.0);
        let rules = LesionRules { merge_um, itc_um: 0.0 };
        let lesions = Lesions::find(&rasterise(outlines, &pixels), pixels, 0.5, &rules);
        let SampleGrid { rows, cols, .. } = SampleGrid::pixels(4000.0, 3000.0, pitch);
        let lattice = SampleGrid::lattice(rows, cols, pitch);
        coverage(&lesions, &rasterise(outlines, &lattice), &lattice, |row, col| {
            is_scored(col as f64 * pitch, row as f64 * pitch)
        })
    }

    #[test]
    fn merged_annotations_are_one_lesion_without_its_holes() {
        // 60 px are 30 um, so the first two are one lesion. The third is 500 px away.
        let outlines = [
            rectangle(200.0, 200.0, 400.0, 400.0, false),
            rectangle(660.0, 200.0, 400.0, 400.0, false),
            rectangle(1560.0, 200.0, 100.0, 100.0, false),
            rectangle(300.0, 300.0, 100.0, 100.0, true),
        ];
        let found = coverage_of(&outlines, 20.0, 75.0, |x, _| x < 600.0);
        // Each square has 20 x 20 points; 5 x 5 are excluded.
        let expected = [(400 + 400 - 25, 375), (25, 0)];
        let found: Vec<_> = found.iter().map(|counts| (counts.points, counts.scored)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_lesion_between_the_points_of_a_lattice_has_no_share() {
        let outlines = [rectangle(1010.0, 1010.0, 80.0, 80.0, false)];
        let found = coverage_of(&outlines, 500.0, 75.0, |_, _| true);
        assert_eq!(found, [Coverage::default()]);
        assert_eq!((found[0].share(), found[0].is_unscored()), (None, false));
        let one = coverage_of(&outlines, 100.0, 75.0, |_, _| false);
        assert_eq!((one[0].share(), one[0].is_unscored()), (None, false));
        let few = coverage_of(&outlines, 20.0, 75.0, |_, _| false);
        assert_eq!((few[0].share(), few[0].is_unscored()), (Some(0.0), true));
    }

    proptest! {
        /// Counts point by point, for rectangles too far apart to be merged.
        #[test]
        fn coverage_equals_counting_points_one_by_one(
            sizes in proptest::collection::vec((60.0..400.0_f64, 60.0..400.0_f64), 1..5),
            pitch in 9.0..70.0_f64,
            cut in 0.0..3000.0_f64,
            merge_um in prop_oneof![Just(0.0), Just(75.0)],
        ) {
            let boxes: Vec<_> = sizes.iter().enumerate()
                .map(|(at, &(width, height))| (100.0 + 800.0 * at as f64, 500.0, width, height))
                .collect();
            let outlines: Vec<_> =
                boxes.iter().map(|b| rectangle(b.0, b.1, b.2, b.3, false)).collect();
            let is_scored = |x: f64, y: f64| x + y < cut;
            let found = coverage_of(&outlines, pitch, merge_um, is_scored);
            prop_assert_eq!(found.len(), boxes.len());
            for (counts, (left, top, width, height)) in found.iter().zip(boxes) {
                let mut expected = Coverage::default();
                for row in 0..500 {
                    for col in 0..500 {
                        let (x, y) = (f64::from(col) * pitch, f64::from(row) * pitch);
                        let inside = (left..left + width).contains(&x)
                            && (top..top + height).contains(&y);
                        expected.points += u64::from(inside);
                        expected.scored += u64::from(inside && is_scored(x, y));
                    }
                }
                prop_assert_eq!(*counts, expected);
            }
        }
    }
}
