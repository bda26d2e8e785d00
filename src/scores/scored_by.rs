//! How a cascade scores a point, as part files record it for each window.

/// How a point of a cascade gets its score.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum ScoredBy {
    /// The point is left alone and keeps the screen's score.
    Screened = 1,
    /// By a single window, since the screen does not rule out a detection.
    Refined = 2,
    /// By a single window, to see whether the screen missed something.
    Audited = 3,
    /// By a single window, to see whether the screen claimed too much.
    AuditedHigh = 4,
    /// By a single window, which was the screen.
    Coarse = 5,
}

impl ScoredBy {
    const ALL: [Self; 5] =
        [Self::Screened, Self::Refined, Self::Audited, Self::AuditedHigh, Self::Coarse];

    /// The number in part files, 1 to 5.
    pub(crate) fn code(self) -> u8 {
        self as u8
    }

    /// The inverse of [`ScoredBy::code`]; `None` for a number that means nothing.
    pub(crate) fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|how| how.code() == code)
    }
}
