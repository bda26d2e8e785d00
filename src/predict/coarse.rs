//! A cascade whose screen is single windows at points further apart.
//!
//! If the calibration is open, a dense score says nothing about tumor. The screen is then a
//! coarser lattice of exact windows, at most 64 px apart. A lesion that single windows detect
//! is larger than that, since their scores change over about half a window. A point is left
//! alone if all screened points around it, at the corners of its cell and up to a step away,
//! are below `predict.refine_above`; its score is then interpolated between the corners
//! (bilinear). All other points are scored by windows of their own.
//!
//! The choice depends on windows less than a step from a point, or up to a step where the
//! margin is that wide, and these windows lie in the point's own patch. Screened points beyond
//! the block are therefore scored here as well, and neither blocks nor groups change the
//! choice.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use super::batch::Numbered;
use super::cascade_tally::{CascadeTally, How};
use super::classes::DETECTION;
use super::context::Context;
use super::group_work::GroupWork;
use super::scored::Scored;
use super::stream::{Stopped, WantedPoints};
use super::windows::WindowScorer;
use crate::geometry::Lattice;
use crate::geometry::lattice::LatticePoint;
use crate::scores::{CascadeMeta, Screen};

/// Largest distance between neighbouring screened points.
const MOST_STEP_PX: u32 = 64;

/// A place on the lattice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct LatticePlace {
    row: i32,
    col: i32,
}

impl LatticePlace {
    fn at(point: &LatticePoint) -> Self {
        Self { row: point.row, col: point.col }
    }
}

/// The lattice of screened points, in strides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct ScreenLattice {
    /// Distance between neighbours; 1 if all points are screened.
    step: i32,
    /// Largest distance from a point to the screened points that decide about it, wide enough
    /// for the corners of its cell.
    reach: i32,
}

impl ScreenLattice {
    /// The coarsest lattice within [`MOST_STEP_PX`] on which the corners of every cell lie in
    /// the patches' margin.
    fn new(stride_px: u32, margin_px: u32) -> Self {
        let strides = |px: u32| px / stride_px.max(1);
        let step = strides(MOST_STEP_PX).min(strides(margin_px) + 1).max(1);
        let reach = step.min(strides(margin_px));
        let short = |strides: u32| i32::try_from(strides).expect("a step is short");
        Self { step: short(step), reach: short(reach) }
    }

    /// Whether a point is screened.
    fn contains(self, point: &LatticePoint) -> bool {
        point.row % self.step == 0 && point.col % self.step == 0
    }

    /// Screened points within reach of `point`.
    fn around(self, point: &LatticePoint, lattice: &Lattice) -> impl Iterator<Item = LatticePlace> {
        let (rows, cols) = lattice.shape();
        let Self { step, reach } = self;
        let along = move |at: i32, count: usize| {
            let first = (at - step).div_euclid(step) * step;
            let on_lattice = move |other: i32| usize::try_from(other).is_ok_and(|o| o < count);
            (0..=3)
                .map(move |k| first + k * step)
                .filter(move |&other| (at - other).abs() <= reach && on_lattice(other))
        };
        let (row, col) = (point.row, point.col);
        along(row, rows)
            .flat_map(move |row| along(col, cols).map(move |col| LatticePlace { row, col }))
    }
}

/// A cascade of single windows alone, for a group.
pub(super) struct CoarseCascade<'c> {
    pub(super) windows: &'c mut WindowScorer,
    /// Numbers of the points drawn for the audit.
    pub(super) drawn: HashSet<usize>,
    /// The bound that the audit is to hold.
    pub(super) bound: Option<f64>,
}

