//! Opening a file without a lock.

use std::path::Path;

use hdf5::File;

/// Opens `path` for reading, without a file lock.
pub(super) fn open_unlocked(path: &Path) -> hdf5::Result<File> {
    File::with_options().with_fapl(|p| p.file_locking(false)).open(path)
}
