//! [`ExportError`], the error of all exports.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::hdf5_file::FormatError;
use crate::staged::StageError;

/// The reason why an export could not be made.
#[derive(Debug, Error)]
pub(crate) enum ExportError {
    /// The exported HDF5 file cannot be read, or the HDF5 file to be made cannot be written.
    #[error(transparent)]
    Format(#[from] FormatError),
    /// The file or folder of the export cannot be made.
    #[error(transparent)]
    Stage(#[from] StageError),
    /// The coordinate file would replace the patch file that it is made from.
    #[error(
        "{}: coordinates would replace this patch file; give another folder with --out",
        path.display()
    )]
    Replaces {
        /// The patch file.
        path: PathBuf,
    },
    /// The export needs a length in micrometres, and the slide's resolution is unknown.
    #[error(
        "{slide}: the slide's resolution is unknown, and {what}; give it to `slidegrid split` with --mpp, [slides] mpp or [slides.mpp_of], or leave this export out"
    )]
    NoResolution {
        /// The slide's name.
        slide: String,
        /// What needs the resolution, a clause for the message.
        what: &'static str,
    },
}

/// Turns an I/O error into the error of a failed write to `target`.
pub(super) fn write_error(target: &Path) -> impl Fn(io::Error) -> ExportError + '_ {
    move |source| StageError { path: target.to_owned(), action: "write it", source }.into()
}
