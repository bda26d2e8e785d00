//! All data of a file with their checksums, for a check of every byte.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use hdf5::{Dataset, Group};
use xxhash_rust::xxh3::Xxh3Default;

use super::checksums::{HASH, hashes_of, stored_hash};
use super::chunks::{chunk_grid, chunk_place};
use super::part_hashes::read_hashes;
use super::{Attributes, FormatError, link_exists, open};

/// Bytes that are read at once.
const PIECE: usize = 1 << 20;

/// The data of a file, part by part.
#[derive(Debug)]
pub(crate) struct FileData {
    /// The version of the format that the file names; `None` in files of other programs.
    pub(crate) version: Option<i64>,
    /// The parts that have a checksum. Together they are all data of a file of version 2; files
    /// of version 1 have none.
    pub(crate) parts: Vec<DataPart>,
}

/// A part of a file that has a checksum: a dataset, or a row or chunk of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DataPart {
    item: String,
    offset: u64,
    /// Length as stored, bytes.
    pub(crate) bytes: u64,
    expected: u64,
}

impl DataPart {
    /// Reads the part and compares it with its checksum. `buffer` is reused from call to call.
    ///
    /// # Errors
    /// [`FormatError::Checksum`] if the bytes are not those that were written.
    pub(crate) fn check(
        &self,
        path: &Path,
        file: &File,
        buffer: &mut Vec<u8>,
    ) -> Result<(), FormatError> {
        let changed = || FormatError::Checksum { path: path.to_owned(), item: self.item.clone() };
        let mut hash = Xxh3Default::new();
        let (mut at, mut left) = (self.offset, self.bytes);
        while left > 0 {
            let length = usize::try_from(left).map_or(PIECE, |left| left.min(PIECE));
            buffer.resize(length, 0);
            match file.read_exact_at(buffer, at) {
                Ok(()) => hash.update(buffer),
                Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Err(changed()),
                Err(e) => return Err(FormatError::io(path, "read it", e)),
            }
            (at, left) = (at + length as u64, left - length as u64);
        }
        if hash.digest() == self.expected { Ok(()) } else { Err(changed()) }
    }
}

/// Opens the file at `path`, which checks its metadata, and lists its data.
///
/// # Errors
/// [`FormatError`] if the metadata are damaged, or if data of a file of version 2 have no
/// checksum.
pub(crate) fn list_data(path: &Path) -> Result<FileData, FormatError> {
    let file = open(path)?;
    let attributes = Attributes::new(path, &file);
    let version = match attributes.contains("format")? && attributes.contains("version")? {
        true => Some(attributes.i64("version")?),
        false => None,
    };
    let mut parts = Vec::new();
    if version.is_some_and(|version| version > 1) {
        collect(path, &file, &mut parts)?;
    }
    Ok(FileData { version, parts })
}

fn collect(path: &Path, group: &Group, parts: &mut Vec<DataPart>) -> Result<(), FormatError> {
    let failed = |e: hdf5::Error| FormatError::hdf5(path, "read its layout", &e);
    for dataset in group.datasets().map_err(failed)? {
        let full = dataset.name();
        let name = full.rsplit('/').next().unwrap_or_default();
        let whole = stored_hash(&dataset).map_err(failed)?;
        if let Some(expected) = whole {
            let bytes = dataset.storage_size();
            let offset = dataset.offset().filter(|_| bytes > 0).unwrap_or(0);
            let bytes = if offset == 0 { 0 } else { bytes };
            parts.push(DataPart { item: full, offset, bytes, expected });
        } else if link_exists(path, group, &hashes_of(name))? {
            collect_parts(path, group, &dataset, name, parts)?;
        } else {
            let expected = format!("an attribute {HASH} with its checksum");
            return Err(FormatError::Missing {
                path: path.to_owned(),
                item: format!("checksum of {full}"),
                expected,
            });
        }
    }
    let below = group.groups().map_err(failed)?;
    below.iter().try_for_each(|below| collect(path, below, parts))
}

/// Adds the rows of a dataset that is stored in one piece, or its chunks.
fn collect_parts(
    path: &Path,
    group: &Group,
    dataset: &Dataset,
    name: &str,
    parts: &mut Vec<DataPart>,
) -> Result<(), FormatError> {
    let full = dataset.name();
    let grid = chunk_grid(dataset);
    let rows = dataset.shape().first().copied().unwrap_or(0);
    let count = grid.as_ref().map_or(rows, super::chunks::ChunkGrid::len);
    let missing = |item: String| FormatError::Missing {
        path: path.to_owned(),
        item,
        expected: format!("data and checksums of {count} parts"),
    };
    let hashes = read_hashes(path, group, name, count)?;
    let hashes = hashes.ok_or_else(|| missing(format!("checksums of {full}")))?;
    let row_bytes = dataset.storage_size().checked_div(count as u64).unwrap_or(0);
    for (index, expected) in hashes.into_iter().enumerate() {
        let (item, place) = match &grid {
            Some(grid) => {
                let place = chunk_place(dataset, &grid.first_element(index));
                let place = place.map_err(|e| FormatError::hdf5(path, "read its layout", &e))?;
                (format!("{full}, chunk {index}"), place.map(|place| (place.offset, place.bytes)))
            }
            None => {
                let start =
                    dataset.offset().map(|start| (start + index as u64 * row_bytes, row_bytes));
                (format!("{full}, row {index}"), start)
            }
        };
        let (offset, bytes) = place.ok_or_else(|| missing(item.clone()))?;
        parts.push(DataPart { item, offset, bytes, expected });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::*;
    use crate::hdf5_file::spans::data_spans;
    use crate::hdf5_file::unlocked::open_unlocked;
    use crate::heatmap_h5::{HeatmapMeta, HeatmapWriter};

    /// Every byte that holds data is part of what is checked, and no change of it passes.
    #[test]
    fn every_data_byte_is_checked() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.h5");
        let meta = HeatmapMeta {
            slide: "a".into(),
            stride_px: 1,
            window_px: 2,
            downsample: 1.0,
            width_px: 300,
            height_px: 40,
            level0_width_px: 300,
            level0_height_px: 40,
            classes: vec!["x".into()],
            ..HeatmapMeta::default()
        };
        let score = Array2::from_shape_fn((40, 300), |(r, c)| (r * 300 + c) as f32 / 12_000.0);
        HeatmapWriter::create(&path, &meta, score.view()).unwrap().finish().unwrap();
        let found = list_data(&path).unwrap();
        assert_eq!(found.version, Some(2));
        let listed: u64 = found.parts.iter().map(|part| part.bytes).sum();
        let spans = data_spans(&open_unlocked(&path).unwrap()).unwrap();
        assert_eq!(listed, spans.iter().map(|span| span.bytes).sum::<u64>());
        let check = |path: &Path| -> Vec<String> {
            let file = File::open(path).unwrap();
            let failed = found.parts.iter().filter_map(|part| {
                part.check(path, &file, &mut Vec::new()).err().map(|error| error.to_string())
            });
            failed.collect()
        };
        assert_eq!(check(&path), Vec::<String>::new());
        let whole = std::fs::read(&path).unwrap();
        for span in spans {
            for at in [span.offset, span.offset + span.bytes / 2, span.end() - 1] {
                let mut damaged = whole.clone();
                damaged[usize::try_from(at).unwrap()] ^= 4;
                std::fs::write(&path, damaged).unwrap();
                assert_eq!(check(&path).len(), 1, "byte {at}");
            }
        }
        // Shorter than its data.
        std::fs::write(&path, &whole[..100]).unwrap();
        assert_eq!(check(&path).len(), found.parts.len());
    }
}
