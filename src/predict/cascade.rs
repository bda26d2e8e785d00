//! Screen, refine, audit.
//!
//! The dense network scores every point. Where its calibrated score of the
//! positive class reaches `predict.refine_above`, or comes closer to 0.5 than its
//! own errors, the point is scored by a single window. Of the points left alone a
//! share, drawn by place, is scored by single windows too: what is positive among
//! them tells how much of the rest can have been missed.
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
    screened: u64,
}

/// The screened score from which points are refined: the configured one, and less
/// where the screen errs by so much that a detection could lie below it.
pub(super) fn refine_from(refine_above: f64, p99: f64) -> f64 {
    refine_above.min(DETECTION - p99).max(0.0)
}

/// Scores `todo`, or as much as there is time for.
pub(super) fn run(
    predictor: &mut Predictor<'_>,
    job: &Job<'_>,
    todo: &[Vec<Numbered>],
) -> Result<(), Stopped> {
    let (ledger, task) = (job.ledger, job.task);
    let keys = &predictor.config.config.predict;
    let (audit_share, refine_above) = (keys.audit_share, keys.refine_above);
    let refine_from = refine_from(refine_above, job.calibrated.residual.p99);
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
            if f64::from(scores[positive]) >= refine_from {
                chosen.refined.insert(number);
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
            };
            points.iter().filter(chosen).copied().collect()
        })
        .collect();
    let outcome = run_windows(predictor, job.source, &exact, ledger, task);
    let scored = |numbers: &HashSet<usize>| -> Vec<f32> {
        numbers.iter().filter_map(|&number| ledger.score(number, positive)).collect()
    };
    let (refined, audited) = (scored(&chosen.refined), scored(&chosen.audited));
    let missed = audited.iter().filter(|&&score| f64::from(score) >= DETECTION).count();
    ledger.note_cascade(CascadeMeta {
        refine_from,
        refined: refined.len() as u64,
        screened: chosen.screened,
        audited: audited.len() as u64,
        missed: missed as u64,
    });
    outcome
}

#[cfg(test)]
mod tests {
    use super::refine_from;

    #[test]
    fn an_unsure_screen_refines_more() {
        assert_eq!(refine_from(0.1, 0.05), 0.1);
        assert!((refine_from(0.1, 0.45) - 0.05).abs() < 1e-12);
        assert_eq!(refine_from(0.1, 0.7), 0.0);
    }
}
