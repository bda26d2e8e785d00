//! Counts how a cascade scores the points of a group. Pure.

use std::collections::HashSet;

use ndarray::ArrayView2;

use super::classes::DETECTION;
use crate::scores::{CascadeMeta, ScoredBy};

/// The settings of a cascade, and what its counts are made from.
pub(super) struct CascadeTally {
    /// The cascade's settings, its counts 0.
    pub(super) settings: CascadeMeta,
    /// Numbers of the windows drawn for the audit, from all windows of the group.
    pub(super) drawn: HashSet<usize>,
    /// The positive class.
    pub(super) positive: usize,
}

impl CascadeTally {
    /// Counts the windows that are `done` by how each got its score.
    ///
    /// `how`: one entry per window of the group; `scores`: `[window, class]`.
    pub(super) fn counts(
        &self,
        how: &[Option<ScoredBy>],
        done: &[bool],
        scores: ArrayView2<'_, f32>,
    ) -> CascadeMeta {
        let mut counts = self.settings;
        let scored = how.iter().enumerate().filter(|(number, _)| done[*number]);
        for (number, how) in scored.filter_map(|(number, how)| Some((number, (*how)?))) {
            let positive = f64::from(scores[[number, self.positive]]) >= DETECTION;
            counts.drawn += u64::from(self.drawn.contains(&number));
            match how {
                ScoredBy::Screened => counts.screened += 1,
                ScoredBy::Refined => counts.refined += 1,
                ScoredBy::Coarse => counts.coarse += 1,
                ScoredBy::Audited => {
                    counts.audited += 1;
                    counts.missed += u64::from(positive);
                }
                ScoredBy::AuditedHigh => {
                    counts.audited_high += 1;
                    counts.refuted += u64::from(!positive);
                }
            }
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn finished_windows_are_counted_by_how_they_were_scored() {
        let tally = CascadeTally {
            settings: CascadeMeta { refine_from: 0.1, ..CascadeMeta::default() },
            drawn: HashSet::from([1, 3, 4, 6]),
            positive: 1,
        };
        let how = [
            Some(ScoredBy::Screened),
            Some(ScoredBy::Refined),
            Some(ScoredBy::Refined),
            Some(ScoredBy::Audited),
            Some(ScoredBy::Audited),
            Some(ScoredBy::AuditedHigh),
            // The task ended before this one, and did not come to the last.
            Some(ScoredBy::Coarse),
            None,
        ];
        let done = [true, true, true, true, true, true, false, false];
        let positive = [0.0, 0.9, 0.2, 0.5, 0.4, 0.3, 0.0, 0.9];
        let mut scores = array![[0.0_f32, 0.0]].broadcast((8, 2)).unwrap().to_owned();
        scores.column_mut(1).assign(&ndarray::Array1::from(positive.to_vec()));
        let counts = tally.counts(&how, &done, scores.view());
        assert_eq!((counts.screened, counts.refined, counts.coarse), (1, 2, 0));
        assert_eq!((counts.audited, counts.missed, counts.drawn), (2, 1, 3));
        assert_eq!((counts.audited_high, counts.refuted, counts.refine_from), (1, 1, 0.1));
        assert_eq!(counts.points(), 6);
    }
}
