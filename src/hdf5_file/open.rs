//! Opening files for reading.

use std::fs;
use std::path::Path;

use hdf5::File;

use super::error::{FormatError, cause};
use super::exists::attribute_exists;
use super::unlocked::open_unlocked;
use super::{heap, seal};
use crate::regular_file;

/// The version of the formats from which on files are sealed. The next one has to be sealed
/// too, or has to be looked for here.
const SEALED_VERSION: i64 = 2;

/// Opens `path` for reading, without a file lock, and checks its metadata before the HDF5
/// library relies on them. Many tasks read one file, often on network file systems that have
/// no locks.
pub(crate) fn open(path: &Path) -> Result<File, FormatError> {
    let metadata = fs::metadata(path).map_err(|e| FormatError::io(path, "open", e))?;
    if metadata.is_dir() {
        return Err(FormatError::invalid(path, "is a folder, expected an HDF5 file"));
    }
    regular_file::check(&metadata).map_err(|e| FormatError::io(path, "open", e))?;
    let is_sealed = seal::check(path)?;
    let file = open_unlocked(path).map_err(|error| {
        // A file that cannot be read now, for example because the process has no free file
        // descriptors, may be undamaged.
        let system = FormatError::system(path, &error);
        system.unwrap_or_else(|| match is_sealed {
            // Its checksums are right, so what the library reports is not in the file's bytes.
            true => FormatError::io(path, "open", std::io::Error::other(cause(&error))),
            false => FormatError::NotHdf5 {
                path: path.to_owned(),
                bytes: metadata.len(),
                cause: cause(&error),
            },
        })
    })?;
    if !is_sealed {
        check_unsealed(path, &file)?;
    }
    Ok(file)
}

/// Checks what can be checked of a file without a seal, if it is one of this program: of
/// version 1, or one that has lost its seal.
fn check_unsealed(path: &Path, file: &File) -> Result<(), FormatError> {
    let failed = |e: hdf5::Error| FormatError::hdf5(path, "read attribute version", &e);
    let has = |name| attribute_exists(file, name).map_err(failed);
    if !has("format")? || !has("version")? {
        return Ok(());
    }
    let version = file.attr("version").and_then(|version| version.read_scalar::<i64>());
    match version.map_err(failed)? {
        SEALED_VERSION => {
            Err(FormatError::Unsealed { path: path.to_owned(), version: SEALED_VERSION })
        }
        _ => heap::check(path, file),
    }
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
