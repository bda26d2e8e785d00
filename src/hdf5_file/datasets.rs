//! Reading and writing of whole datasets. They are stored contiguously, and their type and
//! shape are checked before they are read.

use std::path::Path;

use hdf5::{Dataset, Group, H5Type};
use ndarray::{Array, ArrayView, Dimension};

use super::{FormatError, link_exists};

/// Largest plausible ratio of a dataset's size to its stored size; deflate reaches at most 1032.
const LARGEST_RATIO: u64 = 1100;

/// Writes `data`, in standard layout, as dataset `name` of `group`.
pub(super) fn write_dataset<T: H5Type, D: Dimension>(
    path: &Path,
    group: &Group,
    name: &str,
    data: ArrayView<'_, T, D>,
) -> Result<(), FormatError> {
    group
        .new_dataset_builder()
        .obj_track_times(false)
        .empty::<T>()
        .shape(data.shape())
        .create(name)
        .and_then(|dataset| if data.is_empty() { Ok(()) } else { dataset.write(data) })
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

/// Reads a dataset that [`check_dataset`] has opened.
pub(crate) fn read_all<T: H5Type, D: Dimension>(
    path: &Path,
    dataset: &Dataset,
) -> Result<Array<T, D>, FormatError> {
    refuse_implausible::<T>(path, dataset)?;
    dataset
        .read::<T, D>()
        .map_err(|e| FormatError::hdf5(path, &format!("read {}", dataset.name()), &e))
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

fn item(group: &Group, name: &str) -> String {
    format!("{}/{name}", group.name().trim_end_matches('/'))
}
