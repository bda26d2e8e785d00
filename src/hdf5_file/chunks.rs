//! Compressed chunks, passed to and from HDF5 without its filters, so that threads compress and
//! decompress outside HDF5's global lock.

use hdf5::{Dataset, Error};
use hdf5_sys::h5d::{H5Dget_chunk_info_by_coord, H5Dwrite_chunk};
use hdf5_sys::h5p::H5P_DEFAULT;

/// The place of a chunk in its file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ChunkPlace {
    /// Offset in the file, bytes.
    pub(crate) offset: u64,
    /// Length as stored, bytes.
    pub(crate) bytes: u64,
    /// Bit `i` is set if filter `i` was not applied.
    pub(crate) filter_mask: u32,
}

/// Stores `bytes`, which are already compressed, as the chunk of row `row` of a
/// four-dimensional dataset with one row per chunk.
pub(crate) fn write_chunk(dataset: &Dataset, row: usize, bytes: &[u8]) -> Result<(), Error> {
    let offset = [row as u64, 0, 0, 0];
    hdf5::sync::sync(|| {
        // SAFETY: the dataset is open and has four dimensions like `offset`; `bytes` is valid for
        // its length; HDF5's lock is held.
        let status = unsafe {
            H5Dwrite_chunk(
                dataset.id(),
                H5P_DEFAULT,
                0,
                offset.as_ptr(),
                bytes.len(),
                bytes.as_ptr().cast(),
            )
        };
        hdf5::h5check(status).map(|_| ())
    })
}

/// The chunks of a dataset, counted in row-major order.
#[derive(Debug)]
pub(crate) struct ChunkGrid {
    /// Extents of a chunk, elements.
    chunk: Vec<usize>,
    /// Chunks along each axis.
    counts: Vec<usize>,
}

impl ChunkGrid {
    /// Number of chunks.
    pub(crate) fn len(&self) -> usize {
        self.counts.iter().product()
    }

    /// Indices of the first element of a chunk.
    pub(crate) fn first_element(&self, mut index: usize) -> Vec<u64> {
        let mut first = vec![0; self.counts.len()];
        for ((first, count), side) in first.iter_mut().zip(&self.counts).zip(&self.chunk).rev() {
            *first = (index % count * side) as u64;
            index /= count;
        }
        first
    }

    /// The place of a chunk along the last axis, in chunks.
    pub(crate) fn last_axis(&self, index: usize) -> usize {
        index % self.counts.last().copied().unwrap_or(1).max(1)
    }
}

/// The chunks of a dataset; `None` if it is stored in one piece.
pub(crate) fn chunk_grid(dataset: &Dataset) -> Option<ChunkGrid> {
    let chunk = dataset.chunk()?;
    let counts = dataset.shape().iter().zip(&chunk).map(|(n, side)| n.div_ceil(*side)).collect();
    Some(ChunkGrid { chunk, counts })
}

/// The place of the chunk that starts at the element `offset`, which has an index for each axis;
/// `None` if the chunk was never written.
pub(crate) fn chunk_place(dataset: &Dataset, offset: &[u64]) -> Result<Option<ChunkPlace>, Error> {
    if offset.len() != dataset.ndim() {
        return Err(format!("a chunk of {} axes, expected {}", offset.len(), dataset.ndim()).into());
    }
    let (mut filter_mask, mut address, mut bytes) = (0, u64::MAX, 0);
    hdf5::sync::sync(|| {
        // SAFETY: the dataset is open and has as many dimensions as `offset`; the three results
        // are valid for writing; HDF5's lock is held.
        let status = unsafe {
            H5Dget_chunk_info_by_coord(
                dataset.id(),
                offset.as_ptr(),
                &raw mut filter_mask,
                &raw mut address,
                &raw mut bytes,
            )
        };
        hdf5::h5check(status)
    })?;
    // HADDR_UNDEF marks a chunk without storage.
    Ok((address != u64::MAX).then_some(ChunkPlace { offset: address, bytes, filter_mask }))
}
