//! What the HDF5 formats share: opening without file locks, writing through a
//! temporary file, attributes and datasets with errors that name them.

mod attributes;
mod chunks;
mod datasets;
mod error;
mod exists;
mod readback;

use std::fs;
use std::path::Path;

use hdf5::File;
use hdf5::file::{FileCloseDegree, LibraryVersion};
use ndarray::{ArrayView, Dimension};

use crate::staged::StagedFile;

pub(crate) use attributes::Attributes;
pub(crate) use chunks::{chunk_place, write_chunk};
use datasets::write_dataset;
pub(crate) use datasets::{check_dataset, read_all};
pub use error::FormatError;
pub(crate) use error::cause;
pub(crate) use exists::link_exists;
pub(crate) use readback::Hashed;
use readback::WrittenContent;

/// Opens `path` for reading, without locking it: many tasks read one file,
/// often on network file systems that have no locks.
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

fn open_unlocked(path: &Path) -> hdf5::Result<File> {
    File::with_options().with_fapl(|p| p.file_locking(false)).open(path)
}

/// An HDF5 file being written under a temporary name.
///
/// Dropped without [`StagedHdf5::commit`] it disappears. What is written into its
/// datasets is to be noted in `written`, which is compared with the closed file.
#[derive(Debug)]
pub(crate) struct StagedHdf5 {
    // Declared first: HDF5 must let go of the file before it is removed.
    file: File,
    staged: StagedFile,
    written: WrittenContent,
}

impl StagedHdf5 {
    /// Starts a file that will become `target`.
    pub(crate) fn create(target: &Path) -> Result<Self, FormatError> {
        let staged = StagedFile::new(target)?;
        // Every HDF5 since 1.10 opens what these bounds allow; metadata carries
        // checksums from that version on. Strong: closing must close, even if
        // a dataset handle was forgotten, or errors would surface nowhere. No sieve:
        // what is written to a contiguous dataset fails at once, or not at all.
        let file = File::with_options()
            .with_fapl(|p| {
                p.file_locking(false)
                    .libver_bounds(LibraryVersion::V110, LibraryVersion::V110)
                    .fclose_degree(FileCloseDegree::Strong)
                    .sieve_buf_size(0)
            })
            .create(staged.path())
            .map_err(|e| FormatError::hdf5(target, "create it", &e))?;
        Ok(Self { file, staged, written: WrittenContent::default() })
    }

    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    pub(crate) fn target(&self) -> &Path {
        self.staged.target()
    }

    /// Attributes of the root group.
    pub(crate) fn attributes(&self) -> Attributes<'_> {
        Attributes::new(self.target(), &self.file)
    }

    /// Where to note what was written into datasets.
    pub(crate) fn written(&mut self) -> &mut WrittenContent {
        &mut self.written
    }

    /// Writes `data` as dataset `name`, a path from the root.
    pub(crate) fn write_dataset<T: Hashed, D: Dimension>(
        &mut self,
        name: &str,
        data: ArrayView<'_, T, D>,
    ) -> Result<(), FormatError> {
        let data = data.as_standard_layout();
        write_dataset(self.target(), &self.file, name, data.view())?;
        self.written.whole(name, data.as_slice().expect("standard layout"));
        Ok(())
    }

    /// Has HDF5 write what it still holds, also of datasets that are open: those whose
    /// chunks it caches must be, since closing them reports no error.
    pub(crate) fn flush(&self) -> Result<(), FormatError> {
        self.file.flush().map_err(|e| FormatError::hdf5(self.target(), "finish it", &e))
    }

    /// Flushes, closes, syncs, reads back and renames; each step's error is reported.
    ///
    /// All dataset handles must be dropped before, after [`StagedHdf5::flush`].
    pub(crate) fn commit(self) -> Result<(), FormatError> {
        Ok(self.close()?.commit()?)
    }

    /// All of [`StagedHdf5::commit`] but the name: the file can be read, and is yet to be
    /// committed.
    pub(crate) fn close(self) -> Result<StagedFile, FormatError> {
        self.flush()?;
        let Self { file, mut staged, written } = self;
        let failed =
            |staged: &StagedFile, action, e| FormatError::hdf5(staged.target(), action, &e);
        let described =
            written.attributes(&file).map_err(|e| failed(&staged, "finish its attributes", e))?;
        file.close().map_err(|e| failed(&staged, "close it", e))?;
        // Side by side: one waits for the disk, the other reads memory.
        let (path, target) = (staged.path().to_owned(), staged.target().to_owned());
        std::thread::scope(|scope| {
            let checked = scope.spawn(|| written.check(&path, &target, &described));
            staged.sync()?;
            checked.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })?;
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
    attributes.put_str("writer", crate::version::WRITER)
}

/// Checks `format` and `version` of an open file; returns its `writer`.
pub(crate) fn check_header(
    attributes: &Attributes<'_>,
    format: &'static str,
    version: i64,
) -> Result<String, FormatError> {
    let path = attributes.path().to_owned();
    if !attributes.contains("format")? {
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
        return Err(FormatError::invalid(&path, problem));
    }
    Ok(writer)
}
