//! The errors of reading and writing the files of a run.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::staged::{READ_BACK, StageError};

/// Why a patches, scores or heatmap file could not be written or read.
#[derive(Debug, Error)]
pub enum FormatError {
    /// The system reports an error: no such file, disk full, no permission.
    #[error(transparent)]
    Stage(#[from] StageError),
    /// The HDF5 library reports an error.
    #[error("{}: cannot {action}: {cause}", path.display())]
    Hdf5 {
        /// The file.
        path: PathBuf,
        /// The step that failed.
        action: String,
        /// The library's error.
        cause: String,
    },
    /// The file is not HDF5, or cut short.
    #[error(
        "{}: not a whole HDF5 file ({bytes} bytes; {cause}): it is damaged, cut short or of another kind; make it again",
        path.display()
    )]
    NotHdf5 {
        /// The file.
        path: PathBuf,
        /// Length of the file.
        bytes: u64,
        /// The error of the HDF5 library.
        cause: String,
    },
    /// The file is HDF5, but not of the expected format.
    #[error("{}: {found}, expected format {format:?}: give a file that slidegrid wrote", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// The format that the file names.
        found: String,
        /// The expected format.
        format: &'static str,
    },
    /// The file has a newer version of the format, from a later version of the program.
    #[error(
        "{}: version {found} of {format}, written by {writer}; expected at most version {expected}: update slidegrid, or make the file again with this one",
        path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Format of the file.
        format: &'static str,
        /// Version of the file.
        found: i64,
        /// The newest version that this program reads.
        expected: i64,
        /// Name and version of the program that wrote the file.
        writer: String,
    },
    /// A group or dataset is missing.
    #[error("{}: has no {item}, expected {expected}: make it again", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
        /// The group or dataset.
        item: String,
        /// The expected groups, or type and shape.
        expected: String,
    },
    /// An attribute is missing, or its value is not allowed.
    #[error("{}: attribute {name} is {found}, expected {expected}", path.display())]
    Attribute {
        /// The file.
        path: PathBuf,
        /// Name of the attribute.
        name: String,
        /// The value, or that the attribute is missing.
        found: String,
        /// The allowed values.
        expected: &'static str,
    },
    /// A dataset has the wrong shape or type.
    #[error("{}: {item} is {found}, expected {expected}: make it again", path.display())]
    Layout {
        /// The file.
        path: PathBuf,
        /// The dataset.
        item: String,
        /// Shape or type found.
        found: String,
        /// Shape or type expected.
        expected: String,
    },
    /// A checksum does not fit: bytes of the file have changed since it was written.
    #[error(
        "{}: {item} is not what was written (its checksum differs): the file is damaged or was changed by another program; make it again",
        path.display()
    )]
    Checksum {
        /// The file.
        path: PathBuf,
        /// What has changed.
        item: String,
    },
    /// The file lacks the checksums that its version has.
    #[error(
        "{}: has no checksums at its end, expected those of a file of version {version}: it was cut short or changed by another program; make it again",
        path.display()
    )]
    Unsealed {
        /// The file.
        path: PathBuf,
        /// Version of the file.
        version: i64,
    },
    /// The file is one of another slide.
    #[error(
        "{}: belongs to the slide {found}, expected {expected}, whose place it takes; move it back, or delete it and run the same command again",
        path.display()
    )]
    OtherSlide {
        /// The file.
        path: PathBuf,
        /// The slide that the file names.
        found: String,
        /// The slide whose file it should be.
        expected: String,
    },
    /// The content read back differs from what was written.
    #[error(
        "{}: {item} read back is not what was written, though no write failed; nothing of it was kept: check the disk or file system, then run the same command again",
        path.display()
    )]
    Lost {
        /// The file that was to be written.
        path: PathBuf,
        /// The attribute or dataset.
        item: String,
    },
    /// The content of the file, or the content to be written, is contradictory.
    #[error("{}: {problem}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What was found, and what was expected.
        problem: String,
    },
}

