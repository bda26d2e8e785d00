//! Access to HDF5 files, shared by the formats of patches, scores and heatmaps.
//!
//! Files are opened without file locks and written through a temporary file. Errors name the
//! file and the attribute or dataset.

mod attributes;
mod chunks;
mod datasets;
mod error;
mod exists;
mod open;
mod readback;

use std::path::Path;

use hdf5::File;
use hdf5::file::{FileCloseDegree, LibraryVersion};
use ndarray::{ArrayView, Dimension};

use crate::pipeline;
use crate::staged::StagedFile;

pub(crate) use attributes::Attributes;
pub(crate) use chunks::{chunk_place, write_chunk};
use datasets::write_dataset;
pub(crate) use datasets::{check_dataset, read_all};
pub use error::FormatError;
pub(crate) use exists::link_exists;
pub(crate) use open::open;
pub(crate) use readback::Hashed;
use readback::WrittenContent;

/// An HDF5 file that is being written under a temporary name.
///
/// If it is dropped without [`StagedHdf5::commit`], it is removed. Whoever writes into a
/// dataset records the content in [`StagedHdf5::written`], which is compared with the closed
/// file.
#[derive(Debug)]
pub(crate) struct StagedHdf5 {
    // Declared first, so that HDF5 closes the file before it is removed.
    file: File,
    staged: StagedFile,
    written: WrittenContent,
}

impl StagedHdf5 {
    /// Starts a file that will become `target`.
    pub(crate) fn create(target: &Path) -> Result<Self, FormatError> {
        let staged = StagedFile::new(target)?;
        // Every HDF5 library since 1.10 opens files of these versions, and metadata has
        // checksums from 1.10 on. A strong close degree closes the file even if a dataset handle
        // is still open; otherwise errors on closing would be lost. Without a sieve buffer, a
        // write to a contiguous dataset fails at once or not at all.
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

    /// The attributes of the root group.
    pub(crate) fn attributes(&self) -> Attributes<'_> {
        Attributes::new(self.target(), &self.file)
    }

    /// The record of the content that was written into datasets.
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

    /// Makes HDF5 write all cached data, also of open datasets. Datasets whose chunks HDF5
    /// caches must be flushed while they are open, because closing them reports no error.
    pub(crate) fn flush(&self) -> Result<(), FormatError> {
        self.file.flush().map_err(|e| FormatError::hdf5(self.target(), "finish it", &e))
    }

    /// Flushes, closes, syncs, reads back and renames the file. The error of every step is
    /// reported.
    ///
    /// The caller calls [`StagedHdf5::flush`] and then drops all dataset handles before.
    pub(crate) fn commit(self) -> Result<(), FormatError> {
        Ok(self.close()?.commit()?)
    }

    /// Does all steps of [`StagedHdf5::commit`] but the rename. The file can then be read under
    /// its temporary name and must still be committed.
    pub(crate) fn close(self) -> Result<StagedFile, FormatError> {
        self.flush()?;
        let Self { file, mut staged, written } = self;
        let failed =
            |staged: &StagedFile, action, e| FormatError::hdf5(staged.target(), action, &e);
        let described =
            written.attributes(&file).map_err(|e| failed(&staged, "finish its attributes", e))?;
        file.close().map_err(|e| failed(&staged, "close it", e))?;
        // Both run at the same time: the sync waits for the disk, the check reads from memory.
        let (path, target) = (staged.path().to_owned(), staged.target().to_owned());
        let check = || written.check(&path, &target, &described);
        let (synced, checked) = pipeline::join(|| staged.sync(), check);
        synced?;
        checked?;
        Ok(staged)
    }
}

/// Writes the attributes `format`, `version` and `writer`.
pub(crate) fn put_header(
    attributes: &Attributes<'_>,
    format: &str,
    version: i64,
) -> Result<(), FormatError> {
    attributes.put_str("format", format)?;
    attributes.put_i64("version", version)?;
    attributes.put_str("writer", crate::version::WRITER)
}

/// Checks the attributes `format` and `version` of an open file and returns `writer`.
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
