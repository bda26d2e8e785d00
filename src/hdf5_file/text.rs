//! Texts in HDF5 files.
//!
//! A text has a fixed length in bytes, padded with NUL, so that it lies with the metadata or
//! data that a checksum covers. Texts of version 1 have a variable length and lie in HDF5's
//! global heap, which has no checksum; see [`super::heap`].

use hdf5::types::{TypeDescriptor, VarLenUnicode};
use hdf5::{Attribute, Container, Dataset, Datatype, Group, Location, Result};
use hdf5_sys::h5a::{H5Aread, H5Awrite};
use hdf5_sys::h5d::{H5Dread, H5Dwrite};
use hdf5_sys::h5p::H5P_DEFAULT;
use hdf5_sys::h5s::H5S_ALL;

/// Largest size of a list of texts, bytes, so that a damaged length is an error and not a huge
/// allocation.
const LARGEST: usize = 1 << 28;

/// Texts of one length in bytes, padded with NUL.
pub(super) struct PaddedTexts {
    /// Length of each text, bytes, at least 1: HDF5 has no texts of length 0.
    width: usize,
    /// The texts one after the other.
    pub(super) bytes: Vec<u8>,
}

impl PaddedTexts {
    /// Pads `values`; `None` if one contains a NUL, which could not be distinguished from padding.
    pub(super) fn new<S: AsRef<str>>(values: &[S]) -> Option<Self> {
        let values = || values.iter().map(|value| value.as_ref().as_bytes());
        let width = values().map(<[u8]>::len).max().unwrap_or(0).max(1);
        let mut bytes = Vec::with_capacity(width * values().len());
        for value in values() {
            if value.contains(&0) {
                return None;
            }
            bytes.extend(value);
            bytes.resize(bytes.len() + width - value.len(), 0);
        }
        Some(Self { width, bytes })
    }

    fn kind(&self) -> TypeDescriptor {
        TypeDescriptor::FixedUnicode(self.width)
    }

    /// Writes the texts as attribute `name`: one text without dimensions, or a list.
    pub(super) fn write_attribute(
        &self,
        location: &Location,
        name: &str,
        is_list: bool,
    ) -> Result<()> {
        let kind = self.kind();
        let builder = location.new_attr_builder().empty_as(&kind);
        let attribute = match is_list {
            true => builder.shape(self.bytes.len() / self.width).create(name)?,
            false => builder.create(name)?,
        };
        if self.bytes.is_empty() {
            return Ok(());
        }
        let kind = Datatype::from_descriptor(&kind)?;
        hdf5::sync::sync(|| {
            // SAFETY: the attribute and the type are open; the bytes are as many texts of this
            // type as the attribute has; HDF5's lock is held.
            let status = unsafe { H5Awrite(attribute.id(), kind.id(), self.bytes.as_ptr().cast()) };
            hdf5::h5check(status).map(drop)
        })
    }

    /// Writes the texts as a one-dimensional dataset.
    pub(super) fn write_dataset(&self, group: &Group, name: &str) -> Result<Dataset> {
        let kind = self.kind();
        let builder = group.new_dataset_builder().obj_track_times(false).empty_as(&kind);
        let dataset = builder.shape(self.bytes.len() / self.width).create(name)?;
        if self.bytes.is_empty() {
            return Ok(dataset);
        }
        let kind = Datatype::from_descriptor(&kind)?;
        hdf5::sync::sync(|| {
            // SAFETY: the dataset and the type are open; the bytes are as many texts of this
            // type as the dataset has; HDF5's lock is held.
            let status = unsafe {
                let bytes = self.bytes.as_ptr().cast();
                H5Dwrite(dataset.id(), kind.id(), H5S_ALL, H5S_ALL, H5P_DEFAULT, bytes)
            };
            hdf5::h5check(status).map(drop)
        })?;
        Ok(dataset)
    }
}

/// Reads the texts of an attribute, of fixed or variable length.
pub(super) fn of_attribute(attribute: &Attribute) -> Result<Vec<String>> {
    match fixed(attribute)? {
        None => variable(attribute),
        Some(FixedTexts { kind, width, mut bytes }) => {
            if !bytes.is_empty() {
                hdf5::sync::sync(|| {
                    // SAFETY: the attribute and the type are open; the buffer has the size of
                    // the attribute's texts in this type; HDF5's lock is held.
                    let status =
                        unsafe { H5Aread(attribute.id(), kind.id(), bytes.as_mut_ptr().cast()) };
                    hdf5::h5check(status).map(drop)
                })?;
            }
            split(&bytes, width)
        }
    }
}

/// The bytes of a dataset of texts of fixed length, and the length of each; `None` if their
/// length is variable.
pub(super) fn bytes_of(dataset: &Dataset) -> Result<Option<(usize, Vec<u8>)>> {
    let Some(FixedTexts { kind, width, mut bytes }) = fixed(dataset)? else { return Ok(None) };
    if !bytes.is_empty() {
        hdf5::sync::sync(|| {
            // SAFETY: the dataset and the type are open; the buffer has the size of the
            // dataset's texts in this type; HDF5's lock is held.
            let status = unsafe {
                let bytes = bytes.as_mut_ptr().cast();
                H5Dread(dataset.id(), kind.id(), H5S_ALL, H5S_ALL, H5P_DEFAULT, bytes)
            };
            hdf5::h5check(status).map(drop)
        })?;
    }
    Ok(Some((width, bytes)))
}

/// The texts of variable length of an attribute or dataset.
pub(super) fn variable(container: &Container) -> Result<Vec<String>> {
    if container.size() == 0 {
        return Ok(Vec::new());
    }
    let texts = container.read_raw::<VarLenUnicode>()?;
    // The bytes come from a file, and the HDF5 library has not checked them.
    texts.iter().map(|text| utf8(text.as_bytes())).collect()
}

/// Cuts texts of `width` bytes apart and removes their padding.
pub(super) fn split(bytes: &[u8], width: usize) -> Result<Vec<String>> {
    let padding = |text: &[u8]| text.iter().rev().take_while(|&&byte| byte == 0).count();
    bytes.chunks_exact(width).map(|text| utf8(&text[..text.len() - padding(text)])).collect()
}

fn utf8(bytes: &[u8]) -> Result<String> {
    let text = std::str::from_utf8(bytes).map_err(|_| hdf5::Error::from("not UTF-8"))?;
    Ok(text.to_owned())
}

/// Texts of fixed length.
struct FixedTexts {
    /// Their type.
    kind: Datatype,
    /// Length of each, bytes.
    width: usize,
    /// A buffer for all of them.
    bytes: Vec<u8>,
}

/// The texts of fixed length of an attribute or dataset, not read yet; `None` if their length is
/// variable.
fn fixed(container: &Container) -> Result<Option<FixedTexts>> {
    let width = match container.dtype()?.to_descriptor()? {
        TypeDescriptor::VarLenUnicode | TypeDescriptor::VarLenAscii => return Ok(None),
        TypeDescriptor::FixedUnicode(width) | TypeDescriptor::FixedAscii(width) => width,
        other => return Err(format!("of type {other}").into()),
    };
    let bytes = container.size().checked_mul(width).filter(|&bytes| bytes <= LARGEST);
    let bytes = bytes.ok_or_else(|| format!("{} texts of {width} bytes", container.size()))?;
    let kind = Datatype::from_descriptor(&TypeDescriptor::FixedUnicode(width))?;
    Ok(Some(FixedTexts { kind, width, bytes: vec![0; bytes] }))
}
