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

/// Advice for a failed write; empty if there is none.
fn hint(action: &str, error: &io::Error) -> &'static str {
    let written = !["open", "read it"].contains(&action);
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
        io::ErrorKind::InvalidData if written => {
            "; nothing of it was kept: check the disk or file system, then run the same command again"
        }
        _ if written && error.raw_os_error() == Some(libc::EIO) => {
            "; nothing of it was kept: check the disk and the way to it, then run the same command again"
        }
        _ => "",
    }
}
