//! Checksums of data, stored beside the data.
//!
//! A dataset that is written in one piece has the XXH3 hash of its bytes, in the order and byte
//! order in which they are stored, as attribute `xxh3`. A dataset that is stored in parts,
//! which are patches or compressed chunks, has the hashes of the stored bytes of each part in
//! a dataset `NAME_xxh3` beside it, and that dataset has the attribute. Files of version 1
//! have neither.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use hdf5::Dataset;
use xxhash_rust::xxh3::xxh3_64;

use super::FormatError;
use super::chunks::{ChunkGrid, chunk_grid, chunk_place};
use super::exists::attribute_exists;
use super::hashed::Hashed;

/// The attribute with the hash of a dataset.
pub(super) const HASH: &str = "xxh3";

/// Name of the dataset with the hashes of the parts of dataset `name`.
pub(crate) fn hashes_of(name: &str) -> String {
    format!("{name}_{HASH}")
}

/// Stores the hash of a dataset that is written in one piece.
pub(super) fn put_hash(dataset: &Dataset, hash: u64) -> hdf5::Result<()> {
    dataset.new_attr::<u64>().create(HASH)?.write_scalar(&hash)
}

/// The stored hash of a dataset; `None` in files of version 1.
pub(super) fn stored_hash(dataset: &Dataset) -> hdf5::Result<Option<u64>> {
    if !attribute_exists(dataset, HASH)? {
        return Ok(None);
    }
    dataset.attr(HASH)?.read_scalar().map(Some)
}

/// Compares values that were read with the stored hash of their dataset, if there is one.
pub(super) fn check_whole<T: Hashed>(
    path: &Path,
    dataset: &Dataset,
    values: &[T],
) -> Result<(), FormatError> {
    check_hash(path, dataset, || T::hash(values))
}

/// Compares the hash of what was read with the stored hash of the dataset, if there is one.
pub(super) fn check_hash(
    path: &Path,
    dataset: &Dataset,
    found: impl FnOnce() -> u64,
) -> Result<(), FormatError> {
    let name = || dataset.name();
    let expected = stored_hash(dataset)
        .map_err(|e| FormatError::hdf5(path, &format!("read the checksum of {}", name()), &e))?;
    match expected {
        Some(expected) if found() != expected => {
            Err(FormatError::Checksum { path: path.to_owned(), item: name() })
        }
        _ => Ok(()),
    }
}

/// The hashes of the stored chunks of a dataset, in row-major order of the chunks.
pub(super) fn hash_chunks(dataset: &Dataset, file: &File) -> io::Result<Vec<u64>> {
    let grid = chunk_grid(dataset).ok_or_else(|| io::Error::other("its data are not in chunks"))?;
    let mut bytes = Vec::new();
    (0..grid.len()).map(|index| hash_chunk(dataset, &grid, index, file, &mut bytes)).collect()
}

/// The hash of the stored bytes of one chunk.
pub(super) fn hash_chunk(
    dataset: &Dataset,
    grid: &ChunkGrid,
    index: usize,
    file: &File,
    bytes: &mut Vec<u8>,
) -> io::Result<u64> {
    let place = chunk_place(dataset, &grid.first_element(index)).map_err(io::Error::other)?;
    let missing = || io::Error::new(io::ErrorKind::UnexpectedEof, "a chunk has no bytes");
    let place = place.ok_or_else(missing)?;
    let within = place
        .offset
        .checked_add(place.bytes)
        .is_some_and(|end| file.metadata().is_ok_and(|metadata| end <= metadata.len()));
    let length = usize::try_from(place.bytes).ok().filter(|_| within).ok_or_else(missing)?;
    bytes.resize(length, 0);
    file.read_exact_at(bytes, place.offset)?;
    Ok(xxh3_64(bytes))
}
