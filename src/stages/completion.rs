//! How a stage ended: how much of its work is done, and what is not.

use crate::jobs::outcome::{OutcomeKind, Undone};

/// The end of a stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StageEnd {
    /// How much of the work is done.
    pub completion: Completion,
    /// The items that are not done, or only in part, and why.
    pub undone: Vec<Undone>,
}

impl StageEnd {
    /// The end of a stage over several items, by the number of those that are done and of
    /// those that failed. It is partial if all items are done, but some in part.
    pub(crate) fn from_items(done: usize, failed: usize, undone: Vec<Undone>) -> Self {
        let completion = match Completion::from_counts(done, failed) {
            Completion::Done if !undone.is_empty() => Completion::Partial,
            completion => completion,
        };
        Self { completion, undone }
    }

    /// The end of two stages together.
    #[must_use]
    pub(crate) fn and(mut self, other: Self) -> Self {
        self.undone.extend(other.undone);
        Self { completion: self.completion.and(other.completion), undone: self.undone }
    }

    /// The kind of the end: interrupted if any item is.
    pub(crate) fn kind(&self) -> OutcomeKind {
        let is_interrupted = |undone: &Undone| undone.kind == OutcomeKind::Interrupted;
        match self.completion {
            _ if self.undone.iter().any(is_interrupted) => OutcomeKind::Interrupted,
            Completion::Done => OutcomeKind::Done,
            Completion::Partial => OutcomeKind::Partial,
            Completion::Failed => OutcomeKind::Input,
        }
    }
}

impl From<Completion> for StageEnd {
    fn from(completion: Completion) -> Self {
        Self { completion, undone: Vec::new() }
    }
}

/// How much of its work a stage has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Completion {
    /// All of the work is done.
    Done,
    /// A part of the work is done. The rest was listed.
    Partial,
    /// All of the work failed.
    Failed,
}

impl Completion {
    /// The completion of several pieces of work, by the number of those that are done and of
    /// those that failed.
    pub(crate) fn from_counts(done: usize, failed: usize) -> Self {
        match (done, failed) {
            (_, 0) => Self::Done,
            (0, _) => Self::Failed,
            _ => Self::Partial,
        }
    }

    /// The completion of two stages together.
    #[must_use]
    pub(crate) fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Done, rest) | (rest, Self::Done) => rest,
            (a, b) if a == b => a,
            _ => Self::Partial,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_that_fails_in_part_is_partial() {
        assert_eq!(Completion::from_counts(3, 0), Completion::Done);
        assert_eq!(Completion::from_counts(0, 0), Completion::Done);
        assert_eq!(Completion::from_counts(0, 2), Completion::Failed);
        assert_eq!(Completion::from_counts(1, 2), Completion::Partial);
    }

    #[test]
    fn an_end_is_partial_if_items_are_done_in_part_and_interrupted_if_one_is() {
        let undone = |kind| Undone { slide: "a".into(), group: None, kind };
        let end = |done, failed, undone| {
            let end = StageEnd::from_items(done, failed, undone);
            (end.completion, end.kind())
        };
        let partial = vec![undone(OutcomeKind::Partial)];
        assert_eq!(end(2, 0, Vec::new()), (Completion::Done, OutcomeKind::Done));
        assert_eq!(end(2, 0, partial.clone()), (Completion::Partial, OutcomeKind::Partial));
        let failed = vec![undone(OutcomeKind::Damaged)];
        assert_eq!(end(0, 1, failed), (Completion::Failed, OutcomeKind::Input));
        let interrupted = StageEnd::from_items(1, 0, vec![undone(OutcomeKind::Interrupted)]);
        let both = StageEnd::from_items(1, 0, partial).and(interrupted);
        assert_eq!((both.completion, both.undone.len()), (Completion::Partial, 2));
        assert_eq!(both.kind(), OutcomeKind::Interrupted);
    }

    #[test]
    fn two_stages_are_as_complete_as_the_worse_one() {
        use Completion::{Done, Failed, Partial};
        assert_eq!(Done.and(Failed), Failed);
        assert_eq!(Failed.and(Failed), Failed);
        assert_eq!(Failed.and(Partial), Partial);
        assert_eq!(Done.and(Done), Done);
    }
}
