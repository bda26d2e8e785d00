//! Access to HDF5 files, shared by the formats of patches, scores and heatmaps.
//!
//! Files are opened without file locks and written through a temporary file. Data and metadata
//! have checksums, which are compared wherever they are read. Errors name the file and the
//! attribute or dataset.

mod attributes;
mod checksums;
mod chunks;
mod data_parts;
mod datasets;
mod error;
mod exists;
mod hashed;
mod heap;
mod lineage;
mod open;
mod part_hashes;
mod readback;
mod seal;
mod spans;
mod text;
mod unlocked;

use std::path::Path;

use hdf5::file::{FileCloseDegree, LibraryVersion};
use hdf5::{Dataset, File};
use ndarray::{ArrayView, ArrayView1, Dimension};
use xxhash_rust::xxh3::xxh3_64;

use crate::pipeline;
use crate::staged::{READ_BACK, StagedFile};

pub(crate) use attributes::Attributes;
pub(crate) use checksums::hashes_of;
pub(crate) use chunks::{chunk_place, write_chunk};
pub(crate) use data_parts::{DataPart, list_data};
pub(crate) use datasets::{check_dataset, read_all, read_texts};
use datasets::{item, write_dataset};
pub use error::FormatError;
pub(crate) use exists::link_exists;
pub(crate) use hashed::Hashed;
pub use lineage::Lineage;
pub(crate) use open::open;
pub(crate) use part_hashes::{check_chunks, read_hashes};
use readback::WrittenContent;
use text::PaddedTexts;

/// Name and version of the HDF5 library.
pub(crate) fn library() -> String {
    let (major, minor, release) = hdf5::library_version();
    format!("HDF5 {major}.{minor}.{release}")
}

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
    sealed: bool,
    /// What decides the content besides the data.
    key: String,
}

impl StagedHdf5 {
    /// Starts a file that will become `target`.
    pub(crate) fn create(target: &Path) -> Result<Self, FormatError> {
        Self::start(target, true)
    }

    /// Starts a file in the format of another program, which gets no seal.
    pub(crate) fn create_foreign(target: &Path) -> Result<Self, FormatError> {
        Self::start(target, false)
    }

    fn start(target: &Path, sealed: bool) -> Result<Self, FormatError> {
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
        Ok(Self { file, staged, written: WrittenContent::default(), sealed, key: String::new() })
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

    /// Sets what decides the content besides the data; the attribute `id` is a hash of both.
    pub(crate) fn set_key(&mut self, parts: &[&str]) {
        self.key = parts.join("\0");
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
        let dataset = write_dataset(self.target(), &self.file, name, data.view())?;
        let values = data.as_slice().expect("standard layout");
        self.put_hash(&dataset, name, T::hash(values))?;
        self.written.whole(name, values);
        Ok(())
    }

    /// Writes `texts` as dataset `name`, a path from the root.
    pub(crate) fn write_texts(&mut self, name: &str, texts: &[String]) -> Result<(), FormatError> {
        let texts = PaddedTexts::new(texts).ok_or_else(|| {
            let problem = format!("{name} has a text with a NUL character, expected none");
            FormatError::invalid(self.target(), problem)
        })?;
        let action = format!("write {}", item(&self.file, name));
        let dataset = texts
            .write_dataset(&self.file, name)
            .map_err(|e| FormatError::hdf5(self.target(), &action, &e))?;
        self.put_hash(&dataset, name, xxh3_64(&texts.bytes))?;
        self.written.texts(name, &texts.bytes);
        Ok(())
    }

    /// Writes the hashes of the stored chunks of `dataset`, all of which are written. `name` is
    /// its path from the root.
    pub(crate) fn hash_chunks(&mut self, name: &str, dataset: &Dataset) -> Result<(), FormatError> {
        // Chunks lie in HDF5's cache until they are flushed.
        self.flush()?;
        let hashes = std::fs::File::open(self.staged.path())
            .and_then(|file| checksums::hash_chunks(dataset, &file))
            .map_err(|e| FormatError::io(self.target(), READ_BACK, e))?;
        self.write_dataset(&hashes_of(name), ArrayView1::from(&hashes))
    }

    fn put_hash(&self, dataset: &Dataset, name: &str, hash: u64) -> Result<(), FormatError> {
        let action = format!("write the checksum of {name}");
        checksums::put_hash(dataset, hash)
            .map_err(|e| FormatError::hdf5(self.target(), &action, &e))
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
        if self.sealed {
            let id = self.written.id(&self.key);
            self.attributes().put_str("id", &format!("{id:016x}"))?;
        }
        self.flush()?;
        let Self { file, mut staged, written, sealed, .. } = self;
        let failed =
            |staged: &StagedFile, action, e| FormatError::hdf5(staged.target(), action, &e);
        let described =
            written.attributes(&file).map_err(|e| failed(&staged, "finish its attributes", e))?;
        file.close().map_err(|e| failed(&staged, "close it", e))?;
        if sealed {
            seal::append(staged.path(), staged.target())?;
        }
        // Both run at the same time: the sync waits for the disk, the check reads from memory.
        let (path, target) = (staged.path().to_owned(), staged.target().to_owned());
        let check = || {
            if sealed && !seal::check(&path).is_ok_and(|sealed| sealed) {
                return Err(FormatError::Lost { path: target.clone(), item: "its end".into() });
            }
            written.check(&path, &target, &described)
        };
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
