//! Scores a group by a cascade: screen, refine, audit.
//!
//! The dense network screens every point. A point is refined, that is scored by a single
//! window, if its calibrated score of the positive class reaches `predict.refine_above` or
//! comes closer to 0.5 than the screen's own errors. With `predict.refine_below`, points that
//! are surely above 0.5 are not refined. Some of the points left alone, drawn by place, are
//! audited by single windows too: positives among the low ones bound how many points the screen
//! missed, and negatives among the high ones bound how many it claimed wrongly.
//!
//! If the sample does not determine the calibration, single windows at points further apart are
//! the screen (`coarse`).
//!
//! Whether a point is refined or audited depends on its place and the screened scores around
//! that place alone, so neither blocks nor groups change the heatmap.

use std::collections::HashSet;
use std::sync::Arc;

use super::audit::Audit;
use super::batch::NumberedPoint;
use super::calibrate::Calibrated;
use super::cascade_tally::CascadeTally;
use super::classes::DETECTION;
use super::coarse::CoarseCascade;
use super::context::Context;
use super::dense::DenseScorer;
use super::error::PredictError;
use super::group_work::GroupWork;
use super::loaded_dense::LoadedDense;
use super::precision_sample::PrecisionSample;
use super::scored::Scored;
use super::scorer::Scorer;
use super::stream::Stopped;
use super::windows::WindowScorer;
use crate::scores::{CascadeMeta, DenseMeta, ScoredBy, Screen};

/// Scores one slide by a screen and, where a detection is possible, by single windows.
pub(super) struct CascadeScorer<'c> {
    pub(super) windows: &'c mut WindowScorer,
    pub(super) dense: &'c mut LoadedDense,
    pub(super) calibrated: Arc<Calibrated>,
    pub(super) audit: Arc<Audit>,
}

impl CascadeScorer<'_> {
    /// The dense network as the screen.
    fn dense(&mut self) -> DenseScorer<'_> {
        DenseScorer { dense: self.dense, calibrated: Arc::clone(&self.calibrated) }
    }

    /// The rules by which the screen's scores are judged.
    fn rules(&self, context: &Context<'_>, drawn: HashSet<usize>) -> CascadeRules {
        let (keys, p99) = (context.keys(), self.calibrated.screen_p99());
        CascadeRules {
            from: refine_from(keys.refine_above, p99, self.calibrated.lowest_detection),
            to: refine_to(keys.refine_below, p99),
            drawn,
        }
    }

    /// Screens `todo` by dense scores, enters the scores of points that are left alone, and
    /// returns the points to score exactly.
    fn screen(
        &mut self,
        context: &Context<'_>,
        work: GroupWork<'_>,
        todo: &[Vec<NumberedPoint>],
        rules: &CascadeRules,
    ) -> Result<Vec<Vec<NumberedPoint>>, Stopped> {
        let classes = context.classes();
        let mut exact = HashSet::new();
        let mut sink = |scored: &Scored| {
            let mut left = Scored {
                numbers: Vec::with_capacity(scored.numbers.len()),
                scores: Vec::with_capacity(scored.scores.len()),
                ..*scored
            };
            let scores = scored.scores.chunks_exact(classes.count);
            for (&number, scores) in scored.numbers.iter().zip(scores) {
                let how = rules.how(number, f64::from(scores[classes.positive]));
                work.ledger.note_how(how, &[number]);
                if how == ScoredBy::Screened {
                    left.numbers.push(number);
                    left.scores.extend_from_slice(scores);
                } else {
                    exact.insert(number);
                }
            }
            work.enter(&left);
        };
        self.dense().run(context, work, todo, &mut sink)?;
        let exact = |points: &Vec<NumberedPoint>| {
            points.iter().filter(|n| exact.contains(&n.number)).copied().collect()
        };
        Ok(todo.iter().map(exact).collect())
    }
}

