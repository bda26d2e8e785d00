//! Reading of the checksums of data that are stored in parts, and the comparison with them.

use std::fs::File;
use std::path::Path;

use hdf5::Group;
use ndarray::Ix1;

use super::checksums::{hash_chunk, hashes_of};
use super::chunks::chunk_grid;
use super::{FormatError, check_dataset, link_exists, read_all};

/// The hashes of the `count` parts of dataset `name`; `None` in files of version 1.
pub(crate) fn read_hashes(
    path: &Path,
    group: &Group,
    name: &str,
    count: usize,
) -> Result<Option<Vec<u64>>, FormatError> {
    let name = hashes_of(name);
    if !link_exists(path, group, &name)? {
        return Ok(None);
    }
    let hashes = check_dataset::<u64>(path, group, &name, &[Some(count)])?;
    Ok(Some(read_all::<u64, Ix1>(path, &hashes)?.to_vec()))
}

/// Compares the stored chunks of dataset `name` of `group` with their hashes, if there are
/// any, so that what the HDF5 library decompresses is what was written. With `last`, only
/// chunks at this place along the last axis are compared.
pub(crate) fn check_chunks(
    path: &Path,
    group: &Group,
    name: &str,
    last: Option<usize>,
) -> Result<(), FormatError> {
    let item = format!("/{name}");
    let failed = |e: hdf5::Error| FormatError::hdf5(path, &format!("read {item}"), &e);
    let dataset = group.dataset(name).map_err(failed)?;
    let Some(grid) = chunk_grid(&dataset) else { return Ok(()) };
    let Some(hashes) = read_hashes(path, group, name, grid.len())? else { return Ok(()) };
    let file = File::open(path).map_err(|e| FormatError::io(path, "open", e))?;
    let mut bytes = Vec::new();
    for (index, &expected) in hashes.iter().enumerate() {
        if last.is_some_and(|last| grid.last_axis(index) != last) {
            continue;
        }
        let found = hash_chunk(&dataset, &grid, index, &file, &mut bytes);
        match found {
            Ok(found) if found == expected => {}
            Err(e) if e.raw_os_error().is_some() => {
                return Err(FormatError::io(path, "read it", e));
            }
            _ => {
                let item = format!("{item}, chunk {index}");
                return Err(FormatError::Checksum { path: path.to_owned(), item });
            }
        }
    }
    Ok(())
}
