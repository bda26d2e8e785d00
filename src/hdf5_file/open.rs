//! Opening files for reading.

use std::fs;
use std::path::Path;

use hdf5::File;

use super::error::{FormatError, cause};

/// Opens `path` for reading, without a file lock. Many tasks read one file, often on network
/// file systems that have no locks.
pub(crate) fn open(path: &Path) -> Result<File, FormatError> {
    let metadata = fs::metadata(path).map_err(|e| FormatError::io(path, "open", e))?;
    if metadata.is_dir() {
        return Err(FormatError::invalid(path, "is a folder, expected an HDF5 file"));
    }
    open_unlocked(path).map_err(|error| FormatError::NotHdf5 {
        path: path.to_owned(),
        bytes: metadata.len(),
        cause: cause(&error),
    })
}

pub(super) fn open_unlocked(path: &Path) -> hdf5::Result<File> {
    File::with_options().with_fapl(|p| p.file_locking(false)).open(path)
}
