//! What the HDF5 formats share: opening without file locks, writing through a
//! temporary file, attributes and datasets with errors that name them.

mod attributes;
mod chunks;
mod datasets;
mod error;

use std::fs;
use std::path::{Path, PathBuf};

use hdf5::File;
use hdf5::file::{FileCloseDegree, LibraryVersion};

use crate::staged::StagedFile;

pub(crate) use attributes::Attributes;
pub(crate) use chunks::{chunk_place, write_chunk};
pub(crate) use datasets::{check_dataset, read_all, write_dataset};
pub use error::FormatError;
pub(crate) use error::cause;

/// What every file written by this version says of its writer.
pub(crate) const WRITER: &str = concat!("slidegrid ", env!("CARGO_PKG_VERSION"));

/// Opens `path` for reading, without locking it: many tasks read one file,
/// often on network file systems that have no locks.
pub(crate) fn open(path: &Path) -> Result<File, FormatError> {
    let metadata = fs::metadata(path).map_err(|e| FormatError::io(path, "open", e))?;
    if metadata.is_dir() {
        return Err(FormatError::content(path, "is a folder, expected an HDF5 file"));
    }
    File::with_options().with_fapl(|p| p.file_locking(false)).open(path).map_err(|error| {
        FormatError::NotHdf5 { path: path.to_owned(), bytes: metadata.len(), cause: cause(&error) }
    })
}

/// An HDF5 file being written under a temporary name.
///
/// Dropped without [`StagedHdf5::commit`] it disappears.
#[derive(Debug)]
pub(crate) struct StagedHdf5 {
    // Declared first: HDF5 must let go of the file before it is removed.
    file: File,
    staged: StagedFile,
    target: PathBuf,
}

impl StagedHdf5 {
    /// Starts a file that will become `target`.
    pub(crate) fn create(target: &Path) -> Result<Self, FormatError> {
        let staged = StagedFile::new(target)?;
        // Every HDF5 since 1.10 opens what these bounds allow; metadata carries
        // checksums from that version on. Strong: closing must close, even if
        // a dataset handle was forgotten, or errors would surface nowhere.
        let file = File::with_options()
            .with_fapl(|p| {
                p.file_locking(false)
                    .libver_bounds(LibraryVersion::V110, LibraryVersion::V110)
                    .fclose_degree(FileCloseDegree::Strong)
            })
            .create(staged.path())
            .map_err(|e| FormatError::hdf5(target, "create it", &e))?;
        Ok(Self { file, staged, target: target.to_owned() })
    }

    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    pub(crate) fn target(&self) -> &Path {
        &self.target
    }

    /// Attributes of the root group.
    pub(crate) fn attributes(&self) -> Attributes<'_> {
        Attributes::new(&self.target, &self.file)
    }

    /// Flushes, closes, syncs and renames; each step's error is reported.
    ///
    /// All dataset handles must be dropped before.
    pub(crate) fn commit(self) -> Result<(), FormatError> {
        Ok(self.close()?.commit()?)
    }

    /// Flushes and closes: the file can be read, and is yet to be committed.
    ///
    /// All dataset handles must be dropped before.
    pub(crate) fn close(self) -> Result<StagedFile, FormatError> {
        let Self { file, staged, target } = self;
        file.flush().map_err(|e| FormatError::hdf5(&target, "finish it", &e))?;
        file.close().map_err(|e| FormatError::hdf5(&target, "close it", &e))?;
        Ok(staged)
    }
}

/// Writes `format`, `version`, `writer`.
pub(crate) fn put_header(
    attributes: &Attributes<'_>,
    format: &str,
    version: i64,
) -> Result<(), FormatError> {
    attributes.put_str("format", format)?;
    attributes.put_i64("version", version)?;
    attributes.put_str("writer", WRITER)
}

/// Checks `format` and `version` of an open file; returns its `writer`.
pub(crate) fn check_header(
    attributes: &Attributes<'_>,
    format: &'static str,
    version: i64,
) -> Result<String, FormatError> {
    let path = attributes.path().to_owned();
    if !attributes.has("format") {
        return Err(FormatError::Foreign { path, found: "no format attribute".into(), format });
    }
    let found = attributes.str("format")?;
    if found != format {
        return Err(FormatError::Foreign { path, found: format!("format {found:?}"), format });
    }
    let found = attributes.i64("version")?;
    let writer = attributes.str("writer")?;
    if found > version {
        return Err(FormatError::Newer { path, format, found, expected: version, writer });
    }
    if found < 1 {
        let problem = format!("has version {found}, expected 1 to {version}");
        return Err(FormatError::content(&path, problem));
    }
    Ok(writer)
}
