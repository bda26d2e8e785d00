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
    open_unlocked(path).map_err(|error| {
        // A file that cannot be read now, for example for want of file descriptors, may be whole.
        FormatError::system(path, &error).unwrap_or_else(|| FormatError::NotHdf5 {
            path: path.to_owned(),
            bytes: metadata.len(),
            cause: cause(&error),
        })
    })
}

pub(super) fn open_unlocked(path: &Path) -> hdf5::Result<File> {
    File::with_options().with_fapl(|p| p.file_locking(false)).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_does_not_open_may_be_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t1.h5");
        assert!(!open(&path).unwrap_err().is_damage(), "no such file");
        // A socket is there, and cannot be opened.
        let socket = std::os::unix::net::UnixListener::bind(&path).unwrap();
        let error = open(&path).unwrap_err();
        assert!(matches!(error, FormatError::Stage(_)) && !error.is_damage(), "{error}");
        drop(socket);
        fs::remove_file(&path).unwrap();
        fs::write(&path, "not HDF5").unwrap();
        let error = open(&path).unwrap_err();
        assert!(matches!(error, FormatError::NotHdf5 { bytes: 8, .. }) && error.is_damage());
    }
}