impl Scorer for CascadeScorer<'_> {
    fn dense_meta(&self, context: &Context<'_>) -> Option<DenseMeta> {
        Some(self.calibrated.meta(context, self.dense))
    }

    fn batch(&self) -> Option<usize> {
        self.windows.batch()
    }

    fn deviations(
        &mut self,
        context: &Context<'_>,
        sample: &PrecisionSample<'_>,
    ) -> Result<Vec<f64>, PredictError> {
        let mut all = self.windows.deviations(context, sample)?;
        // With an open calibration the dense network decides no scores.
        if self.calibrated.open().is_none() {
            all.extend(self.dense().deviations(context, sample)?);
        }
        Ok(all)
    }

    fn score(
        &mut self,
        context: &Context<'_>,
        work: GroupWork<'_>,
        todo: &[Vec<NumberedPoint>],
    ) -> Result<(), Stopped> {
        // Of the windows that an earlier try scored as well, so that its audit counts.
        let points = work.group.points.iter().flatten().enumerate();
        let drawn: HashSet<usize> =
            points.filter(|(_, point)| self.audit.draws(point)).map(|(number, _)| number).collect();
        let bound = self.audit.bound();
        if self.calibrated.open().is_some() {
            let coarse = CoarseCascade { windows: self.windows, drawn, bound };
            return coarse.score(context, work, todo);
        }
        let rules = self.rules(context, drawn.clone());
        let settings = CascadeMeta {
            screen: Screen::Dense,
            refine_from: rules.from,
            refine_to: rules.to,
            bound,
            ..CascadeMeta::default()
        };
        let positive = context.classes().positive;
        work.ledger.note_cascade(CascadeTally { settings, drawn, positive });
        let exact = self.screen(context, work, todo, &rules)?;
        self.windows.enter(context, work, &exact)
    }
}

/// The screened score from which points are refined, at least 0: the least of the configured
/// score, of 0.5 minus the 99 % quantile of the screen's error, and of half the lowest screened
/// score of a detection that the calibration was not fitted to.
pub(super) fn refine_from(refine_above: f64, p99: f64, lowest_detection: Option<f64>) -> f64 {
    let lowest = lowest_detection.unwrap_or(1.0) / 2.0;
    refine_above.min(DETECTION - p99).min(lowest).max(0.0)
}

/// The screened score from which points are left alone as sure detections: the larger of the
/// configured score and of 0.5 plus the 99 % quantile of the screen's error. `None` unless
/// configured.
pub(super) fn refine_to(refine_below: f64, p99: f64) -> Option<f64> {
    (refine_below < 1.0).then(|| refine_below.max(DETECTION + p99))
}

/// Decides how screened points get their scores.
struct CascadeRules {
    from: f64,
    to: Option<f64>,
    /// Numbers of the points drawn for the audit.
    drawn: HashSet<usize>,
}

impl CascadeRules {
    fn how(&self, number: usize, score: f64) -> ScoredBy {
        let sure = self.to.is_some_and(|from| score >= from);
        match (score >= self.from, self.drawn.contains(&number)) {
            (true, _) if !sure => ScoredBy::Refined,
            (_, true) if sure => ScoredBy::AuditedHigh,
            (_, true) => ScoredBy::Audited,
            (_, false) => ScoredBy::Screened,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unsure_screen_refines_more() {
        assert_eq!(refine_from(0.1, 0.05, None), 0.1);
        assert!((refine_from(0.1, 0.45, None) - 0.05).abs() < 1e-12);
        assert_eq!(refine_from(0.1, 0.7, None), 0.0);
        // A detection that the calibration was not fitted to was screened at 0.04.
        assert_eq!(refine_from(0.1, 0.05, Some(0.04)), 0.02);
        assert_eq!(refine_from(0.1, 0.05, Some(0.6)), 0.1);
    }

    #[test]
    fn sure_detections_are_left_alone_on_request() {
        assert_eq!(refine_to(1.0, 0.05), None);
        assert_eq!(refine_to(0.9, 0.05), Some(0.9));
        assert_eq!(refine_to(0.6, 0.25), Some(0.75));
    }

    #[test]
    fn a_point_is_left_alone_refined_or_audited() {
        let rules = CascadeRules { from: 0.1, to: Some(0.9), drawn: HashSet::from([1]) };
        let how = |number, score| rules.how(number, score);
        assert_eq!(
            (how(0, 0.05), how(0, 0.1), how(0, 0.95)),
            (ScoredBy::Screened, ScoredBy::Refined, ScoredBy::Screened)
        );
        assert_eq!(
            (how(1, 0.05), how(1, 0.1), how(1, 0.95)),
            (ScoredBy::Audited, ScoredBy::Refined, ScoredBy::AuditedHigh)
        );
        let all = CascadeRules { from: 0.1, to: None, drawn: HashSet::new() };
        assert_eq!(all.how(0, 1.0), ScoredBy::Refined);
    }
}
