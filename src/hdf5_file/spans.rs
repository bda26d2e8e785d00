//! The parts of a file that hold data of datasets. All else is metadata.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use hdf5::{Dataset, Group, Result};

use super::chunks::{chunk_grid, chunk_place};

/// A part of a file, bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ByteSpan {
    pub(super) offset: u64,
    pub(super) bytes: u64,
}

impl ByteSpan {
    pub(super) fn end(self) -> u64 {
        self.offset.saturating_add(self.bytes)
    }
}

/// The parts of the file that hold data of the datasets in `root` and the groups below,
/// ascending; neighbours are joined.
pub(super) fn data_spans(root: &Group) -> Result<Vec<ByteSpan>> {
    let mut found = Vec::new();
    collect(root, &mut found)?;
    found.sort_unstable();
    let mut joined: Vec<ByteSpan> = Vec::new();
    for span in found {
        match joined.last_mut() {
            Some(last) if last.end() == span.offset => last.bytes += span.bytes,
            _ => joined.push(span),
        }
    }
    Ok(joined)
}

fn collect(group: &Group, found: &mut Vec<ByteSpan>) -> Result<()> {
    for dataset in group.datasets()? {
        dataset_spans(&dataset, found)?;
    }
    group.groups()?.iter().try_for_each(|below| collect(below, found))
}

fn dataset_spans(dataset: &Dataset, found: &mut Vec<ByteSpan>) -> Result<()> {
    let Some(grid) = chunk_grid(dataset) else {
        let bytes = dataset.storage_size();
        found.extend(
            dataset.offset().filter(|_| bytes > 0).map(|offset| ByteSpan { offset, bytes }),
        );
        return Ok(());
    };
    for index in 0..grid.len() {
        if let Some(place) = chunk_place(dataset, &grid.first_element(index))? {
            found.push(ByteSpan { offset: place.offset, bytes: place.bytes });
        }
    }
    Ok(())
}

/// The parts of a file of `length` bytes that lie outside `spans`, which are ascending; `None`
/// if they are not, or reach beyond the file.
pub(super) fn outside(spans: &[ByteSpan], length: u64) -> Option<Vec<ByteSpan>> {
    let (mut gaps, mut at) = (Vec::new(), 0);
    for span in spans {
        if span.offset < at || span.end() > length {
            return None;
        }
        gaps.push(ByteSpan { offset: at, bytes: span.offset - at });
        at = span.end();
    }
    gaps.push(ByteSpan { offset: at, bytes: length.checked_sub(at)? });
    gaps.retain(|gap| gap.bytes > 0);
    Some(gaps)
}

/// Reads the `parts` of a file piece by piece.
pub(super) fn read_parts(
    file: &File,
    parts: &[ByteSpan],
    mut each: impl FnMut(&[u8]),
) -> io::Result<()> {
    let mut buffer = vec![0; 1 << 16];
    for part in parts {
        let mut at = part.offset;
        while at < part.end() {
            let length = usize::try_from(part.end() - at).unwrap_or(usize::MAX).min(buffer.len());
            file.read_exact_at(&mut buffer[..length], at)?;
            each(&buffer[..length]);
            at += length as u64;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_outside_is_all_else() {
        let span = |offset, bytes| ByteSpan { offset, bytes };
        assert_eq!(outside(&[], 7), Some(vec![span(0, 7)]));
        let gaps = outside(&[span(0, 2), span(5, 1), span(6, 2)], 9);
        assert_eq!(gaps, Some(vec![span(2, 3), span(8, 1)]));
        assert_eq!(outside(&[span(3, 2)], 5), Some(vec![span(0, 3)]));
        for wrong in [vec![span(3, 3)], vec![span(2, 2), span(3, 1)], vec![span(1, u64::MAX)]] {
            assert_eq!(outside(&wrong, 5), None, "{wrong:?}");
        }
    }
}
