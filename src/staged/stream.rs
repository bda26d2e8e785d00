//! An output file of any length that is written from front to end. A few places in the file
//! may be filled in later.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;

use xxhash_rust::xxh3::xxh3_64;

use super::error::StageError;
use super::file::StagedFile;
use super::read_back::{READ_BACK, lost_write};

/// Size of the blocks that are written and hashed.
const BLOCK_BYTES: usize = 1 << 20;

/// A file that is being written from front to end under a temporary name. If it is dropped
/// without [`StagedStream::commit`], it is removed.
#[derive(Debug)]
pub(crate) struct StagedStream {
    staged: StagedFile,
    /// Bytes that are not written yet.
    block: Vec<u8>,
    /// Length and hash of each block as first written, before late bytes.
    hashes: Vec<(usize, u64)>,
    deferred: Vec<DeferredBytes>,
}

/// Bytes that replace zeros which were written before.
#[derive(Debug, Clone, Copy)]
struct DeferredBytes {
    at: u64,
    bytes: [u8; 8],
}

impl StagedStream {
    /// Starts a file that will become `target`. A missing folder is created.
    ///
    /// # Errors
    /// [`StageError`] if the folder or the temporary file cannot be created.
    pub(crate) fn new(target: &Path) -> Result<Self, StageError> {
        let staged = StagedFile::new(target)?;
        let block = Vec::with_capacity(BLOCK_BYTES);
        Ok(Self { staged, block, hashes: Vec::new(), deferred: Vec::new() })
    }

    /// The temporary path of the file.
    pub(crate) fn path(&self) -> &Path {
        self.staged.path()
    }

    /// Replaces the eight zeros that were written from byte `at` on by `bytes`, at the end.
    /// Every place may be filled in once.
    pub(crate) fn write_later(&mut self, at: u64, bytes: [u8; 8]) {
        self.deferred.push(DeferredBytes { at, bytes });
    }

    /// Writes the remaining bytes, syncs the file, reads it back and gives it its name.
    ///
    /// # Errors
    /// [`StageError`]; the target is then unchanged.
    pub(crate) fn commit(mut self) -> Result<(), StageError> {
        let write = |staged: &StagedFile, late: &DeferredBytes| {
            staged.file.write_all_at(&late.bytes, late.at)
        };
        self.flush()
            .and_then(|()| self.deferred.iter().try_for_each(|late| write(&self.staged, late)))
            .map_err(|e| self.failed("write it", e))?;
        self.staged.sync()?;
        self.check().map_err(|e| self.failed(READ_BACK, e))?;
        self.staged.commit()
    }

    /// An error of one step in making the target.
    pub(crate) fn failed(&self, action: &'static str, source: io::Error) -> StageError {
        self.staged.failed(action, source)
    }

    /// Compares the file with the hashes of what was written.
    fn check(&self) -> io::Result<()> {
        let mut file = File::open(self.path())?;
        let mut block = vec![0; BLOCK_BYTES];
        let mut start = 0;
        for &(length, hash) in &self.hashes {
            let block = &mut block[..length];
            file.read_exact(block)?;
            for late in &self.deferred {
                undo(late, start, block)?;
            }
            if xxh3_64(block) != hash {
                return Err(lost_write(&format!("what follows byte {start}")));
            }
            start += length as u64;
        }
        match file.metadata()?.len() == start {
            true => Ok(()),
            false => Err(lost_write(&format!("its length ({start} bytes were written)"))),
        }
    }
}

/// Checks that `block`, which begins at byte `start`, holds the late bytes, and puts the
/// original zeros back in their place.
fn undo(late: &DeferredBytes, start: u64, block: &mut [u8]) -> io::Result<()> {
    for (at, byte) in (late.at..).zip(late.bytes) {
        let place = at.checked_sub(start).and_then(|at| usize::try_from(at).ok());
        if let Some(found) = place.and_then(|at| block.get_mut(at)) {
            if *found != byte {
                return Err(lost_write(&format!("byte {at}")));
            }
            *found = 0;
        }
    }
    Ok(())
}

impl Write for StagedStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.block.len() == BLOCK_BYTES {
            self.flush()?;
        }
        let taken = bytes.len().min(BLOCK_BYTES - self.block.len());
        self.block.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.block.is_empty() {
            return Ok(());
        }
        self.staged.file.write_all(&self.block)?;
        self.hashes.push((self.block.len(), xxh3_64(&self.block)));
        self.block.clear();
        Ok(())
    }
}