impl FormatError {
    pub(crate) fn io(path: &Path, action: &'static str, source: io::Error) -> Self {
        Self::Stage(StageError { path: path.to_owned(), action, source })
    }

    pub(crate) fn invalid(path: &Path, problem: impl Into<String>) -> Self {
        Self::Content { path: path.to_owned(), problem: problem.into() }
    }

    /// Refuses a file of the slide `found` in the place of one of the slide `expected`.
    pub(crate) fn check_slide(path: &Path, found: &str, expected: &str) -> Result<(), Self> {
        match found == expected {
            true => Ok(()),
            false => Err(Self::OtherSlide {
                path: path.to_owned(),
                found: found.to_owned(),
                expected: expected.to_owned(),
            }),
        }
    }

    /// The file that the error is about.
    pub fn path(&self) -> &Path {
        match self {
            Self::Stage(error) => &error.path,
            Self::Hdf5 { path, .. }
            | Self::NotHdf5 { path, .. }
            | Self::Foreign { path, .. }
            | Self::Newer { path, .. }
            | Self::Missing { path, .. }
            | Self::Attribute { path, .. }
            | Self::Layout { path, .. }
            | Self::Checksum { path, .. }
            | Self::Unsealed { path, .. }
            | Self::OtherSlide { path, .. }
            | Self::Lost { path, .. }
            | Self::Content { path, .. } => path,
        }
    }

    /// Whether reading the file failed because of the bytes in it, so that only making the file
    /// anew helps. Errors of the system may pass, and a file of another kind, or of a newer
    /// version, is whole.
    pub fn is_damage(&self) -> bool {
        match self {
            Self::Hdf5 { .. }
            | Self::NotHdf5 { .. }
            | Self::Missing { .. }
            | Self::Attribute { .. }
            | Self::Layout { .. }
            | Self::Checksum { .. }
            | Self::Unsealed { .. }
            | Self::Content { .. } => true,
            Self::Stage(_)
            | Self::Foreign { .. }
            | Self::Newer { .. }
            | Self::OtherSlide { .. }
            | Self::Lost { .. } => false,
        }
    }

    /// The system's error behind a failed read of HDF5, if there is one.
    pub(crate) fn system(path: &Path, error: &hdf5::Error) -> Option<Self> {
        Some(Self::io(path, "read it", os_error(error)?))
    }

    /// The error for one of the HDF5 library. If the system's error is behind it, such as a full
    /// disk, the result is the system's error, which says what to do.
    pub(crate) fn hdf5(path: &Path, action: &str, error: &hdf5::Error) -> Self {
        match os_error(error) {
            Some(source) if action == READ_BACK => Self::io(path, READ_BACK, source),
            Some(source) if action.starts_with("read") => Self::io(path, "read it", source),
            Some(source) => Self::io(path, "write it", source),
            None => {
                Self::Hdf5 { path: path.to_owned(), action: action.to_owned(), cause: cause(error) }
            }
        }
    }
}

/// The cause of an HDF5 error in one line: the system's error if there is one.
pub(crate) fn cause(error: &hdf5::Error) -> String {
    os_error(error).map_or_else(|| error.to_string(), |e| e.to_string())
}

/// The system's error behind an HDF5 error. HDF5 keeps the error number only inside a message,
/// and has a message of its own for memory that it does not get.
fn os_error(error: &hdf5::Error) -> Option<io::Error> {
    let stack = error.stack()?;
    // The library looks at the file before it opens it, and keeps no number of that.
    if stack.iter().any(|frame| frame.desc().contains("retrieve stat info")) {
        return Some(io::Error::other("the system does not say what it is (stat failed)"));
    }
    let number = stack.iter().find_map(|frame| {
        let text = frame.desc();
        if text.contains("memory allocation failed") {
            return Some(libc::ENOMEM);
        }
        let (_, rest) = text.split_once("errno = ")?;
        rest.split(|c: char| !c.is_ascii_digit()).next()?.parse::<i32>().ok()
    })?;
    (number != 0).then(|| io::Error::from_raw_os_error(number))
}
