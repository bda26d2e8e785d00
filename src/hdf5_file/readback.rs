//! Comparison of a file with the content that was given to HDF5.
//!
//! HDF5 caches content and writes it at a time of its own choice, the last of it when handles
//! are closed, which cannot report an error. A writer therefore records a hash of all content
//! it gives to HDF5. Before the file gets its name, it is opened again, read and compared.

use std::collections::BTreeMap;
use std::io;
use std::num::NonZero;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;

use hdf5::types::{FloatSize, IntSize, TypeDescriptor};
use hdf5::{Attribute, Dataset, File, Location};
use ndarray::{ArrayView2, s};
use xxhash_rust::xxh3::{Xxh3Default, xxh3_64};

use super::checksums::stored_hash;
use super::chunks::chunk_place;
use super::hashed::Hashed;
use super::{FormatError, text};
use crate::pipeline;
use crate::staged::READ_BACK;

/// The record of a file's content.
#[derive(Debug, Default)]
pub(crate) struct WrittenContent {
    parts: Vec<(String, ContentPart)>,
    /// Datasets with attributes, in addition to the root group.
    described: Vec<String>,
}

/// A part of a dataset, with its hash.
#[derive(Debug)]
enum ContentPart {
    /// The whole dataset: its hash, and the function that reads and hashes it.
    Whole(u64, fn(&Dataset) -> hdf5::Result<u64>),
    /// Rows of a plane of f32, `[rows, cols]`, or of class `class` of `[rows, cols, C]`.
    Rows { hash: u64, rows: Range<usize>, class: Option<usize> },
    /// The stored bytes of every row of the first axis. A row has `row_bytes` bytes in a
    /// contiguous dataset, and is one chunk in a chunked dataset.
    Stored { hashes: Vec<u64>, row_bytes: Option<usize> },
}

impl WrittenContent {
    /// Records `values` as the whole content of `dataset`, in standard layout.
    pub(crate) fn whole<T: Hashed>(&mut self, dataset: &str, values: &[T]) {
        let read = |dataset: &Dataset| match dataset.size() {
            0 => Ok(T::hash(&[])),
            _ => dataset.read_raw::<T>().map(|values| T::hash(&values)),
        };
        self.parts.push((dataset.to_owned(), ContentPart::Whole(T::hash(values), read)));
    }

    /// Records `bytes`, texts of one length, as the whole content of `dataset`.
    pub(crate) fn texts(&mut self, dataset: &str, bytes: &[u8]) {
        let read = |dataset: &Dataset| {
            let (_, bytes) = text::bytes_of(dataset)?.unwrap_or_default();
            Ok(xxh3_64(&bytes))
        };
        self.parts.push((dataset.to_owned(), ContentPart::Whole(xxh3_64(bytes), read)));
    }

    /// Records a plane of f32, `[rows, cols]`, which is read back `step` rows at a time.
    pub(crate) fn plane(
        &mut self,
        dataset: &str,
        plane: ArrayView2<'_, f32>,
        step: usize,
        class: Option<usize>,
    ) {
        for first in (0..plane.nrows()).step_by(step.max(1)) {
            let rows = first..plane.nrows().min(first + step.max(1));
            let hash = plane_hash(plane.slice(s![rows.clone(), ..]));
            self.parts.push((dataset.to_owned(), ContentPart::Rows { hash, rows, class }));
        }
    }

    /// Records the rows of a dataset by the [`xxh3_64`] hashes of their stored bytes.
    pub(crate) fn stored(&mut self, dataset: &str, hashes: Vec<u64>, row_bytes: Option<usize>) {
        self.parts.push((dataset.to_owned(), ContentPart::Stored { hashes, row_bytes }));
    }

    /// Hash of `key` and of all recorded content.
    pub(crate) fn id(&self, key: &str) -> u64 {
        let mut id = Xxh3Default::new();
        id.update(key.as_bytes());
        for (name, part) in &self.parts {
            id.update(name.as_bytes());
            match part {
                ContentPart::Whole(hash, _) | ContentPart::Rows { hash, .. } => {
                    id.update(&hash.to_le_bytes());
                }
                ContentPart::Stored { hashes, .. } => {
                    hashes.iter().for_each(|hash| id.update(&hash.to_le_bytes()));
                }
            }
        }
        id.digest()
    }

    /// Records that `dataset` has attributes.
    pub(crate) fn describe(&mut self, dataset: &str) {
        self.described.push(dataset.to_owned());
    }

    /// Hashes of the attributes of the root group and of the described datasets in `file`.
    pub(crate) fn attributes(&self, file: &File) -> hdf5::Result<AttributeHashes> {
        let mut found = attributes_of(file, "/")?;
        for name in &self.described {
            found.extend(attributes_of(&*file.dataset(name)?, name)?);
        }
        Ok(found)
    }

