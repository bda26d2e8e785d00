//! The message of an interrupted stage.

/// The end of the message of an interrupted stage.
pub(super) const GO_ON: &str = "run the same command again to go on";
