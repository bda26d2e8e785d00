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

use super::batch::NumberedPoint;
use super::cascade_tally::CascadeTally;
use super::classes::DETECTION;
use super::context::Context;
use super::group_work::GroupWork;
use super::scored::Scored;
use super::stream::{Stopped, WantedPoints};
use super::windows::WindowScorer;
use crate::geometry::Lattice;
use crate::geometry::lattice::LatticePoint;
use crate::scores::{CascadeMeta, ScoredBy, Screen};

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
        todo: &[Vec<NumberedPoint>],
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
        let coarse: Vec<Vec<NumberedPoint>> =
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
    points: &[NumberedPoint],
    grid: ScreenLattice,
    lattice: &Lattice,
    beyond: &mut usize,
) -> Vec<NumberedPoint> {
    let own: HashMap<LatticePlace, usize> =
        points.iter().map(|n| (LatticePlace::at(&n.point), n.number)).collect();
    let mut wanted: BTreeMap<LatticePlace, LatticePoint> = BTreeMap::new();
    for NumberedPoint { point, .. } in points {
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
        NumberedPoint { number, point }
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
    todo: &'s [Vec<NumberedPoint>],
    grid: ScreenLattice,
    /// Points that the screen scores, per patch.
    coarse: &'s [Vec<NumberedPoint>],
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
        work.ledger.note_how(ScoredBy::Coarse, &numbers);
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
        points: &[NumberedPoint],
        known: &ScreenedScores,
        work: GroupWork<'_>,
    ) -> Vec<NumberedPoint> {
        let (numbers, scores, infer) = (Vec::new(), Vec::new(), Duration::ZERO);
        let mut left = Scored { numbers, scores, infer, computed_px: 0, shared: false };
        let mut exact = Vec::new();
        for numbered in points.iter().filter(|n| !self.grid.contains(&n.point)) {
            let how = self.how(numbered, known, &work.group.lattice);
            work.ledger.note_how(how, &[numbered.number]);
            if how == ScoredBy::Screened {
                left.numbers.push(numbered.number);
                left.scores.extend(between(&numbered.point, self.grid.step, known));
            } else {
                exact.push(*numbered);
            }
        }
        work.enter(&left);
        exact
    }

    fn how(&self, numbered: &NumberedPoint, known: &ScreenedScores, lattice: &Lattice) -> ScoredBy {
        let low = |place: LatticePlace| {
            let scores = known.get(&place);
            scores.is_some_and(|scores| f64::from(scores[self.positive]) < self.refine_from)
        };
        if !self.grid.around(&numbered.point, lattice).all(low) {
            ScoredBy::Refined
        } else if self.drawn.contains(&numbered.number) {
            ScoredBy::Audited
        } else {
            ScoredBy::Screened
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
#[path = "coarse_tests.rs"]
mod tests;
