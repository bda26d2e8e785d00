//! Why an output file could not be made.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// Why an output file could not be written.
#[derive(Debug, Error)]
#[error("{}: cannot {action}: {source}{}", path.display(), hint(action, source))]
pub struct StageError {
    /// The file that was to be written.
    pub path: PathBuf,
    /// The step that failed.
    pub action: &'static str,
    /// The system's error.
    pub source: io::Error,
}

/// The step that looks whether a file is there.
pub(super) const LOOK: &str = "look whether it is there";

/// The step that reads a file.
pub(super) const READ: &str = "read it";

/// Advice for a failed step; empty if there is none.
fn hint(action: &str, error: &io::Error) -> &'static str {
    let written = !["open", "list it", LOOK, READ].contains(&action);
    match error.raw_os_error() {
        Some(libc::EMFILE | libc::ENFILE) => {
            return "; raise the limit on open files (ulimit -n), then run the same command again";
        }
        Some(libc::ESTALE) => {
            return "; the file server has lost sight of it: look at the mount, then run the same command again";
        }
        Some(libc::EIO) if !written => {
            return "; it may be whole: check the disk and the way to it, then run the same command again";
        }
        _ => {}
    }
    match error.kind() {
        io::ErrorKind::PermissionDenied if !written => {
            "; it may be whole: have its permissions changed (ls -l shows them), then run the same command again"
        }
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "; nothing was lost: free some space or choose another run directory, then run the same command again"
        }
        io::ErrorKind::FileTooLarge => {
            "; nothing was lost: raise the limit on the size of files (ulimit -f, or the scheduler's), then run the same command again"
        }
        io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => {
            "; choose a run directory that you may write to"
        }
        io::ErrorKind::InvalidData if written => {
            "; nothing of it was kept: check the disk or file system, then run the same command again"
        }
        _ if written && error.raw_os_error() == Some(libc::EIO) => {
            "; nothing of it was kept: check the disk and the way to it, then run the same command again"
        }
        _ => "",
    }
}
