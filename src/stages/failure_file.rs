//! The reasons of failures, which `slidegrid status` reads.

use std::path::Path;

use crate::progress::Progress;
use crate::staged;

/// Writes the reason of a failure to the file that `slidegrid status` reads.
pub(crate) fn mark(marker: &Path, error: &dyn std::error::Error, progress: &Progress) {
    if let Err(unwritten) = staged::write(marker, format!("{error}\n").as_bytes()) {
        progress.warn(&format!("warning: {unwritten}"));
    }
}

/// Removes the reason of an earlier failure after a success.
pub(crate) fn clear(marker: &Path) {
    // Usually there is no such file.
    drop(std::fs::remove_file(marker));
}
