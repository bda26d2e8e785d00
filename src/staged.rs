//! Files that are complete when they exist: written under a temporary name in
//! the same directory, synced, renamed. What killed writers left is removed by
//! the next writer of the same file.

mod leftovers;

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempPath;
use thiserror::Error;

/// An output file could not be made.
#[derive(Debug, Error)]
#[error("{}: cannot {action}: {source}{}", path.display(), advice(source))]
pub struct StageError {
    /// The file that was to be made.
    pub path: PathBuf,
    /// What was tried.
    pub action: &'static str,
    /// What the system said.
    pub source: io::Error,
}

/// What to do about a failed write, when that is known.
fn advice(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "; nothing was lost: free some space or choose another run directory, then run the same command again"
        }
        io::ErrorKind::FileTooLarge => {
            "; nothing was lost: raise the limit on the size of files (ulimit -f, or the scheduler's), then run the same command again"
        }
        io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => {
            "; choose a run directory that you may write to"
        }
        _ => "",
    }
}

/// A file being written. Dropped without [`StagedFile::commit`] it disappears.
#[derive(Debug)]
pub struct StagedFile {
    temporary: TempPath,
    target: PathBuf,
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
        let temporary = tempfile::Builder::new()
            .prefix(&leftovers::prefix(&name))
            .suffix(leftovers::SUFFIX)
            .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666))
            .tempfile_in(folder)
            .map_err(fail("create it"))?
            .into_temp_path();
        Ok(Self { temporary, target: target.to_owned() })
    }

    /// Where to write.
    pub fn path(&self) -> &Path {
        &self.temporary
    }

    /// Syncs what was written and gives it its name.
    ///
    /// # Errors
    /// [`StageError`]; the target is then as it was before.
    pub fn commit(self) -> Result<(), StageError> {
        let target = self.target;
        let fail = |action| {
            let path = target.clone();
            move |source| StageError { path, action, source }
        };
        File::open(&self.temporary).and_then(|file| file.sync_all()).map_err(fail("sync it"))?;
        self.temporary.persist(&target).map_err(|e| fail("rename it into place")(e.error))?;
        // The new name must survive a crash as well as the bytes do.
        File::open(folder_of(&target))
            .and_then(|dir| dir.sync_all())
            .map_err(fail("sync its folder"))
    }
}

/// A folder of files being written. Dropped without [`StagedFolder::commit`] it
/// disappears.
#[derive(Debug)]
pub struct StagedFolder {
    temporary: tempfile::TempDir,
    target: PathBuf,
}

impl StagedFolder {
    /// Starts a folder that will become `target`; the one above is made if missing.
    ///
    /// # Errors
    /// [`StageError`] when one of them cannot be made.
    pub fn new(target: &Path) -> Result<Self, StageError> {
        let fail = |action| move |source| StageError { path: target.to_owned(), action, source };
        let above = folder_of(target);
        fs::create_dir_all(above).map_err(fail("create its folder"))?;
        let name = target.file_name().unwrap_or_default().to_string_lossy().into_owned();
        leftovers::remove(above, &name);
        let temporary = tempfile::Builder::new()
            .prefix(&leftovers::prefix(&name))
            .suffix(leftovers::SUFFIX)
            .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o777))
            .tempdir_in(above)
            .map_err(fail("create it"))?;
        Ok(Self { temporary, target: target.to_owned() })
    }

    /// Where to write.
    pub fn path(&self) -> &Path {
        self.temporary.path()
    }

    /// Syncs what was written and gives the folder its name; one that was there is
    /// replaced.
    ///
    /// # Errors
    /// [`StageError`]; the target is then as it was before, or, when the system
    /// fails between two renames, gone.
    pub fn commit(self) -> Result<(), StageError> {
        let Self { temporary, target } = self;
        let fail = |action| {
            let path = target.clone();
            move |source| StageError { path, action, source }
        };
        sync_tree(temporary.path()).map_err(fail("sync it"))?;
        // A folder with files in it cannot be renamed over.
        let old = match target.is_dir() {
            true => {
                let old = Self::new(&target)?;
                fs::rename(&target, old.path().join("old")).map_err(fail("replace it"))?;
                Some(old)
            }
            false => None,
        };
        fs::rename(temporary.path(), &target).map_err(fail("rename it into place"))?;
        drop((old, temporary.keep()));
        File::open(folder_of(&target))
            .and_then(|dir| dir.sync_all())
            .map_err(fail("sync its folder"))
    }
}

fn sync_tree(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        match entry.file_type()?.is_dir() {
            true => sync_tree(&entry.path())?,
            false => File::open(entry.path())?.sync_all()?,
        }
    }
    File::open(folder)?.sync_all()
}

/// Writes `bytes` as `target`.
///
/// # Errors
/// [`StageError`]; the target is then as it was before.
pub fn write(target: &Path, bytes: &[u8]) -> Result<(), StageError> {
    let staged = StagedFile::new(target)?;
    fs::write(staged.path(), bytes).map_err(|source| StageError {
        path: target.to_owned(),
        action: "write it",
        source,
    })?;
    staged.commit()
}

fn folder_of(target: &Path) -> &Path {
    match target.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dropped_file_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("deep/out.txt");
        let staged = StagedFile::new(&target).unwrap();
        fs::write(staged.path(), "half").unwrap();
        drop(staged);
        assert_eq!(fs::read_dir(target.parent().unwrap()).unwrap().count(), 0);
    }

    #[test]
    fn a_failed_write_keeps_the_old_file() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("out.txt");
        write(&target, b"old").unwrap();
        let staged = StagedFile::new(&target).unwrap();
        fs::write(staged.path(), "new, unfinished").unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"old");
        staged.commit().unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"new, unfinished");
    }

    #[test]
    fn a_folder_in_the_way_is_an_error_that_names_the_target() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("taken");
        fs::create_dir_all(target.join("x")).unwrap();
        let error = write(&target, b"bytes").unwrap_err().to_string();
        assert!(error.contains("taken") && error.contains("rename"), "{error}");
    }

    #[test]
    fn a_folder_comes_whole_or_not_at_all() {
        let above = tempfile::tempdir().unwrap();
        let target = above.path().join("tiles");
        for text in ["one", "two"] {
            let staged = StagedFolder::new(&target).unwrap();
            fs::create_dir(staged.path().join("0")).unwrap();
            fs::write(staged.path().join("0/a"), text).unwrap();
            staged.commit().unwrap();
            assert_eq!(fs::read_to_string(target.join("0/a")).unwrap(), text);
        }
        let dropped = StagedFolder::new(&target).unwrap();
        fs::write(dropped.path().join("b"), "half").unwrap();
        drop(dropped);
        assert_eq!(fs::read_to_string(target.join("0/a")).unwrap(), "two");
        assert_eq!(fs::read_dir(above.path()).unwrap().count(), 1);
    }
}
