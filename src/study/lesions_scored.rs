//! How much of each lesion was scored, and whether it was hit.

use serde::Serialize;

use super::outcome::SlideOutcome;
use crate::metrics::coverage::{Coverage, WELL_SCORED};
use crate::metrics::lesions::Lesion;

/// The result of one setting for one lesion.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct LesionCoverage {
    /// Name of the slide.
    pub slide: String,
    /// Number of the lesion on the slide, from 1.
    pub lesion: usize,
    /// x of the lesion's centre of gravity, level-0 px.
    pub x: f64,
    /// y of the lesion's centre of gravity, level-0 px.
    pub y: f64,
    /// Longer axis of the lesion after growing by half of `merge_um`, um.
    pub major_axis_um: f64,
    /// Whether the lesion is isolated tumor cells, which count neither as hit nor as missed.
    pub is_itc: bool,
    /// Number of lattice points inside the lesion's outline.
    pub points: u64,
    /// Number of those points that have a score.
    pub scored: u64,
    /// `scored` / `points`, 0 to 1; absent if no point lies inside.
    pub share: Option<f64>,
    /// Best score of a detection that hit the lesion; absent if none did.
    pub score: Option<f64>,
    /// Why the lesion could not be hit; absent if it could.
    pub reason: Option<&'static str>,
}

/// Reason of a lesion that contains no point of the lattice.
const NO_POINT: &str = "no point of the lattice lies inside";

/// One row for each lesion of a slide, in the order of the lesions' numbers.
pub(super) fn slide_lesions(slide: &SlideOutcome) -> Vec<LesionCoverage> {
    let table_row = |number: usize, lesion: &Lesion, coverage: &Coverage, best: f64| {
        let score = (best > 0.0).then_some(best);
        let reason = match (coverage.points, coverage.scored) {
            (0, _) if score.is_none() => Some(NO_POINT),
            (1.., 0) => Some(slide.unscored.explanation()),
            _ => None,
        };
        LesionCoverage {
            slide: slide.name.clone(),
            lesion: number,
            x: lesion.centre[0].round(),
            y: lesion.centre[1].round(),
            major_axis_um: (lesion.major_axis_um * 10.0).round() / 10.0,
            is_itc: lesion.is_itc,
            points: coverage.points,
            scored: coverage.scored,
            share: coverage.share(),
            score,
            reason,
        }
    };
    let lesions = slide.lesions.iter().zip(&slide.coverage).zip(&slide.hits.lesions);
    lesions
        .zip(1..)
        .map(|(((lesion, coverage), &best), number)| table_row(number, lesion, coverage, best))
        .collect()
}

impl LesionCoverage {
    /// Whether the lesion is one to find and too little of it was scored.
    pub(super) fn is_poorly_scored(&self) -> bool {
        !self.is_itc && self.share.is_some_and(|share| share < WELL_SCORED)
    }

    /// `itc`, `hit` or `missed`.
    pub(super) fn outcome(&self) -> &'static str {
        match (self.is_itc, self.score) {
            (true, _) => "itc",
            (false, Some(_)) => "hit",
            (false, None) => "missed",
        }
    }
}