impl CoarseCascade<'_> {
    /// Scores `todo`; an interrupt ends the work early.
    pub(super) fn score(
        self,
        context: &Context<'_>,
        work: GroupWork<'_>,
        todo: &[Vec<Numbered>],
    ) -> Result<(), Stopped> {
        let Self { windows, drawn, bound } = self;
        let (ledger, lattice) = (work.ledger, &work.group.lattice);
        let grid = ScreenLattice::new(lattice.stride_px(), work.group.tiling.margin_px());
        let positive = context.classes().positive;
        // A screened score of half the threshold or more is never low, whatever is configured.
        let refine_from = context.keys().refine_above.min(DETECTION / 2.0);
        let step_px = lattice.stride_px() * grid.step.unsigned_abs();
        let settings = CascadeMeta {
            screen: Screen::Windows { step_px },
            refine_from,
            bound,
            ..CascadeMeta::default()
        };
        ledger.note_cascade(CascadeTally { settings, drawn: drawn.clone(), positive });
        let mut beyond = ledger.len();
        let coarse: Vec<Vec<Numbered>> =
            todo.iter().map(|points| screen_of(points, grid, lattice, &mut beyond)).collect();
        let known = screen(windows, context, work, &ScreenPoints { todo, grid, coarse: &coarse })?;
        if context.interrupt.requested().is_some() {
            return Ok(());
        }
        let rules = CoarseRules { grid, positive, refine_from, drawn };
        let mut exact = vec![Vec::new(); todo.len()];
        for (patch, points) in todo.iter().enumerate() {
            // Without screened scores the patch is not scored at all.
            let Some(known) = &known[patch] else { continue };
            exact[patch] = rules.settle(points, known, work);
        }
        windows.enter(context, work, &exact)
    }
}

/// Scores of screened points, one per class.
type ScreenedScores = HashMap<LatticePlace, Vec<f32>>;

/// The points that the screen scores for `points` of a patch: those of `points` that are on its
/// lattice, and those around the others. A screened point that is not among `points` gets a
/// number from `beyond` on.
fn screen_of(
    points: &[Numbered],
    grid: ScreenLattice,
    lattice: &Lattice,
    beyond: &mut usize,
) -> Vec<Numbered> {
    let own: HashMap<LatticePlace, usize> =
        points.iter().map(|n| (LatticePlace::at(&n.point), n.number)).collect();
    let mut wanted: BTreeMap<LatticePlace, LatticePoint> = BTreeMap::new();
    for Numbered { point, .. } in points {
        if grid.contains(point) {
            wanted.insert(LatticePlace::at(point), *point);
            continue;
        }
        for place in grid.around(point, lattice) {
            wanted.entry(place).or_insert_with(|| moved(point, place, lattice));
        }
    }
    let numbered = wanted.into_iter().map(|(place, point)| {
        let number = own.get(&place).copied().unwrap_or_else(|| {
            *beyond += 1;
            *beyond - 1
        });
        Numbered { number, point }
    });
    numbered.collect()
}

/// The lattice point `to`, located in the patch of `point`.
fn moved(point: &LatticePoint, to: LatticePlace, lattice: &Lattice) -> LatticePoint {
    let LatticePlace { row, col } = to;
    let stride_px = i64::from(lattice.stride_px());
    let along = |at_px: u32, from: i32, to: i32| {
        let px = i64::from(at_px) + (i64::from(to) - i64::from(from)) * stride_px;
        u32::try_from(px).expect("screened points around a point lie in the margin")
    };
    LatticePoint {
        row,
        col,
        patch_x_px: along(point.patch_x_px, point.col, col),
        patch_y_px: along(point.patch_y_px, point.row, row),
    }
}

/// The points of a group and those of the screen.
struct ScreenPoints<'s> {
    /// Points to score, per patch.
    todo: &'s [Vec<Numbered>],
    grid: ScreenLattice,
    /// Points that the screen scores, per patch.
    coarse: &'s [Vec<Numbered>],
}

/// Scores the screen's points. Returns the scores per patch, `None` for a patch that is not
/// scored.
fn screen(
    windows: &mut WindowScorer,
    context: &Context<'_>,
    work: GroupWork<'_>,
    &ScreenPoints { todo, grid, coarse }: &ScreenPoints<'_>,
) -> Result<Vec<Option<ScreenedScores>>, Stopped> {
    let classes = context.classes().count;
    let own: HashSet<usize> =
        todo.iter().flatten().filter(|n| grid.contains(&n.point)).map(|n| n.number).collect();
    let mut found: HashMap<usize, Vec<f32>> = HashMap::new();
    let mut sink = |scored: &Scored| {
        let each = || scored.numbers.iter().copied().zip(scored.scores.chunks_exact(classes));
        found.extend(each().map(|(number, scores)| (number, scores.to_vec())));
        let (numbers, scores): (Vec<usize>, Vec<&[f32]>) =
            each().filter(|(number, _)| own.contains(number)).unzip();
        work.ledger.note_how(How::Coarse, &numbers);
        work.enter(&Scored { numbers, scores: scores.concat(), ..*scored });
    };
    windows.run(context, WantedPoints { work, points: coarse, given_up: todo }, &mut sink)?;
    let known = coarse.iter().map(|points| {
        let scored = points.iter().map(|numbered| {
            let place = LatticePlace::at(&numbered.point);
            Some((place, found.get(&numbered.number)?.clone()))
        });
        scored.collect::<Option<ScreenedScores>>()
    });
    Ok(known.collect())
}

