//! Whether an object or attribute exists in a file. "Does not exist" is an answer; "cannot be
//! read" is an error.

use std::ffi::CString;
use std::path::Path;

use hdf5::{Group, Location};
use hdf5_sys::h5a::H5Aexists;
use hdf5_sys::h5l::H5Lexists;
use hdf5_sys::h5p::H5P_DEFAULT;

use super::FormatError;

/// Whether `group` has a group or dataset of that name.
pub(crate) fn link_exists(path: &Path, group: &Group, name: &str) -> Result<bool, FormatError> {
    let Ok(text) = CString::new(name) else { return Ok(false) };
    let found = hdf5::sync::sync(|| {
        // SAFETY: the group is open and the name NUL-terminated; HDF5's lock is held.
        hdf5::h5check(unsafe { H5Lexists(group.id(), text.as_ptr(), H5P_DEFAULT) })
    });
    found.map(|found| found > 0).map_err(|e| FormatError::hdf5(path, &format!("read {name}"), &e))
}

/// Whether `object` has an attribute of that name.
pub(super) fn attribute_exists(object: &Location, name: &str) -> hdf5::Result<bool> {
    let Ok(text) = CString::new(name) else { return Ok(false) };
    hdf5::sync::sync(|| {
        // SAFETY: the object is open and the name NUL-terminated; HDF5's lock is held.
        hdf5::h5check(unsafe { H5Aexists(object.id(), text.as_ptr()) })
    })
    .map(|found| found > 0)
}
