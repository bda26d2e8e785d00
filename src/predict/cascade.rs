//! Screen, refine, audit.
//!
//! The dense network scores every point. Where its calibrated score of the
//! positive class reaches `predict.refine_above`, or comes closer to 0.5 than its
//! own errors, the point is scored by a single window; unless, asked for by
//! `predict.refine_below`, it is as surely above 0.5. Of the points left alone some,
//! drawn by place, are scored by single windows too: what is positive among
//! the low ones tells how much of the rest can have been missed, what is not among
//! the high ones how much was claimed wrongly.
//!
//! Where the sample does not fix the calibration, single windows at points further
//! apart are the screen ([`coarse`]).
//!
//! Whether a point is refined or audited depends on screened scores around it and
//! places alone, so that neither blocks nor groups change the heatmap.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::Predictor;
use super::audit::Audit;
use super::batch::Numbered;
use super::cascade_tally::{CascadeTally, How};
use super::coarse;
use super::dense::{self, Job};
use super::windows::{Stopped, Windows, run_windows};
use crate::scores::{CascadeMeta, Screen};

/// A score of the positive class from here on is a detection.
pub(super) const DETECTION: f64 = 0.5;

/// The screened score from which points are refined: the configured one, and less
/// where the screen errs by so much that a detection could lie below it, or has given
/// one, of windows it was not fitted to, less than twice as much.
pub(super) fn refine_from(refine_above: f64, p99: f64, lowest_detection: Option<f64>) -> f64 {
    let lowest = lowest_detection.unwrap_or(1.0) / 2.0;
    refine_above.min(DETECTION - p99).min(lowest).max(0.0)
}

/// The screened score from which points are left alone again, if asked for: the
/// configured one, and more where a point that is no detection could lie above it.
pub(super) fn refine_to(refine_below: f64, p99: f64) -> Option<f64> {
    (refine_below < 1.0).then(|| refine_below.max(DETECTION + p99))
}

/// Scores `todo`, or as much as there is time for.
pub(super) fn run(
    predictor: &mut Predictor<'_>,
    job: &Job<'_>,
    todo: &[Vec<Numbered>],
    audit: &Audit,
) -> Result<(), Stopped> {
    let numbered = todo.iter().flatten();
    let drawn: HashSet<usize> =
        numbered.filter(|n| audit.draws(&n.point)).map(|n| n.number).collect();
    if job.calibrated.open().is_some() {
        return coarse::run(predictor, job, todo, (drawn, audit.bound()));
    }
    let keys = &predictor.config.config.predict;
    let p99 = job.calibrated.residual.p99;
    let rules = Rules {
        from: refine_from(keys.refine_above, p99, job.calibrated.lowest_detection),
        to: refine_to(keys.refine_below, p99),
        drawn: drawn.clone(),
    };
    let settings = CascadeMeta {
        screen: Screen::Dense,
        refine_from: rules.from,
        refine_to: rules.to,
        bound: audit.bound(),
        ..CascadeMeta::default()
    };
    let positive = predictor.model.card.positive_index();
    job.ledger.note_cascade(CascadeTally { settings, drawn, positive });
    let exact = screened(predictor, job, todo, &rules)?;
    let points: Vec<Vec<Numbered>> = todo
        .iter()
        .map(|points| points.iter().filter(|n| exact.contains(&n.number)).copied().collect())
        .collect();
    let Job { source, ledger, task, .. } = *job;
    run_windows(predictor, Windows { source, points: &points, ledger, task })
}

/// What becomes of screened points.
struct Rules {
    from: f64,
    to: Option<f64>,
    /// Numbers of the points drawn for the audit.
    drawn: HashSet<usize>,
}

impl Rules {
    fn how(&self, number: usize, score: f64) -> How {
        let sure = self.to.is_some_and(|from| score >= from);
        match (score >= self.from, self.drawn.contains(&number)) {
            (true, _) if !sure => How::Refined,
            (_, true) if sure => How::AuditedHigh,
            (_, true) => How::Audited,
            (_, false) => How::Screened,
        }
    }
}

/// Screens `todo` by dense scores, enters what is left alone, and returns the numbers
/// of the points to score exactly.
fn screened(
    predictor: &mut Predictor<'_>,
    job: &Job<'_>,
    todo: &[Vec<Numbered>],
    rules: &Rules,
) -> Result<HashSet<usize>, Stopped> {
    let (ledger, task) = (job.ledger, job.task);
    let (classes, positive) =
        (predictor.model.card.classes.len(), predictor.model.card.positive_index());
    let exact = Mutex::new(HashSet::new());
    let sink = |numbers: &[usize], scores: &[f32], infer: Duration| {
        let mut left = Vec::with_capacity(numbers.len());
        let mut left_scores = Vec::with_capacity(scores.len());
        for (&number, scores) in numbers.iter().zip(scores.chunks_exact(classes)) {
            let how = rules.how(number, f64::from(scores[positive]));
            ledger.note_how(how, &[number]);
            if how == How::Screened {
                left.push(number);
                left_scores.extend_from_slice(scores);
            } else {
                exact.lock().unwrap_or_else(PoisonError::into_inner).insert(number);
            }
        }
        ledger.enter(left.iter().copied(), &left_scores, infer);
        task.advance(left.len());
    };
    let read = dense::run(predictor, job, todo, &sink)?;
    ledger.note_read(read);
    Ok(exact.into_inner().unwrap_or_else(PoisonError::into_inner))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unsure_screen_refines_more() {
        assert_eq!(refine_from(0.1, 0.05, None), 0.1);
        assert!((refine_from(0.1, 0.45, None) - 0.05).abs() < 1e-12);
        assert_eq!(refine_from(0.1, 0.7, None), 0.0);
        // A detection that it was not fitted to was screened at 0.04.
        assert_eq!(refine_from(0.1, 0.05, Some(0.04)), 0.02);
        assert_eq!(refine_from(0.1, 0.05, Some(0.6)), 0.1);
    }

    #[test]
    fn what_is_sure_is_left_alone_on_request() {
        assert_eq!(refine_to(1.0, 0.05), None);
        assert_eq!(refine_to(0.9, 0.05), Some(0.9));
        assert_eq!(refine_to(0.6, 0.25), Some(0.75));
    }

    #[test]
    fn a_point_is_left_alone_refined_or_audited() {
        let rules = Rules { from: 0.1, to: Some(0.9), drawn: HashSet::from([1]) };
        let how = |number, score| rules.how(number, score);
        assert_eq!(
            (how(0, 0.05), how(0, 0.1), how(0, 0.95)),
            (How::Screened, How::Refined, How::Screened)
        );
        assert_eq!(
            (how(1, 0.05), how(1, 0.1), how(1, 0.95)),
            (How::Audited, How::Refined, How::AuditedHigh)
        );
        let all = Rules { from: 0.1, to: None, drawn: HashSet::new() };
        assert_eq!(all.how(0, 1.0), How::Refined);
    }
}
