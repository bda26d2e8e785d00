//! The check of the texts in files of version 1, before the HDF5 library reads them.
//!
//! These texts lie in HDF5's global heap, which has no checksum. If lengths in the heap are
//! damaged, the library can crash or loop. A heap that the library has written once, as for
//! the files of this program, holds its texts one after the other, numbered from 1, padded
//! with NUL to 8 bytes, and then free space; any other heap is refused.
//!
//! Source of the layout: HDF5 File Format Specification, version 3.0, section III.E,
//! "Disk Format: Level 1E - Global Heap".

use std::path::Path;

use hdf5::File;

use super::FormatError;
use super::spans::{data_spans, outside, read_parts};

/// Signature, version 1 and reserved bytes of a collection.
const START: &[u8; 8] = b"GCOL\x01\0\0\0";
/// Length of the header of a collection, and of that of an object.
const HEADER: usize = 16;
/// Least size of a collection.
const LEAST: usize = 4096;

/// Checks all heaps of an open file.
pub(super) fn check(path: &Path, file: &File) -> Result<(), FormatError> {
    let spans =
        data_spans(file).map_err(|e| FormatError::hdf5(path, "read the places of its data", &e))?;
    let failed = |e| FormatError::io(path, "read it", e);
    let bytes = std::fs::File::open(path).map_err(failed)?;
    let length = bytes.metadata().map_err(failed)?.len();
    let beyond = || FormatError::invalid(path, "has data beyond its end: it was cut short");
    for gap in outside(&spans, length).ok_or_else(beyond)? {
        let mut metadata = Vec::new();
        read_parts(&bytes, &[gap], |piece| metadata.extend(piece)).map_err(failed)?;
        let starts = metadata.windows(START.len()).enumerate().filter(|(_, found)| found == START);
        for (at, _) in starts {
            if !is_whole(&metadata[at..]) {
                let item = "a text of its attributes (length in HDF5's heap)".into();
                return Err(FormatError::Checksum { path: path.to_owned(), item });
            }
        }
    }
    Ok(())
}

/// Whether `bytes` start with a collection as the library writes it.
fn is_whole(bytes: &[u8]) -> bool {
    let Some(size) = number(bytes, 8, 8) else { return false };
    let Some(collection) = bytes.get(..size).filter(|_| size >= LEAST) else { return false };
    let (mut at, mut index) = (HEADER, 0);
    while at + HEADER <= size {
        let header = |from, length| number(collection, at + from, length).unwrap_or(usize::MAX);
        let (found, length) = (header(0, 2), header(8, 8));
        if found == 0 {
            // Free space, with its header, is the rest.
            return length == size - at;
        }
        index += 1;
        let start = at + HEADER;
        let padded =
            length.checked_next_multiple_of(8).and_then(|length| length.checked_add(start));
        let Some(end) = padded.filter(|&end| end <= size) else { return false };
        let (text, padding) = collection[start..end].split_at(length);
        if found != index || text.contains(&0) || padding.iter().any(|&byte| byte != 0) {
            return false;
        }
        at = end;
    }
    true
}

fn number(bytes: &[u8], at: usize, length: usize) -> Option<usize> {
    let bytes = bytes.get(at..at.checked_add(length)?)?;
    let value = bytes.iter().rev().fold(0_u64, |value, &byte| value << 8 | u64::from(byte));
    usize::try_from(value).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A collection as the library writes one with these texts.
    fn collection(texts: &[&str]) -> Vec<u8> {
        let mut bytes = START.to_vec();
        bytes.extend(4096_u64.to_le_bytes());
        for (index, text) in (1_u16..).zip(texts) {
            bytes.extend(index.to_le_bytes());
            bytes.extend([1, 0, 0, 0, 0, 0]);
            bytes.extend((text.len() as u64).to_le_bytes());
            bytes.extend(text.as_bytes());
            bytes.resize(bytes.len().next_multiple_of(8), 0);
        }
        let free = 4096 - bytes.len() as u64;
        bytes.extend([0; 8]);
        bytes.extend(free.to_le_bytes());
        bytes.resize(4096, 0);
        bytes
    }

    #[test]
    fn a_heap_is_whole_or_refused() {
        let whole = collection(&["slidegrid-scores", "", "a", "window"]);
        assert!(is_whole(&whole));
        assert!(is_whole(&[whole.clone(), vec![7; 100]].concat()));
        assert!(!is_whole(&whole[..4095]));
        // The second object's number, and every length.
        for (at, value) in
            [(48, 3), (24, 17), (24, 15), (31, 0xff), (56, 1), (72, 9), (9, 0), (15, 1)]
        {
            let mut damaged = whole.clone();
            damaged[at] = value;
            assert!(!is_whole(&damaged), "byte {at} is {value}");
        }
    }
}
