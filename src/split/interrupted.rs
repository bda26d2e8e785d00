//! Ends a split after a signal.

use super::error::SplitError;
use crate::interrupt::Interrupt;

/// Stops the split if a signal has requested it.
///
/// # Errors
/// [`SplitError::Interrupted`] if a signal has requested the end.
pub(super) fn check_interrupt(interrupt: &Interrupt) -> Result<(), SplitError> {
    match interrupt.requested() {
        None => Ok(()),
        Some(signal) => Err(SplitError::Interrupted { signal }),
    }
}
