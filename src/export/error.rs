//! Why an export could not be made.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::hdf5_file::FormatError;
use crate::staged::StageError;

/// An export could not be made.
#[derive(Debug, Error)]
pub enum ExportError {
    /// What is exported cannot be read, or an HDF5 file not be written.
    #[error(transparent)]
    Format(#[from] FormatError),
    /// The file cannot be made.
    #[error(transparent)]
    Stage(#[from] StageError),
    /// Coordinates would replace the pixels they are of.
    #[error(
        "{}: coordinates would replace this patch file; give another folder with --out",
        path.display()
    )]
    Replaces {
        /// The patch file.
        path: PathBuf,
    },
    /// A length in micrometres and no resolution.
    #[error(
        "{slide}: the slide's resolution is unknown, and {what}; give it to `slidegrid split` with --mpp, [slides] mpp or [slides.mpp_of], or leave this export out"
    )]
    NoResolution {
        /// The slide.
        slide: String,
        /// What needs it.
        what: &'static str,
    },
}

/// A failed write to `target`.
pub(super) fn write_error(target: &Path) -> impl Fn(io::Error) -> ExportError + '_ {
    move |source| StageError { path: target.to_owned(), action: "write it", source }.into()
}
