//! A folder of output files that gets its name when all its files are complete.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::xxh3_64;

use super::error::StageError;
use super::leftovers;
use super::read_back::{READ_BACK, check_content};
use super::sync::{folder_of, sync_folder_of};

/// A folder that is being written under a temporary name. If it is dropped without
/// [`StagedFolder::commit`], it is removed.
#[derive(Debug)]
pub(crate) struct StagedFolder {
    temporary: tempfile::TempDir,
    target: PathBuf,
    written: Vec<Written>,
}

/// A file of the folder, with the length and the hash of its content.
#[derive(Debug)]
struct Written {
    name: PathBuf,
    bytes: u64,
    hash: u64,
}

impl StagedFolder {
    /// Starts a folder that will become `target`. A missing parent folder is created.
    ///
    /// # Errors
    /// [`StageError`] if a folder cannot be created.
    pub(crate) fn new(target: &Path) -> Result<Self, StageError> {
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
        Ok(Self { temporary, target: target.to_owned(), written: Vec::new() })
    }

    /// The temporary path of the folder.
    pub(crate) fn path(&self) -> &Path {
        self.temporary.path()
    }

    /// Writes `bytes` to a new file `name` in the folder. Missing folders inside it are created.
    ///
    /// # Errors
    /// [`StageError`] that names the file.
    pub(crate) fn write(&mut self, name: impl AsRef<Path>, bytes: &[u8]) -> Result<(), StageError> {
        let name = name.as_ref().to_owned();
        let path = self.path().join(&name);
        fs::create_dir_all(folder_of(&path))
            .and_then(|()| File::create_new(&path))
            .and_then(|mut file| file.write_all(bytes))
            .map_err(|source| self.failed(&name, "write it", source))?;
        self.written.push(Written { name, bytes: bytes.len() as u64, hash: xxh3_64(bytes) });
        Ok(())
    }

    /// Syncs the files, reads them back and gives the folder its name. An existing folder of
    /// that name is replaced.
    ///
    /// # Errors
    /// [`StageError`]; the target is then unchanged or, if the system fails between two
    /// renames, gone.
    pub(crate) fn commit(self) -> Result<(), StageError> {
        let fail = |action| {
            let path = self.target.clone();
            move |source| StageError { path, action, source }
        };
        sync_tree(self.path()).map_err(fail("sync it"))?;
        for Written { name, bytes, hash } in &self.written {
            check_content(&self.path().join(name), *bytes, *hash)
                .map_err(|source| self.failed(name, READ_BACK, source))?;
        }
        // A rename cannot replace a folder that holds files.
        let old = match self.target.is_dir() {
            true => {
                let old = Self::new(&self.target)?;
                let aside = old.path().join("old");
                fs::rename(&self.target, aside).map_err(fail("replace it"))?;
                Some(old)
            }
            false => None,
        };
        let into_place = fail("rename it into place");
        fs::rename(self.path(), &self.target).map_err(into_place)?;
        drop((old, self.temporary.keep()));
        sync_folder_of(&self.target).map_err(|source| StageError {
            path: self.target,
            action: "sync its folder",
            source,
        })
    }

    /// An error of one step in making the file `name`.
    pub(crate) fn failed(
        &self,
        name: impl AsRef<Path>,
        action: &'static str,
        source: io::Error,
    ) -> StageError {
        StageError { path: self.target.join(name), action, source }
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
