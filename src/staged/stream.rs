//! A file written from front to end, of any length, with what few places are filled in
//! later.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::{READ_BACK, StageError, StagedFile, lost_write, xxh3_64};

/// What is written at once, and has a hash.
const BLOCK_BYTES: usize = 1 << 20;

/// A file being written front to end. Dropped without [`StagedStream::commit`] it
/// disappears.
#[derive(Debug)]
pub struct StagedStream {
    staged: StagedFile,
    /// What is not written yet.
    block: Vec<u8>,
    /// Hashes of the blocks as they were first written, each with its length.
    sums: Vec<(usize, u64)>,
    deferred: Vec<DeferredBytes>,
}

/// Bytes to go where zeros were written.
#[derive(Debug, Clone, Copy)]
struct DeferredBytes {
    at: u64,
    bytes: [u8; 8],
}

impl StagedStream {
    /// Starts a file that will become `target`; its folder is made if missing.
    ///
    /// # Errors
    /// [`StageError`] when the folder or the temporary file cannot be made.
    pub fn new(target: &Path) -> Result<Self, StageError> {
        let staged = StagedFile::new(target)?;
        let block = Vec::with_capacity(BLOCK_BYTES);
        Ok(Self { staged, block, sums: Vec::new(), deferred: Vec::new() })
    }

    /// Where it is being written.
    pub fn path(&self) -> &Path {
        self.staged.path()
    }

    /// Fills in `bytes` from byte `at` on, where eight zeros have been written, once.
    pub fn write_later(&mut self, at: u64, bytes: [u8; 8]) {
        self.deferred.push(DeferredBytes { at, bytes });
    }

    /// Writes what is left, syncs, reads all of it back and gives it its name.
    ///
    /// # Errors
    /// [`StageError`]; the target is then as it was before.
    pub fn commit(mut self) -> Result<(), StageError> {
        let written = |staged: &StagedFile, patch: &DeferredBytes| {
            staged.file.write_all_at(&patch.bytes, patch.at)
        };
        self.flush()
            .and_then(|()| self.deferred.iter().try_for_each(|patch| written(&self.staged, patch)))
            .map_err(|e| self.failed("write it", e))?;
        self.staged.sync()?;
        self.check().map_err(|e| self.failed(READ_BACK, e))?;
        self.staged.commit()
    }

    /// An error in one step of making the target.
    pub(crate) fn failed(&self, action: &'static str, source: io::Error) -> StageError {
        self.staged.failed(action, source)
    }

    /// Compares the file with the hashes of what was written.
    fn check(&self) -> io::Result<()> {
        let mut file = File::open(self.path())?;
        let mut block = vec![0; BLOCK_BYTES];
        let mut start = 0;
        for &(length, sum) in &self.sums {
            let block = &mut block[..length];
            file.read_exact(block)?;
            for patch in &self.deferred {
                undo(patch, start, block)?;
            }
            if xxh3_64(block) != sum {
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

/// Puts back the zeros that were in `block`, which begins at byte `start`, before the
/// patch, whose bytes must be there.
fn undo(patch: &DeferredBytes, start: u64, block: &mut [u8]) -> io::Result<()> {
    for (at, byte) in (patch.at..).zip(patch.bytes) {
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
        self.sums.push((self.block.len(), xxh3_64(&self.block)));
        self.block.clear();
        Ok(())
    }
}
