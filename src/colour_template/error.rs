//! What can be wrong with a template.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::normalize::{Method, NormalizeError};
use crate::slide::{RegionError, SlideError};
use crate::staged::StageError;

/// Why a template cannot be used, or stains not be fitted.
#[derive(Debug, Error)]
pub enum TemplateError {
    /// The file cannot be read.
    #[error("{}: cannot read these stains: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Not a file of stains.
    #[error("{}: {problem}; expected a file that `slidegrid normalize fit --out` wrote", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// Fitted for another method.
    #[error("{}: these stains were fitted with {found}, the method asked for is {expected}; fit again with --method {expected}, or set [normalize] method = \"{found}\"", path.display())]
    OtherMethod {
        /// The file.
        path: PathBuf,
        /// Its method.
        found: Method,
        /// The one asked for.
        expected: Method,
    },
    /// The picture does not open.
    #[error(transparent)]
    Open(#[from] SlideError),
    /// The picture cannot be decoded.
    #[error(transparent)]
    Region(#[from] RegionError),
    /// A whole slide, where a picture is expected.
    #[error("{}: is {width_px} x {height_px} px, expected a picture of at most {limit_px} px in all; for a whole slide fit stains first: slidegrid normalize fit {} --method M --out stains.toml", path.display(), path.display())]
    TooLarge {
        /// The picture.
        path: PathBuf,
        /// Its width.
        width_px: u32,
        /// Its height.
        height_px: u32,
        /// Most pixels that are accepted.
        limit_px: u64,
    },
    /// It shows no stains.
    #[error("{}: {method} finds no stains in it: {source}; take a picture full of well stained tissue", path.display())]
    Estimate {
        /// The picture, or the first of several.
        path: PathBuf,
        /// The method.
        method: Method,
        /// Why.
        source: NormalizeError,
    },
    /// No tissue is found on a slide.
    #[error("{}: no tissue found: {problem}", path.display())]
    NoTissue {
        /// The slide.
        path: PathBuf,
        /// Why.
        problem: String,
    },
    /// It cannot be written.
    #[error(transparent)]
    Write(#[from] StageError),
}
