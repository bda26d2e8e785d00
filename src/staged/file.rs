//! A single output file that gets its name when it is complete.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use tempfile::TempPath;

use xxhash_rust::xxh3::xxh3_64;

use super::error::StageError;
use super::leftovers;
use super::read_back::{READ_BACK, check_content};
use super::sync::{folder_of, sync_folder_of};

/// A file that is being written under a temporary name. If it is dropped without
/// [`StagedFile::commit`], it is removed.
#[derive(Debug)]
pub struct StagedFile {
    /// Open since before the first write, so that its sync reports every later write that
    /// failed on the way to the disk, also one through another handle. The field is declared
    /// first, so that the file is closed before it is removed.
    pub(super) file: File,
    temporary: TempPath,
    target: PathBuf,
    synced: bool,
}

impl StagedFile {
    /// Starts a file that will become `target`. A missing folder is created.
    ///
    /// # Errors
    /// `StageError` if the folder or the temporary file cannot be created.
    pub fn new(target: &Path) -> Result<Self, StageError> {
        let fail = |action| move |source| StageError { path: target.to_owned(), action, source };
        let folder = folder_of(target);
        fs::create_dir_all(folder).map_err(fail("create its folder"))?;
        let name = target.file_name().unwrap_or_default().to_string_lossy().into_owned();
        leftovers::remove(folder, &name);
        let (file, temporary) = tempfile::Builder::new()
            .prefix(&leftovers::prefix(&name))
            .suffix(leftovers::SUFFIX)
            .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666))
            .tempfile_in(folder)
            .map_err(fail("create it"))?
            .into_parts();
        Ok(Self { temporary, file, target: target.to_owned(), synced: false })
    }

    /// The temporary path, to which the content is written.
    pub fn path(&self) -> &Path {
        &self.temporary
    }

    /// The final path.
    pub(crate) fn target(&self) -> &Path {
        &self.target
    }

    /// Syncs the file, so that it can be read back before it gets its name.
    ///
    /// # Errors
    /// [`StageError`] if the sync fails or an earlier write failed on the way to the disk.
    pub(crate) fn sync(&mut self) -> Result<(), StageError> {
        self.file.sync_all().map_err(|source| self.failed("sync it", source))?;
        self.synced = true;
        Ok(())
    }

    /// Syncs the file, if `StagedFile::sync` has not done so, and gives it its name. The
    /// caller checks the content before.
    ///
    /// # Errors
    /// `StageError`; the target is then unchanged.
    pub fn commit(mut self) -> Result<(), StageError> {
        if !self.synced {
            self.sync()?;
        }
        let Self { temporary, target, .. } = self;
        let fail = |action, source| StageError { path: target.clone(), action, source };
        temporary.persist(&target).map_err(|e| fail("rename it into place", e.error))?;
        sync_folder_of(&target).map_err(|e| fail("sync its folder", e))
    }

    /// An error of one step in making the target.
    pub(super) fn failed(&self, action: &'static str, source: std::io::Error) -> StageError {
        StageError { path: self.target.clone(), action, source }
    }
}

/// Writes `bytes` to the file `target`, in whole or not at all.
///
/// # Errors
/// [`StageError`]; the target is then unchanged.
pub(crate) fn write(target: &Path, bytes: &[u8]) -> Result<(), StageError> {
    let mut staged = StagedFile::new(target)?;
    staged.file.write_all(bytes).map_err(|e| staged.failed("write it", e))?;
    staged.sync()?;
    check_content(staged.path(), bytes.len() as u64, xxh3_64(bytes))
        .map_err(|e| staged.failed(READ_BACK, e))?;
    staged.commit()
}
