//! [`TemplateError`], the error of colour templates and of fitting stains.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::export::png::PngError;
use crate::normalize::{ColourMethod, NormalizeError};
use crate::slide::{RegionError, SlideError};
use crate::staged::StageError;

/// The reason why a template cannot be used or stains cannot be fitted.
#[derive(Debug, Error)]
pub enum TemplateError {
    /// The file cannot be read.
    #[error("{}: cannot read these stains: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The file is not a file of stains.
    #[error("{}: {problem}; expected a file that `slidegrid normalize fit --out` wrote", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What was found, and what was expected.
        problem: String,
    },
    /// The stains were fitted with another method than the configured one.
    #[error("{}: these stains were fitted with {found}, the requested method is {expected}; fit again with --method {expected}, or set [normalize] method = \"{found}\"", path.display())]
    OtherMethod {
        /// The file.
        path: PathBuf,
        /// The method of the file.
        found: ColourMethod,
        /// The configured method.
        expected: ColourMethod,
    },
    /// The picture cannot be opened.
    #[error(transparent)]
    Open(#[from] SlideError),
    /// The picture cannot be decoded.
    #[error(transparent)]
    Region(#[from] RegionError),
    /// The file is a whole slide, and a picture is expected.
    #[error("{}: is {width_px} x {height_px} px, expected a picture of at most {limit_px} px in all; for a whole slide fit stains first: slidegrid normalize fit {} --method M --out stains.toml", path.display(), path.display())]
    TooLarge {
        /// The picture.
        path: PathBuf,
        /// Width of the picture, px.
        width_px: u32,
        /// Height of the picture, px.
        height_px: u32,
        /// Largest number of pixels that is accepted.
        limit_px: u64,
    },
    /// The picture shows no stains.
    #[error("{}: {method} finds no stains in it: {source}; take a picture full of well stained tissue", path.display())]
    ColourEstimate {
        /// The picture, or the first of several.
        path: PathBuf,
        /// The method of the estimate.
        method: ColourMethod,
        /// The reason why the estimate failed.
        source: NormalizeError,
    },
    /// The slide shows no tissue.
    #[error("{}: no tissue found: {problem}", path.display())]
    NoTissue {
        /// The slide.
        path: PathBuf,
        /// The reason why no tissue was found.
        problem: String,
    },
    /// The file of stains cannot be written.
    #[error(transparent)]
    Write(#[from] StageError),
    /// A picture cannot be written.
    #[error(transparent)]
    Png(#[from] PngError),
    /// A picture of this name is there already.
    #[error("{}: the file exists already; delete it or give another --out", path.display())]
    Exists {
        /// The picture.
        path: PathBuf,
    },
}
