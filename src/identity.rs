//! What tells a slide's file from another one, or from itself before a change.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;

use xxhash_rust::xxh3::Xxh3Default;

/// How much of the file's start and end is hashed, bytes.
const END_BYTES: u64 = 1 << 20;

/// Size, time and quick hash of a slide's file. A file that is copied keeps its size and hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SlideIdentity {
    /// Length of the file.
    pub bytes: u64,
    /// When the file was last modified, Unix time in seconds.
    pub modified_unix_s: i64,
    /// XXH3 of the length (8 bytes, little-endian), the first MiB and the last MiB of the file;
    /// of a shorter file, of its length and all of it.
    pub hash: u64,
}

impl SlideIdentity {
    /// The identity of the file at `path` now.
    ///
    /// # Errors
    /// The system's error if the file cannot be read.
    pub fn of(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        let bytes = metadata.len();
        let mut hash = Xxh3Default::new();
        hash.update(&bytes.to_le_bytes());
        let last = bytes.saturating_sub(END_BYTES).max(END_BYTES.min(bytes));
        for part in [0..END_BYTES.min(bytes), last..bytes] {
            let length = usize::try_from(part.end - part.start).unwrap_or(0);
            let mut buffer = vec![0; length];
            file.read_exact_at(&mut buffer, part.start)?;
            hash.update(&buffer);
        }
        Ok(Self { bytes, modified_unix_s: metadata.mtime(), hash: hash.digest() })
    }

    /// How the file at `path` differs from this one, in words. `None` if it is the same, also
    /// when only its time differs, or if it cannot be read now.
    pub fn change(&self, path: &Path) -> Option<String> {
        let metadata = std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file)?;
        if (metadata.len(), metadata.mtime()) == (self.bytes, self.modified_unix_s) {
            return None;
        }
        if metadata.len() != self.bytes {
            return Some(format!("{} bytes, then {}", metadata.len(), self.bytes));
        }
        let now = Self::of(path).ok()?;
        (now.hash != self.hash).then(|| "other content of the same length".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_is_the_same_and_a_change_of_its_ends_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("slide");
        for length in [0_usize, 1, 1 << 20, (1 << 20) + 7, 3 << 20] {
            let content: Vec<u8> = (0..length).map(|at| (at % 251) as u8).collect();
            std::fs::write(&path, &content).unwrap();
            let found = SlideIdentity::of(&path).unwrap();
            assert_eq!(found.bytes, length as u64);
            // Of another time, as a copy.
            let before = SlideIdentity { modified_unix_s: found.modified_unix_s - 9, ..found };
            assert_eq!(before.change(&path), None);
            for at in [0, length / 2, length.saturating_sub(1)] {
                let mut changed = content.clone();
                let Some(byte) = changed.get_mut(at) else { continue };
                *byte ^= 1;
                std::fs::write(&path, &changed).unwrap();
                // The middle of a long file is not looked at.
                let is_seen = at != length / 2 || length <= 2 << 20;
                assert_eq!(before.change(&path).is_some(), is_seen, "{at} of {length}");
            }
            std::fs::write(&path, [&content[..], b"x"].concat()).unwrap();
            assert!(before.change(&path).unwrap().contains("bytes"));
        }
        std::fs::remove_file(&path).unwrap();
        assert!(SlideIdentity::of(&path).is_err());
        assert_eq!(SlideIdentity { bytes: 1, modified_unix_s: 0, hash: 0 }.change(&path), None);
    }
}
