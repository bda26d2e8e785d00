//! Reading and writing of whole datasets. They are stored contiguously, and their type and
//! shape are checked before they are read.

use std::path::Path;

use hdf5::{Dataset, Group, H5Type};
use ndarray::{Array, ArrayView, Dimension};
use xxhash_rust::xxh3::xxh3_64;

use super::checksums::{check_hash, check_whole};
use super::hashed::Hashed;
use super::{FormatError, link_exists, text};

/// Largest plausible ratio of a dataset's size to its stored size; deflate reaches at most 1032.
const LARGEST_RATIO: u64 = 1100;

/// Writes `data`, in standard layout, as dataset `name` of `group`.
pub(super) fn write_dataset<T: H5Type, D: Dimension>(
    path: &Path,
    group: &Group,
    name: &str,
    data: ArrayView<'_, T, D>,
) -> Result<Dataset, FormatError> {
    group
        .new_dataset_builder()
        .obj_track_times(false)
        .empty::<T>()
        .shape(data.shape())
        .create(name)
        .and_then(|dataset| match data.is_empty() {
            true => Ok(dataset),
            false => dataset.write(data).map(|()| dataset),
        })
        .map_err(|e| FormatError::hdf5(path, &format!("write {}", item(group, name)), &e))
}

/// Opens dataset `name` of `group` and checks its type and shape. `None` in `shape` allows any
/// extent.
pub(crate) fn check_dataset<T: H5Type>(
    path: &Path,
    group: &Group,
    name: &str,
    shape: &[Option<usize>],
) -> Result<Dataset, FormatError> {
    let item = item(group, name);
    let expected = || {
        let extents: Vec<_> =
            shape.iter().map(|n| n.map_or("any".to_owned(), |n| n.to_string())).collect();
        format!("{} [{}]", std::any::type_name::<T>(), extents.join(", "))
    };
    if !link_exists(path, group, name)? {
        return Err(FormatError::Missing { path: path.to_owned(), item, expected: expected() });
    }
    let unreadable = |e: hdf5::Error| FormatError::hdf5(path, &format!("read {item}"), &e);
    let dataset = group.dataset(name).map_err(unreadable)?;
    let descriptor = dataset.dtype().and_then(|t| t.to_descriptor()).map_err(unreadable)?;
    let found_shape = dataset.get_shape().map_err(unreadable)?;
    let fits = found_shape.len() == shape.len()
        && found_shape.iter().zip(shape).all(|(n, want)| want.is_none_or(|want| *n == want));
    if descriptor != T::type_descriptor() || !fits {
        return Err(FormatError::Layout {
            path: path.to_owned(),
            item,
            found: format!("{descriptor} {found_shape:?}"),
            expected: expected(),
        });
    }
    Ok(dataset)
}

/// Reads a dataset that [`check_dataset`] has opened, and compares it with its checksum if it
/// has one of its own.
pub(crate) fn read_all<T: Hashed, D: Dimension>(
    path: &Path,
    dataset: &Dataset,
) -> Result<Array<T, D>, FormatError> {
    refuse_implausible::<T>(path, dataset)?;
    let array = dataset
        .read::<T, D>()
        .map_err(|e| FormatError::hdf5(path, &format!("read {}", dataset.name()), &e))?;
    check_whole(path, dataset, array.as_slice().expect("HDF5 reads into standard layout"))?;
    Ok(array)
}

/// Reads a one-dimensional dataset of texts, and compares it with its checksum. `None` in
/// `count` allows any number of texts.
pub(crate) fn read_texts(
    path: &Path,
    group: &Group,
    name: &str,
    count: Option<usize>,
) -> Result<Vec<String>, FormatError> {
    let item = item(group, name);
    let expected = || format!("texts [{}]", count.map_or("any".into(), |n| n.to_string()));
    if !link_exists(path, group, name)? {
        return Err(FormatError::Missing { path: path.to_owned(), item, expected: expected() });
    }
    let unreadable = |e: hdf5::Error| FormatError::hdf5(path, &format!("read {item}"), &e);
    let dataset = group.dataset(name).map_err(unreadable)?;
    let shape = dataset.shape();
    if shape.len() != 1 || count.is_some_and(|count| shape[0] != count) {
        let (found, expected) = (format!("{shape:?}"), expected());
        return Err(FormatError::Layout { path: path.to_owned(), item, found, expected });
    }
    match text::bytes_of(&dataset).map_err(unreadable)? {
        None => {
            refuse_implausible::<u8>(path, &dataset)?;
            text::variable(&dataset).map_err(unreadable)
        }
        Some((width, bytes)) => {
            check_hash(path, &dataset, || xxh3_64(&bytes))?;
            text::split(&bytes, width).map_err(unreadable)
        }
    }
}

/// Refuses a dataset whose extents need more elements than its stored bytes can hold, so that a
/// damaged extent is an error and not a huge allocation.
fn refuse_implausible<T>(path: &Path, dataset: &Dataset) -> Result<(), FormatError> {
    let bytes = dataset
        .shape()
        .iter()
        .try_fold(size_of::<T>() as u64, |product, &n| product.checked_mul(n as u64));
    let limit = dataset.storage_size().saturating_mul(LARGEST_RATIO);
    if bytes.is_some_and(|bytes| bytes <= limit) {
        return Ok(());
    }
    Err(FormatError::Layout {
        path: path.to_owned(),
        item: dataset.name(),
        found: format!("{:?} in {} bytes", dataset.shape(), dataset.storage_size()),
        expected: "as many elements as its bytes can hold".into(),
    })
}

/// Path of a dataset in its file.
pub(super) fn item(group: &Group, name: &str) -> String {
    format!("{}/{name}", group.name().trim_end_matches('/'))
}