/// Decides how the points between screened ones get their scores.
struct CoarseRules {
    grid: ScreenLattice,
    positive: usize,
    refine_from: f64,
    /// Numbers of the points drawn for the audit.
    drawn: HashSet<usize>,
}

impl CoarseRules {
    /// Enters the scores of a patch's points that are left alone, and returns the others.
    fn settle(
        &self,
        points: &[Numbered],
        known: &ScreenedScores,
        work: GroupWork<'_>,
    ) -> Vec<Numbered> {
        let (numbers, scores, infer) = (Vec::new(), Vec::new(), Duration::ZERO);
        let mut left = Scored { numbers, scores, infer, shared: false };
        let mut exact = Vec::new();
        for numbered in points.iter().filter(|n| !self.grid.contains(&n.point)) {
            let how = self.how(numbered, known, &work.group.lattice);
            work.ledger.note_how(how, &[numbered.number]);
            if how == How::Screened {
                left.numbers.push(numbered.number);
                left.scores.extend(between(&numbered.point, self.grid.step, known));
            } else {
                exact.push(*numbered);
            }
        }
        work.enter(&left);
        exact
    }

    fn how(&self, numbered: &Numbered, known: &ScreenedScores, lattice: &Lattice) -> How {
        let low = |place: LatticePlace| {
            let scores = known.get(&place);
            scores.is_some_and(|scores| f64::from(scores[self.positive]) < self.refine_from)
        };
        if !self.grid.around(&numbered.point, lattice).all(low) {
            How::Refined
        } else if self.drawn.contains(&numbered.number) {
            How::Audited
        } else {
            How::Screened
        }
    }
}

