//! What can be wrong with truth.

use std::path::PathBuf;

use thiserror::Error;

/// What is wrong with a file of truth, and what to do.
#[derive(Debug, Error)]
pub enum TruthError {
    /// It cannot be read.
    #[error("{}: cannot read it: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// It is not what its name says.
    #[error("{}: {problem}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What was found, and what was expected.
        problem: String,
    },
    /// A group nobody has given a meaning.
    #[error(
        "{}: an annotation of group {found:?}, expected a lesion ({lesion}) or an exclusion ({excluded}); say what it is with --lesion-group or --exclude-group, or study.lesion_groups and study.exclude_groups", path.display()
    )]
    Group {
        /// The file.
        path: PathBuf,
        /// The group.
        found: String,
        /// Groups that are lesions.
        lesion: String,
        /// Groups that exclude.
        excluded: String,
    },
}

impl TruthError {
    pub(super) fn invalid(path: &std::path::Path, problem: impl Into<String>) -> Self {
        Self::Invalid { path: path.to_owned(), problem: problem.into() }
    }
}
