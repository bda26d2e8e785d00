//! Folders of files, and names that survive a crash.

use std::fs::File;
use std::io;
use std::path::Path;

pub(super) fn folder_of(target: &Path) -> &Path {
    match target.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Syncs the folder of `target`, so that the new name survives a crash like the content does.
pub(super) fn sync_folder_of(target: &Path) -> io::Result<()> {
    File::open(folder_of(target)).and_then(|folder| folder.sync_all())
}
