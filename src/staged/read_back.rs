//! The comparison of what was written with what is read.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use xxhash_rust::xxh3::Xxh3Default;

/// Name of the step that compares a file with what was written.
pub(crate) const READ_BACK: &str = "read back what was written";

/// The error of a file that has lost a write; `what` is the part that differs.
pub(super) fn lost_write(what: &str) -> io::Error {
    let problem = format!("{what} is not what was written, though no write failed");
    io::Error::new(io::ErrorKind::InvalidData, problem)
}

/// Checks that the file at `path` holds `bytes` bytes with the hash `hash`.
pub(super) fn check_content(path: &Path, bytes: u64, hash: u64) -> io::Result<()> {
    let mut file = File::open(path)?;
    let mut buffer = vec![0; 1 << 16];
    let (mut found, mut hasher) = (0, Xxh3Default::new());
    loop {
        match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => {
                hasher.update(&buffer[..read]);
                found += read as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    match (found, hasher.digest()) == (bytes, hash) {
        true => Ok(()),
        false => Err(lost_write(&format!("its content ({found} bytes of {bytes})"))),
    }
}
