//! The names of files of truth in a folder.

use std::path::{Path, PathBuf};

use super::error::TruthError;
use crate::staged;

/// File endings of truth, in the order in which [`find`] tries them.
const ENDINGS: [&str; 10] = [
    ".xml",
    ".geojson",
    ".geojson.gz",
    ".json",
    ".png",
    ".tif",
    ".tiff",
    "_mask.png",
    "_mask.tif",
    "_Mask.tif",
];

/// The file of truth for `slide` in `folder`; `None` if there is none.
///
/// # Errors
/// [`TruthError::Read`] if the system does not say whether there is one.
pub(crate) fn find(folder: &Path, slide: &str) -> Result<Option<PathBuf>, TruthError> {
    for ending in ENDINGS {
        let path = folder.join(format!("{slide}{ending}"));
        if is_file(&path)? {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

/// Whether there is a file at `path`.
///
/// # Errors
/// [`TruthError::Read`] if the system does not say.
pub(crate) fn is_file(path: &Path) -> Result<bool, TruthError> {
    staged::is_file(path)
        .map_err(|error| TruthError::Read { path: error.path, source: error.source })
}

/// The name of the slide that a file of truth describes; `None` for other files.
pub(crate) fn slide_name(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str()?;
    let ending = ENDINGS.iter().filter(|ending| name.ends_with(*ending)).max_by_key(|e| e.len())?;
    name.strip_suffix(ending).filter(|stem| !stem.is_empty()).map(str::to_owned)
}
