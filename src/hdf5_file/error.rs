//! Why a file of the run cannot be written or read.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::staged::{READ_BACK, StageError};

/// A patches, scores or heatmap file could not be written or read.
#[derive(Debug, Error)]
pub enum FormatError {
    /// The system refused: no such file, disk full, no permission.
    #[error(transparent)]
    Stage(#[from] StageError),
    /// HDF5 refused.
    #[error("{}: cannot {action}: {cause}", path.display())]
    Hdf5 {
        /// The file.
        path: PathBuf,
        /// What was tried.
        action: String,
        /// What HDF5 said.
        cause: String,
    },
    /// Not HDF5, or cut short.
    #[error(
        "{}: not a whole HDF5 file ({bytes} bytes; {cause}): it is damaged, cut short or of another kind; delete it and make it again",
        path.display()
    )]
    NotHdf5 {
        /// The file.
        path: PathBuf,
        /// Its length.
        bytes: u64,
        /// What HDF5 said.
        cause: String,
    },
    /// HDF5, but of another format.
    #[error("{}: {found}, expected format {format:?}: give a file that slidegrid wrote", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What it says it is.
        found: String,
        /// The format asked for.
        format: &'static str,
    },
    /// Written by a later version of the program.
    #[error(
        "{}: version {found} of {format}, written by {writer}; expected at most version {expected}: update slidegrid, or make the file again with this one",
        path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        format: &'static str,
        /// Its version.
        found: i64,
        /// The newest version read here.
        expected: i64,
        /// What wrote it.
        writer: String,
    },
    /// A group or dataset is not there.
    #[error("{}: has no {item}, expected {expected}: delete it and make it again", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
        /// The group or dataset.
        item: String,
        /// What should be there.
        expected: String,
    },
    /// An attribute is missing or not what it should be.
    #[error("{}: attribute {name} is {found}, expected {expected}", path.display())]
    Attribute {
        /// The file.
        path: PathBuf,
        /// The attribute.
        name: String,
        /// What was found.
        found: String,
        /// What was expected.
        expected: &'static str,
    },
    /// A dataset has the wrong shape or type.
    #[error("{}: {item} is {found}, expected {expected}: delete the file and make it again", path.display())]
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
    /// What was written is not what can be read.
    #[error(
        "{}: {item} read back is not what was written, though no write failed; nothing of it was kept: check the disk or file system, then run the same command again",
        path.display()
    )]
    Lost {
        /// The file that was to be made.
        path: PathBuf,
        /// The attribute or dataset.
        item: String,
    },
    /// What is (to be) stored contradicts itself.
    #[error("{}: {problem}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what was expected.
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

    /// What the system said when HDF5 could not read.
    pub(crate) fn system(path: &Path, error: &hdf5::Error) -> Option<Self> {
        Some(Self::io(path, "read it", os_error(error)?))
    }

    /// From HDF5's error stack; a full disk becomes the system's own error,
    /// which says what to do.
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

/// One line from HDF5's error stack.
pub(crate) fn cause(error: &hdf5::Error) -> String {
    os_error(error).map_or_else(|| error.to_string(), |e| e.to_string())
}

/// HDF5 keeps the system's error number only inside a message.
fn os_error(error: &hdf5::Error) -> Option<io::Error> {
    let stack = error.stack()?;
    let number = stack.iter().find_map(|frame| {
        let (_, rest) = frame.desc().split_once("errno = ")?;
        rest.split(|c: char| !c.is_ascii_digit()).next()?.parse::<i32>().ok()
    })?;
    (number != 0).then(|| io::Error::from_raw_os_error(number))
}
