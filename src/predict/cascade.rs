//! Screen, refine, audit.
//!
//! The dense network scores every point. Where its calibrated score of the
//! positive class reaches `predict.refine_above`, or comes closer to 0.5 than its
//! own errors, the point is scored by a single window; unless, asked for by
//! `predict.refine_below`, it is as surely above 0.5. Of the points left alone a
//! share, drawn by place, is scored by single windows too: what is positive among
//! the low ones tells how much of the rest can have been missed, what is not among
//! the high ones how much was claimed wrongly.
//!
//! Whether a point is refined or audited depends on its own screened score and
//! place alone, so that neither blocks nor groups change the heatmap.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::Predictor;
use super::batch::Numbered;
use super::dense::{self, Job};
use super::draw::{End, drawn};
use super::windows::{Stopped, run_windows};
use crate::scores::CascadeMeta;

/// A score of the positive class from here on is a detection.
const DETECTION: f64 = 0.5;

/// What becomes of a screened point.
#[derive(Debug, Default)]
struct Chosen {
    refined: HashSet<usize>,
    audited: HashSet<usize>,
    audited_high: HashSet<usize>,
    screened: u64,
}

/// The screened score from which points are refined: the configured one, and less
/// where the screen errs by so much that a detection could lie below it.
pub(super) fn refine_from(refine_above: f64, p99: f64) -> f64 {
    refine_above.min(DETECTION - p99).max(0.0)
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
) -> Result<(), Stopped> {
    let (ledger, task) = (job.ledger, job.task);
    let keys = &predictor.config.config.predict;
    let (audit_share, p99) = (keys.audit_share, job.calibrated.residual.p99);
    let refine_from = refine_from(keys.refine_above, p99);
    let refine_to = refine_to(keys.refine_below, p99);
    let (classes, positive) =
        (predictor.model.card.classes.len(), predictor.model.card.positive_index());
    let audits: HashSet<usize> = todo
        .iter()
        .flatten()
        .filter(|numbered| {
            let (row, col) = (i64::from(numbered.point.row), i64::from(numbered.point.col));
            drawn(End::Audit, row, col, audit_share)
        })
        .map(|numbered| numbered.number)
        .collect();
    let chosen = Mutex::new(Chosen::default());
    let sink = |numbers: &[usize], scores: &[f32], infer: Duration| {
        let mut left = Vec::with_capacity(numbers.len());
        let mut left_scores = Vec::with_capacity(scores.len());
        let mut chosen = chosen.lock().unwrap_or_else(PoisonError::into_inner);
        for (&number, scores) in numbers.iter().zip(scores.chunks_exact(classes)) {
            let score = f64::from(scores[positive]);
            let sure = refine_to.is_some_and(|from| score >= from);
            if score >= refine_from && !sure {
                chosen.refined.insert(number);
            } else if sure && audits.contains(&number) {
                chosen.audited_high.insert(number);
            } else if audits.contains(&number) {
                chosen.audited.insert(number);
            } else {
                left.push(number);
                left_scores.extend_from_slice(scores);
            }
        }
        chosen.screened += left.len() as u64;
        drop(chosen);
        ledger.enter(left.iter().copied(), &left_scores, infer);
        task.advance(left.len());
    };
    let read = dense::run(predictor, job, todo, &sink)?;
    ledger.note_read(read);
    let chosen = chosen.into_inner().unwrap_or_else(PoisonError::into_inner);
    let exact: Vec<Vec<Numbered>> = todo
        .iter()
        .map(|points| {
            let chosen = |numbered: &&Numbered| {
                chosen.refined.contains(&numbered.number)
                    || chosen.audited.contains(&numbered.number)
                    || chosen.audited_high.contains(&numbered.number)
            };
            points.iter().filter(chosen).copied().collect()
        })
        .collect();
    let outcome = run_windows(predictor, job.source, &exact, ledger, task);
    let scored = |numbers: &HashSet<usize>| -> Vec<f32> {
        numbers.iter().filter_map(|&number| ledger.score(number, positive)).collect()
    };
    let (refined, audited) = (scored(&chosen.refined), scored(&chosen.audited));
    let audited_high = scored(&chosen.audited_high);
    let positive = |scores: &[f32]| {
        scores.iter().filter(|&&score| f64::from(score) >= DETECTION).count() as u64
    };
    ledger.note_cascade(CascadeMeta {
        refine_from,
        refine_to,
        refined: refined.len() as u64,
        screened: chosen.screened,
        audited: audited.len() as u64,
        missed: positive(&audited),
        audited_high: audited_high.len() as u64,
        refuted: audited_high.len() as u64 - positive(&audited_high),
    });
    outcome
}

#[cfg(test)]
mod tests {
    use super::{refine_from, refine_to};

    #[test]
    fn an_unsure_screen_refines_more() {
        assert_eq!(refine_from(0.1, 0.05), 0.1);
        assert!((refine_from(0.1, 0.45) - 0.05).abs() < 1e-12);
        assert_eq!(refine_from(0.1, 0.7), 0.0);
    }

    #[test]
    fn what_is_sure_is_left_alone_on_request() {
        assert_eq!(refine_to(1.0, 0.05), None);
        assert_eq!(refine_to(0.9, 0.05), Some(0.9));
        assert_eq!(refine_to(0.6, 0.25), Some(0.75));
    }
}