    /// Compares the closed file at `path` with the record, and its attributes with `described`,
    /// which [`WrittenContent::attributes`] gave before the file was closed. Errors name
    /// `target`.
    pub(crate) fn check(
        &self,
        path: &Path,
        target: &Path,
        described: &AttributeHashes,
    ) -> Result<(), FormatError> {
        let lost = |item: &str| FormatError::Lost { path: target.to_owned(), item: item.into() };
        let read_error = |e: hdf5::Error| FormatError::hdf5(target, READ_BACK, &e);
        let file = super::unlocked::open_unlocked(path).map_err(read_error)?;
        let bytes = std::fs::File::open(path).map_err(|e| FormatError::io(target, READ_BACK, e))?;
        let found = self.attributes(&file).map_err(read_error)?;
        let other = described.iter().find(|(name, value)| found.get(*name) != Some(*value));
        if let Some((name, _)) = other {
            return Err(lost(&format!("attribute {name}")));
        }
        for (name, part) in &self.parts {
            let dataset = file.dataset(name).map_err(read_error)?;
            let same = match part {
                ContentPart::Whole(hash, read) => {
                    let stored = stored_hash(&dataset).map_err(read_error)?;
                    stored.is_none_or(|stored| stored == *hash)
                        && read(&dataset).map_err(read_error)? == *hash
                }
                ContentPart::Rows { hash, rows, class } => {
                    read_rows(&dataset, rows, *class).map_err(read_error)? == *hash
                }
                ContentPart::Stored { hashes, row_bytes } => {
                    let row = changed_row(&dataset, &bytes, hashes, *row_bytes);
                    match row.map_err(|e| FormatError::io(target, READ_BACK, e))? {
                        Some(row) => return Err(lost(&format!("{name}, row {row}"))),
                        None => true,
                    }
                }
            };
            if !same {
                return Err(lost(name));
            }
        }
        Ok(())
    }
}

/// What is compared of each attribute, by object and name.
pub(crate) type AttributeHashes = BTreeMap<String, AttributeHash>;

/// What is compared of an attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AttributeHash {
    /// Type of the values.
    kind: &'static str,
    /// Number of values.
    count: usize,
    /// Hash of the values.
    hash: u64,
}

fn attributes_of(object: &Location, name: &str) -> hdf5::Result<AttributeHashes> {
    let mut found = AttributeHashes::new();
    for attribute in object.attr_names()? {
        let value = value_of(&object.attr(&attribute)?)?;
        found.insert(format!("{}/{attribute}", name.trim_end_matches('/')), value);
    }
    Ok(found)
}

fn value_of(attribute: &Attribute) -> hdf5::Result<AttributeHash> {
    let count = attribute.size();
    let stored = attribute.dtype()?.to_descriptor()?;
    if count == 0 {
        return Ok(AttributeHash { kind: "empty", count, hash: 0 });
    }
    let (kind, hash) = match stored {
        TypeDescriptor::Integer(IntSize::U8) => {
            ("integer", i64::hash(&attribute.read_raw::<i64>()?))
        }
        TypeDescriptor::Float(FloatSize::U8) => ("float", f64::hash(&attribute.read_raw::<f64>()?)),
        TypeDescriptor::Unsigned(IntSize::U8) => {
            ("integer", u64::hash(&attribute.read_raw::<u64>()?))
        }
        TypeDescriptor::VarLenUnicode | TypeDescriptor::FixedUnicode(_) => {
            let texts = text::of_attribute(attribute)?;
            ("text", xxh3_64(texts.join("\0").as_bytes()))
        }
        other => return Err(format!("attribute of type {other}, which nobody writes").into()),
    };
    Ok(AttributeHash { kind, count, hash })
}

fn read_rows(dataset: &Dataset, rows: &Range<usize>, class: Option<usize>) -> hdf5::Result<u64> {
    let read = match class {
        None => dataset.read_slice_2d::<f32, _>(s![rows.clone(), ..]),
        Some(class) => dataset.read_slice_2d::<f32, _>(s![rows.clone(), .., class]),
    };
    Ok(plane_hash(read?.view()))
}

/// Hash of a plane, in row-major order.
fn plane_hash(plane: ArrayView2<'_, f32>) -> u64 {
    let standard = plane.as_standard_layout();
    f32::hash(standard.as_slice().expect("standard layout"))
}

/// The first row whose bytes in the file do not have the recorded hash.
fn changed_row(
    dataset: &Dataset,
    file: &std::fs::File,
    hashes: &[u64],
    row_bytes: Option<usize>,
) -> io::Result<Option<usize>> {
    let length = file.metadata()?.len();
    let mut rows = Vec::with_capacity(hashes.len());
    for (row, &hash) in hashes.iter().enumerate() {
        let place = match row_bytes {
            Some(bytes) => dataset.offset().map(|start| (start + (row * bytes) as u64, bytes)),
            None => chunk_place(dataset, &[row as u64, 0, 0, 0]).map_err(io::Error::other)?.map(
                |place| (place.offset, usize::try_from(place.bytes).expect("a usize has 64 bits")),
            ),
        };
        let within =
            |&(offset, bytes): &(u64, usize)| offset.saturating_add(bytes as u64) <= length;
        let Some((offset, bytes)) = place.filter(within) else { return Ok(Some(row)) };
        rows.push(RowLocation { row, offset, bytes, hash });
    }
    let readers = std::thread::available_parallelism().map_or(1, NonZero::get).min(READERS);
    let workers = (0..readers).map(|_| {
        let mut buffer = Vec::new();
        move |row: &RowLocation| {
            Ok::<_, io::Error>(row.changed(file, &mut buffer)?.then_some(row.row))
        }
    });
    Ok(pipeline::map(rows.iter(), workers)?.into_iter().flatten().next())
}

/// Largest number of threads that read back; more are limited by memory bandwidth.
const READERS: usize = 4;

/// The place of a row in the file, and its hash.
struct RowLocation {
    row: usize,
    offset: u64,
    bytes: usize,
    hash: u64,
}

impl RowLocation {
    /// Whether the row's bytes are others than those that were hashed.
    fn changed(&self, file: &std::fs::File, buffer: &mut Vec<u8>) -> io::Result<bool> {
        buffer.resize(self.bytes, 0);
        file.read_exact_at(buffer, self.offset)?;
        Ok(xxh3_64(buffer) != self.hash)
    }
}
