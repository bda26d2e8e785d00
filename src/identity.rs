//! The identity of a slide's file: length, time and quick hash, by which a replaced file is
//! noticed.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;

use xxhash_rust::xxh3::Xxh3Default;

/// How much of the file's start and end is hashed, bytes.
const END_BYTES: u64 = 1 << 20;

/// How old a file has to be before its length and time stand for its content, seconds.
const SETTLED_S: f64 = 60.0;

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
    pub fn read(path: &Path) -> io::Result<Self> {
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

    /// How the file at `path` differs from this one, which was found at `found_unix_s` (Unix time,
    /// seconds) or later, in words. `None` if it is the same, also when only its time differs, or
    /// if it cannot be read now.
    ///
    /// If length and time are unchanged, the content is not read, unless the file was less than a
    /// minute old when it was found: times in whole seconds, and late clocks of file servers,
    /// could hide a change.
    pub fn change(&self, path: &Path, found_unix_s: f64) -> Option<String> {
        let metadata = std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file)?;
        let is_settled = self.modified_unix_s as f64 + SETTLED_S < found_unix_s;
        if is_settled && (metadata.len(), metadata.mtime()) == (self.bytes, self.modified_unix_s) {
            return None;
        }
        if metadata.len() != self.bytes {
            return Some(format!("{} bytes, then {}", metadata.len(), self.bytes));
        }
        let now = Self::read(path).ok()?;
        (now.hash != self.hash).then(|| "other content of the same length".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Later than the files of the tests.
    const SETTLED: f64 = 1e11;

    #[test]
    fn a_copy_is_the_same_and_a_change_of_its_ends_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("slide");
        for length in [0_usize, 1, 1 << 20, (1 << 20) + 7, 3 << 20] {
            let content: Vec<u8> = (0..length).map(|at| (at % 251) as u8).collect();
            std::fs::write(&path, &content).unwrap();
            let found = SlideIdentity::read(&path).unwrap();
            assert_eq!(found.bytes, length as u64);
            // A copy has another time.
            let before = SlideIdentity { modified_unix_s: found.modified_unix_s - 9, ..found };
            assert_eq!(before.change(&path, SETTLED), None);
            for at in [0, length / 2, length.saturating_sub(1)] {
                let mut changed = content.clone();
                let Some(byte) = changed.get_mut(at) else { continue };
                *byte ^= 1;
                std::fs::write(&path, &changed).unwrap();
                // The middle of a long file is not looked at.
                let is_seen = at != length / 2 || length <= 2 << 20;
                assert_eq!(before.change(&path, SETTLED).is_some(), is_seen, "{at} of {length}");
            }
            std::fs::write(&path, [&content[..], b"x"].concat()).unwrap();
            assert!(before.change(&path, SETTLED).unwrap().contains("bytes"));
        }
        std::fs::remove_file(&path).unwrap();
        assert!(SlideIdentity::read(&path).is_err());
        assert_eq!(
            SlideIdentity { bytes: 1, modified_unix_s: 0, hash: 0 }.change(&path, 0.0),
            None
        );
    }
    #[test]
    fn a_file_written_twice_in_a_second_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("slide");
        std::fs::write(&path, "before").unwrap();
        let mut found = SlideIdentity::read(&path).unwrap();
        std::fs::write(&path, "behind").unwrap();
        // The file is written twice in one second.
        found.modified_unix_s = std::fs::metadata(&path).unwrap().mtime();
        let modified_unix_s = found.modified_unix_s as f64;
        for age_s in [-10.0, 0.0, 59.0] {
            assert!(found.change(&path, modified_unix_s + age_s).is_some(), "{age_s}");
        }
        // Later the time suffices, and the content is not read.
        assert_eq!(found.change(&path, modified_unix_s + 61.0), None);
    }
}
