//! How much of each lesion was scored, and whether it was hit.

use serde::Serialize;

use super::outcome::SlideOutcome;
use crate::metrics::coverage::{Coverage, WELL_SCORED};
use crate::metrics::lesions::Lesion;

/// What a setting makes of one lesion.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LesionScored {
    /// The slide.
    pub slide: String,
    /// Its number on the slide, from 1.
    pub lesion: usize,
    /// Its centre of gravity, level-0 px.
    pub x: f64,
    /// Its centre of gravity, level-0 px.
    pub y: f64,
    /// Longer axis, um, grown by half of `merge_um`.
    pub major_axis_um: f64,
    /// Isolated tumour cells: counts neither way.
    pub is_itc: bool,
    /// Lattice points inside its outline.
    pub points: u64,
    /// Of these scored.
    pub scored: u64,
    /// Their share; absent where no point lies inside.
    pub share: Option<f64>,
    /// Best score of a detection that hit it; absent where none did.
    pub score: Option<f64>,
    /// Why it could not be hit, where that is so.
    pub reason: Option<&'static str>,
}

/// A lesion without a point of the lattice inside.
const NO_POINT: &str = "no point of the lattice lies inside";

/// The lesions of one slide.
pub(super) fn of_slide(slide: &SlideOutcome) -> Vec<LesionScored> {
    let table_row = |number: usize, lesion: &Lesion, of: &Coverage, best: f64| {
        let score = (best > 0.0).then_some(best);
        let reason = match (of.points, of.scored) {
            (0, _) if score.is_none() => Some(NO_POINT),
            (1.., 0) => Some(slide.unscored.explanation()),
            _ => None,
        };
        LesionScored {
            slide: slide.name.clone(),
            lesion: number,
            x: lesion.centre[0].round(),
            y: lesion.centre[1].round(),
            major_axis_um: (lesion.major_axis_um * 10.0).round() / 10.0,
            is_itc: lesion.is_itc,
            points: of.points,
            scored: of.scored,
            share: of.share(),
            score,
            reason,
        }
    };
    let lesions = slide.lesions.iter().zip(&slide.coverage).zip(&slide.hits.lesions);
    lesions.zip(1..).map(|(((lesion, of), &best), at)| table_row(at, lesion, of, best)).collect()
}

impl LesionScored {
    /// Whether it counts and too little of it was scored.
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