/// Interpolates the scores at a point between screened ones (bilinear). At the lattice's edge
/// only some of the four corners exist; their weights are scaled to sum to 1.
fn between(point: &LatticePoint, step: i32, known: &ScreenedScores) -> Vec<f32> {
    let corners = |at: i32| {
        let before = at.div_euclid(step) * step;
        let share = f64::from(at - before) / f64::from(step);
        [(before, 1.0 - share), (before + step, share)]
    };
    let (mut sums, mut weights) = (Vec::new(), 0.0);
    for (row, of_row) in corners(point.row) {
        for (col, of_col) in corners(point.col) {
            let weight = of_row * of_col;
            let scores = known.get(&LatticePlace { row, col }).filter(|_| weight > 0.0);
            let Some(scores) = scores else { continue };
            sums.resize(scores.len(), 0.0);
            for (sum, &score) in sums.iter_mut().zip(scores) {
                *sum += weight * f64::from(score);
            }
            weights += weight;
        }
    }
    #[expect(clippy::cast_possible_truncation, reason = "scores are f32")]
    sums.into_iter().map(|sum| (sum / weights) as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(row: i32, col: i32) -> LatticePoint {
        LatticePoint { row, col, patch_x_px: 500, patch_y_px: 500 }
    }

    #[test]
    fn steps_are_multiples_of_the_stride_up_to_64_px_within_the_margin() {
        let step_px_and_reach = |stride, margin| {
            let ScreenLattice { step, reach } = ScreenLattice::new(stride, margin);
            (step * i32::try_from(stride).unwrap(), reach)
        };
        let found = [(16, 200), (20, 200), (24, 200)].map(|(s, m)| step_px_and_reach(s, m));
        assert_eq!(found, [(64, 4), (60, 3), (48, 2)]);
        // The corners of a cell lie in the margin, points a whole step away do not.
        let found = [(16, 63), (32, 63), (16, 40)].map(|(s, m)| step_px_and_reach(s, m));
        assert_eq!(found, [(64, 3), (64, 1), (48, 2)]);
        // All points are screened.
        assert_eq!(
            [(48, 200), (64, 200), (224, 200), (16, 15)].map(|(s, m)| step_px_and_reach(s, m).0),
            [48, 64, 224, 16]
        );
    }

    proptest! {
        #[test]
        fn all_screened_points_within_reach_are_found(
            row in 0i32..50, col in 0i32..50, rows in 51usize..60, step in 1i32..9, less in 0i32..2,
        ) {
            let reach = (step - less).max(0);
            let grid = ScreenLattice { step, reach };
            let lattice = Lattice::new(51, u32::try_from(rows).unwrap(), 1);
            let found: HashSet<LatticePlace> = grid.around(&at(row, col), &lattice).collect();
            let count = grid.around(&at(row, col), &lattice).count();
            let mut expected = HashSet::new();
            for r in (0..60).filter(|r| r % step == 0 && usize::try_from(*r).unwrap() < rows) {
                for c in (0..51).filter(|c| c % step == 0) {
                    if (r - row).abs() <= reach && (c - col).abs() <= reach {
                        expected.insert(LatticePlace { row: r, col: c });
                    }
                }
            }
            prop_assert_eq!(count, found.len());
            prop_assert_eq!(found, expected);
        }

        #[test]
        fn points_left_alone_are_interpolated_between_screened_scores(
            row in 0i32..40, col in 0i32..40, step in 2i32..9,
        ) {
            // A plane of scores is met exactly; beyond the last corner the nearest scores hold.
            let plane = |r: i32, c: i32| 0.001 * (r + 2 * c) as f32;
            let known: ScreenedScores = (0..=40)
                .flat_map(|r| (0..=40).map(move |c| (r, c)))
                .filter(|(r, c)| r % step == 0 && c % step == 0)
                .map(|(row, col)| (LatticePlace { row, col }, vec![1.0 - plane(row, col), plane(row, col)]))
                .collect();
            let found = between(&at(row, col), step, &known);
            let last = 40 / step * step;
            prop_assert!((found[0] + found[1] - 1.0).abs() < 1e-6);
            if row <= last && col <= last {
                prop_assert!((found[1] - plane(row, col)).abs() < 1e-6, "{found:?}");
            } else {
                prop_assert!(found[1] <= plane(last, last) + 1e-6, "{found:?}");
            }
        }
    }

    #[test]
    fn a_point_near_a_screened_score_that_is_not_low_is_refined() {
        let lattice = Lattice::new(41, 41, 1);
        let low = (0..=40).step_by(4).flat_map(|r| (0..=40).step_by(4).map(move |c| (r, c)));
        let mut known: ScreenedScores =
            low.map(|(row, col)| (LatticePlace { row, col }, vec![0.09])).collect();
        known.insert(LatticePlace { row: 20, col: 20 }, vec![0.1]);
        let rules = CoarseRules {
            grid: ScreenLattice { step: 4, reach: 4 },
            positive: 0,
            refine_from: 0.1,
            drawn: HashSet::from([7]),
        };
        let how = |row, col, number| {
            rules.how(&Numbered { number, point: at(row, col) }, &known, &lattice)
        };
        for (row, col) in [(19, 19), (16, 17), (24, 21), (21, 24), (23, 16)] {
            assert_eq!(how(row, col, 0), How::Refined, "{row} {col}");
        }
        for (row, col) in [(15, 20), (25, 20), (20, 25), (20, 15), (15, 15), (40, 39)] {
            assert_eq!(how(row, col, 0), How::Screened, "{row} {col}");
            assert_eq!(how(row, col, 7), How::Audited, "{row} {col}");
        }
    }

    #[test]
    fn screened_points_beyond_the_block_are_listed_once_and_the_group_s_own_keep_their_number() {
        let lattice = Lattice::new(640, 640, 16);
        let points: Vec<Numbered> = (8..12)
            .flat_map(|row| (8..12).map(move |col| (row, col)))
            .enumerate()
            .map(|(number, (row, col))| {
                let px = |at: i32| u32::try_from(64 + (at - 8) * 16).unwrap();
                let point = LatticePoint { row, col, patch_x_px: px(col), patch_y_px: px(row) };
                Numbered { number, point }
            })
            .collect();
        let mut beyond = 100;
        let screen = screen_of(&points, ScreenLattice { step: 4, reach: 4 }, &lattice, &mut beyond);
        // Rows and columns 4, 8, 12: (4, 4) is within a step of (8, 8) alone, which is screened
        // itself.
        let places: Vec<(i32, i32)> = screen.iter().map(|n| (n.point.row, n.point.col)).collect();
        assert_eq!(places, [(4, 8), (4, 12), (8, 4), (8, 8), (8, 12), (12, 4), (12, 8), (12, 12)]);
        let numbers: Vec<usize> = screen.iter().map(|n| n.number).collect();
        assert_eq!(numbers, [100, 101, 102, 0, 103, 104, 105, 106]);
        assert_eq!(beyond, 107);
        let corner = screen[0].point;
        assert_eq!((corner.patch_x_px, corner.patch_y_px), (64, 0));
    }
}
