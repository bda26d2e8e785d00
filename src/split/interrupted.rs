//! The end of a split that a signal asks for.

use super::error::SplitError;
use crate::interrupt::Interrupt;

/// An error if a signal has asked to stop.
pub(super) fn check_interrupt(interrupt: &Interrupt) -> Result<(), SplitError> {
    match interrupt.requested() {
        None => Ok(()),
        Some(signal) => Err(SplitError::Interrupted { signal }),
    }
}
