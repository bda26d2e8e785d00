//! Counts how a cascade scores the points of a group. Pure.

use std::collections::HashSet;

use ndarray::ArrayView2;

use super::classes::DETECTION;
use crate::scores::CascadeMeta;

/// How a point of a cascade gets its score.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    /// The point is left alone and keeps the screen's score.
    Screened,
    /// By a single window, since the screen does not rule out a detection.
    Refined,
    /// By a single window, to see whether the screen missed something.
    Audited,
    /// By a single window, to see whether the screen claimed too much.
    AuditedHigh,
    /// By a single window, which was the screen.
    Coarse,
}

/// The settings of a cascade, and what its counts are made from.
pub(super) struct CascadeTally {
    /// The cascade's settings, its counts 0.
    pub(super) settings: CascadeMeta,
    /// Numbers of the windows drawn for the audit.
    pub(super) drawn: HashSet<usize>,
    /// The positive class.
    pub(super) positive: usize,
}

/// How a cascade scored the windows of a group in one try.
pub(super) struct Tallied {
    tally: CascadeTally,
    /// How each window of the group was scored.
    how: Vec<Option<How>>,
}

impl Tallied {
    /// An empty tally for a group of `windows` windows.
    pub(super) fn new(tally: CascadeTally, windows: usize) -> Self {
        Self { tally, how: vec![None; windows] }
    }

    pub(super) fn note(&mut self, how: How, numbers: &[usize]) {
        for &number in numbers {
            self.how[number] = Some(how);
        }
    }

    /// Counts the windows that are `done`; `scores`: `[window, class]`.
    pub(super) fn counts(&self, done: &[bool], scores: ArrayView2<'_, f32>) -> CascadeMeta {
        let mut counts = self.tally.settings;
        let noted = self.how.iter().enumerate().filter(|(number, _)| done[*number]);
        for (number, how) in noted.filter_map(|(number, how)| Some((number, (*how)?))) {
            let positive = f64::from(scores[[number, self.tally.positive]]) >= DETECTION;
            counts.drawn += u64::from(self.tally.drawn.contains(&number));
            match how {
                How::Screened => counts.screened += 1,
                How::Refined => counts.refined += 1,
                How::Coarse => counts.coarse += 1,
                How::Audited => {
                    counts.audited += 1;
                    counts.missed += u64::from(positive);
                }
                How::AuditedHigh => {
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
        let mut tallied = Tallied::new(tally, 8);
        tallied.note(How::Screened, &[0]);
        tallied.note(How::Refined, &[1, 2]);
        tallied.note(How::Audited, &[3, 4]);
        tallied.note(How::AuditedHigh, &[5]);
        // The task ended before this one; an earlier try scored the last.
        tallied.note(How::Coarse, &[6]);
        let done = [true, true, true, true, true, true, false, true];
        let positive = [0.0, 0.9, 0.2, 0.5, 0.4, 0.3, 0.0, 0.9];
        let mut scores = array![[0.0_f32, 0.0]].broadcast((8, 2)).unwrap().to_owned();
        scores.column_mut(1).assign(&ndarray::Array1::from(positive.to_vec()));
        let counts = tallied.counts(&done, scores.view());
        assert_eq!((counts.screened, counts.refined, counts.coarse), (1, 2, 0));
        assert_eq!((counts.audited, counts.missed, counts.drawn), (2, 1, 3));
        assert_eq!((counts.audited_high, counts.refuted, counts.refine_from), (1, 1, 0.1));
        assert_eq!(counts.points(), 6);
    }
}
