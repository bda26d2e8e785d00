//! How much of its work a stage has done.

/// How much of its work a stage has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Completion {
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
    pub fn from_counts(done: usize, failed: usize) -> Self {
        match (done, failed) {
            (_, 0) => Self::Done,
            (0, _) => Self::Failed,
            _ => Self::Partial,
        }
    }

    /// The completion of two stages together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
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
    fn two_stages_are_as_complete_as_the_worse_one() {
        use Completion::{Done, Failed, Partial};
        assert_eq!(Done.and(Failed), Failed);
        assert_eq!(Failed.and(Failed), Failed);
        assert_eq!(Failed.and(Partial), Partial);
        assert_eq!(Done.and(Done), Done);
    }
}
