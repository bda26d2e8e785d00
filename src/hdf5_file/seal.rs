//! The seal at the end of a file: a checksum of its metadata, which is checked before the HDF5
//! library reads any of it.
//!
//! The library trusts some metadata that no checksum of its own covers, and can crash or loop
//! when they are damaged. So a file is sealed when it is complete: behind the end that HDF5
//! knows, where HDF5 never looks, stand, in little-endian numbers of 64 bits,
//!
//! | part | meaning |
//! |---|---|
//! | `n` x (offset, bytes) | the parts of the file that hold data of datasets, ascending |
//! | `n` | their number |
//! | length | length of the file without the seal |
//! | hash | XXH3 of all bytes outside these parts, followed by the seal up to here |
//! | `SLGSEAL1` | eight letters |
//!
//! Data have hashes of their own ([`super::checksums`]), which lie in the metadata.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use xxhash_rust::xxh3::Xxh3Default;

use super::FormatError;
use super::spans::{ByteSpan, data_spans, outside, read_parts};
use super::unlocked::open_unlocked;

const MAGIC: &[u8; 8] = b"SLGSEAL1";
/// Length of the last three numbers and the magic letters.
const TAIL: usize = 32;

/// Seals the complete and closed file at `path`. Errors name `target`.
pub(super) fn append(path: &Path, target: &Path) -> Result<(), FormatError> {
    let spans = open_unlocked(path)
        .and_then(|file| data_spans(&file))
        .map_err(|e| FormatError::hdf5(target, "read its layout", &e))?;
    write(path, &spans).map_err(|e| FormatError::io(target, "write it", e))
}

fn write(path: &Path, spans: &[ByteSpan]) -> io::Result<()> {
    let file = File::options().read(true).write(true).open(path)?;
    let length = file.metadata()?.len();
    let beyond = || io::Error::new(io::ErrorKind::UnexpectedEof, "its data lie beyond its end");
    let metadata = outside(spans, length).ok_or_else(beyond)?;
    let mut seal = Vec::with_capacity(spans.len() * 16 + TAIL);
    for span in spans {
        seal.extend(span.offset.to_le_bytes());
        seal.extend(span.bytes.to_le_bytes());
    }
    seal.extend((spans.len() as u64).to_le_bytes());
    seal.extend(length.to_le_bytes());
    let hash = hash(&file, &metadata, &seal)?;
    seal.extend(hash.to_le_bytes());
    seal.extend(MAGIC);
    file.write_all_at(&seal, length)
}

fn hash(file: &File, metadata: &[ByteSpan], seal: &[u8]) -> io::Result<u64> {
    let mut hash = Xxh3Default::new();
    read_parts(file, metadata, |bytes| hash.update(bytes))?;
    hash.update(seal);
    Ok(hash.digest())
}

/// Whether the file at `path` is sealed. Files of version 1 and of other programs are not.
///
/// # Errors
/// [`FormatError::Checksum`] if the metadata are not those that were sealed.
pub(super) fn check(path: &Path) -> Result<bool, FormatError> {
    match read(path) {
        Ok(FoundSeal::None) => Ok(false),
        Ok(FoundSeal::Intact) => Ok(true),
        Ok(FoundSeal::Broken) => Err(FormatError::Checksum {
            path: path.to_owned(),
            item: "its metadata (attributes, names, places of data)".into(),
        }),
        Err(error) => Err(FormatError::io(path, "read it", error)),
    }
}

enum FoundSeal {
    None,
    Intact,
    Broken,
}

