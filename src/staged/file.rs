//! One file, to be written by whoever is given its temporary path.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use tempfile::TempPath;

use super::{READ_BACK, StageError, check_content, folder_of, leftovers, sync_folder_of, xxh3_64};

/// A file being written. Dropped without [`StagedFile::commit`] it disappears.
#[derive(Debug)]
pub struct StagedFile {
    /// Open since before the first write: its sync tells of every write that failed on
    /// the way to the disk since, whoever made it. Closed before the file is removed.
    pub(super) file: File,
    temporary: TempPath,
    target: PathBuf,
    synced: bool,
}

impl StagedFile {
    /// Starts a file that will become `target`; its folder is made if missing.
    ///
    /// # Errors
    /// [`StageError`] when the folder or the temporary file cannot be made.
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

    /// Where to write.
    pub fn path(&self) -> &Path {
        &self.temporary
    }

    /// What it will become.
    pub(crate) fn target(&self) -> &Path {
        &self.target
    }

    /// Syncs what was written, so that it can be read back before it gets its name.
    ///
    /// # Errors
    /// [`StageError`], also for a write that failed on the way to the disk.
    pub(crate) fn sync(&mut self) -> Result<(), StageError> {
        self.file.sync_all().map_err(|source| self.failed("sync it", source))?;
        self.synced = true;
        Ok(())
    }

    /// Syncs what was written, if that is not done, and gives it its name. What it holds
    /// is for the writer to check before.
    ///
    /// # Errors
    /// [`StageError`]; the target is then as it was before.
    pub fn commit(mut self) -> Result<(), StageError> {
        if !self.synced {
            self.sync()?;
        }
        let Self { temporary, target, .. } = self;
        let fail = |action, source| StageError { path: target.clone(), action, source };
        temporary.persist(&target).map_err(|e| fail("rename it into place", e.error))?;
        sync_folder_of(&target).map_err(|e| fail("sync its folder", e))
    }

    /// An error in one step of making the target.
    pub(super) fn failed(&self, action: &'static str, source: std::io::Error) -> StageError {
        StageError { path: self.target.clone(), action, source }
    }
}

/// Writes `bytes` as `target`.
///
/// # Errors
/// [`StageError`]; the target is then as it was before.
pub fn write(target: &Path, bytes: &[u8]) -> Result<(), StageError> {
    let mut staged = StagedFile::new(target)?;
    staged.file.write_all(bytes).map_err(|e| staged.failed("write it", e))?;
    staged.sync()?;
    check_content(staged.path(), bytes.len() as u64, xxh3_64(bytes))
        .map_err(|e| staged.failed(READ_BACK, e))?;
    staged.commit()
}
