//! A value of a configuration that breaks a rule.

/// A key, its value, and the rule that the value breaks, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Violation {
    /// The key, with its section.
    pub(super) key: String,
    /// What was found.
    pub(super) found: String,
    /// What was expected.
    pub(super) expected: String,
}

impl Violation {
    pub(super) fn new(
        key: impl Into<String>,
        found: impl Into<String>,
        expected: impl Into<String>,
    ) -> Self {
        Self { key: key.into(), found: found.into(), expected: expected.into() }
    }
}