fn read(path: &Path) -> io::Result<FoundSeal> {
    let file = File::open(path)?;
    let end = file.metadata()?.len();
    let Some(tail_at) = end.checked_sub(TAIL as u64) else { return Ok(FoundSeal::None) };
    let mut tail = [0; TAIL];
    file.read_exact_at(&mut tail, tail_at)?;
    let number = |at: usize| u64::from_le_bytes(std::array::from_fn(|byte| tail[at + byte]));
    if tail[24..] != *MAGIC {
        return Ok(FoundSeal::None);
    }
    let (count, length, expected) = (number(0), number(8), number(16));
    let table = count.checked_mul(16).and_then(|bytes| tail_at.checked_sub(bytes));
    if table != Some(length) {
        return Ok(FoundSeal::Broken);
    }
    let mut seal = vec![0; usize::try_from(tail_at - length).unwrap_or(0)];
    file.read_exact_at(&mut seal, length)?;
    let spans: Vec<ByteSpan> = seal
        .as_chunks::<8>()
        .0
        .as_chunks::<2>()
        .0
        .iter()
        .map(|[offset, bytes]| ByteSpan {
            offset: u64::from_le_bytes(*offset),
            bytes: u64::from_le_bytes(*bytes),
        })
        .collect();
    let Some(metadata) = outside(&spans, length) else { return Ok(FoundSeal::Broken) };
    seal.extend(&tail[..16]);
    let intact = hash(&file, &metadata, &seal)? == expected;
    Ok(if intact { FoundSeal::Intact } else { FoundSeal::Broken })
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use ndarray::arr1;

    use super::super::{Attributes, StagedHdf5, check_dataset, open, read_all, read_texts};
    use super::*;

    /// A file with attributes of each kind, data in one piece, and texts.
    fn write_file(folder: &Path) -> PathBuf {
        let path = folder.join("file.h5");
        let mut output = StagedHdf5::create(&path).unwrap();
        output.attributes().put_str("name", "größer").unwrap();
        output.attributes().put_strs("names", &["a".into(), "bcd".into(), "".into()]).unwrap();
        output.attributes().put_f64s("numbers", &[1.5, f64::NAN]).unwrap();
        output.write_dataset("data", arr1(&[1_i32, 2, 3]).view()).unwrap();
        output.write_texts("texts", &["x".into(), "yz".into()]).unwrap();
        output.write_texts("none", &[]).unwrap();
        output.commit().unwrap();
        path
    }

    fn read_file(path: &Path) -> Result<String, FormatError> {
        let file = open(path)?;
        let attributes = Attributes::new(path, &file);
        let (name, names) = (attributes.str("name")?, attributes.strs("names")?);
        let numbers = attributes.f64s("numbers")?;
        let data = check_dataset::<i32>(path, &file, "data", &[None])?;
        let data = read_all::<i32, ndarray::Ix1>(path, &data)?;
        let texts = read_texts(path, &file, "texts", Some(2))?;
        let none = read_texts(path, &file, "none", None)?;
        Ok(format!("{name} {names:?} {numbers:?} {data} {texts:?} {none:?}"))
    }

    #[test]
    fn a_change_of_any_bit_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = write_file(folder.path());
        let expected = read_file(&path).unwrap();
        assert_eq!(
            expected,
            "größer [\"a\", \"bcd\", \"\"] [1.5, NaN] [1, 2, 3] [\"x\", \"yz\"] []"
        );
        let whole = std::fs::read(&path).unwrap();
        for at in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 1 << (at % 8);
            std::fs::write(&path, &damaged).unwrap();
            let error = match read_file(&path) {
                Err(error) => error,
                // Without its letters the file has no seal, and no version to say that it
                // should have one.
                Ok(_) => {
                    assert!(at >= whole.len() - MAGIC.len(), "byte {at}");
                    continue;
                }
            };
            assert!(error.is_damage() && error.path() == path, "byte {at}: {error}");
        }
    }

    #[test]
    fn a_seal_that_contradicts_the_file_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = write_file(folder.path());
        let whole = std::fs::read(&path).unwrap();
        let tail = whole.len() - TAIL;
        for (at, number) in [(0, u64::MAX), (0, 1 << 60), (8, 0), (8, u64::MAX), (16, 0)] {
            let mut damaged = whole.clone();
            damaged[tail + at..][..8].copy_from_slice(&number.to_le_bytes());
            std::fs::write(&path, &damaged).unwrap();
            let error = open(&path).unwrap_err();
            assert!(matches!(error, FormatError::Checksum { .. }), "{error}");
        }
        std::fs::write(&path, [&whole[..], b"more"].concat()).unwrap();
        assert!(!check(&path).unwrap());
        std::fs::write(&path, &whole[tail..]).unwrap();
        assert!(check(&path).is_err());
    }
}
