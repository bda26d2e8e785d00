//! Patches whose colours were not normalised in the configured way, as score files list them.

use std::fmt;
use std::str::FromStr;

/// A patch whose stains could not be measured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnnormalizedPatch {
    /// What went wrong, and what was done instead, in words.
    pub reason: String,
    /// The same as a code. `None` in files of older versions, and for a code of a newer one.
    pub kind: Option<UnnormalizedKind>,
}

/// What went wrong with a patch's colours, and what became of the patch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct UnnormalizedKind {
    /// What went wrong.
    pub cause: ColourFailure,
    /// Whether the patch was scored nevertheless.
    pub scored: bool,
}

/// Why colours could not be measured or changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ColourFailure {
    /// Nearly all pixels are glass.
    TooLittleTissue,
    /// The pixels hardly vary.
    OneColour,
    /// The two stains that were found are nearly the same.
    SingularStains,
    /// One of the stains is absent.
    AbsentStain,
    /// Slide and template were measured by different methods.
    OtherMethod,
    /// The colours of the slide as a whole could not be measured.
    NoSlideEstimate,
}

impl ColourFailure {
    const ALL: [Self; 6] = [
        Self::TooLittleTissue,
        Self::OneColour,
        Self::SingularStains,
        Self::AbsentStain,
        Self::OtherMethod,
        Self::NoSlideEstimate,
    ];

    /// The failure as score files name it.
    fn code(self) -> &'static str {
        match self {
            Self::TooLittleTissue => "too-little-tissue",
            Self::OneColour => "one-colour",
            Self::SingularStains => "singular-stains",
            Self::AbsentStain => "absent-stain",
            Self::OtherMethod => "other-method",
            Self::NoSlideEstimate => "no-slide-estimate",
        }
    }

    fn describe(self) -> &'static str {
        match self {
            Self::TooLittleTissue => "too little tissue",
            Self::OneColour => "one colour",
            Self::SingularStains => "singular stains",
            Self::AbsentStain => "a stain is absent",
            Self::OtherMethod => "the estimate is of another method",
            Self::NoSlideEstimate => "no estimate of the slide",
        }
    }
}

impl UnnormalizedKind {
    /// The kind in words, as in `too little tissue; scored`.
    pub fn describe(self) -> String {
        let scored = if self.scored { "scored" } else { "not scored" };
        format!("{}; {scored}", self.cause.describe())
    }
}

/// The kind as score files name it: `too-little-tissue scored`, or `... not-scored`.
impl fmt::Display for UnnormalizedKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scored = if self.scored { SCORED } else { NOT_SCORED };
        write!(f, "{} {scored}", self.cause.code())
    }
}

const SCORED: &str = "scored";
const NOT_SCORED: &str = "not-scored";

/// A kind that this version does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnknownKind;

impl FromStr for UnnormalizedKind {
    type Err = UnknownKind;

    fn from_str(text: &str) -> Result<Self, UnknownKind> {
        let (code, scored) = text.split_once(' ').ok_or(UnknownKind)?;
        let cause = ColourFailure::ALL.into_iter().find(|cause| cause.code() == code);
        let scored = match scored {
            SCORED => true,
            NOT_SCORED => false,
            _ => return Err(UnknownKind),
        };
        Ok(Self { cause: cause.ok_or(UnknownKind)?, scored })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_read_as_it_is_written_and_a_newer_one_is_unknown() {
        for cause in ColourFailure::ALL {
            for scored in [true, false] {
                let kind = UnnormalizedKind { cause, scored };
                assert_eq!(kind.to_string().parse(), Ok(kind));
            }
        }
        let kind = UnnormalizedKind { cause: ColourFailure::OneColour, scored: false };
        assert_eq!(kind.to_string(), "one-colour not-scored");
        for text in ["", "scored", "too-much-tissue scored", "one-colour perhaps"] {
            assert_eq!(text.parse::<UnnormalizedKind>(), Err(UnknownKind), "{text}");
        }
    }
}
