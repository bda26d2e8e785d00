//! Reads files of truth for a study, and says on stderr what was left out of them.

use std::path::Path;

use crate::progress;
use crate::truth::{AnnotationGroups, Truth, TruthError};

/// Reads a file of truth; `start_px` is that of [`Truth::read`]. Shapes that are left out, and values that were not plain, are named on
/// stderr.
///
/// # Errors
/// The same as those of [`Truth::read`].
pub(super) fn read_truth(
    path: &Path,
    groups: &AnnotationGroups,
    start_px: [f64; 2],
) -> Result<Truth, TruthError> {
    let file = Truth::read(path, groups, start_px)?;
    for note in file.notes {
        progress::tell(&format!("note: {note}"));
    }
    Ok(file.truth)
}
