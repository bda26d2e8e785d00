//! What slides are to look like: a picture, or stains fitted before.

mod error;
mod file;
mod sample;

use std::path::Path;

use crate::normalize::{Estimate, Method};

pub use error::TemplateError;
pub use file::{FORMAT, StainsFile, VERSION};
pub use sample::{SampleTile, WholePicture, pool, sample_tiles, whole_picture};

/// Reads a template: the colours of a picture as `method` measures them, or the
/// estimate in a `.toml` that [`StainsFile::write`] wrote.
///
/// `icc`: whether a picture's own colour profile is applied first.
///
/// # Errors
/// [`TemplateError`] naming the file.
pub fn read(path: &Path, method: Method, icc: bool) -> Result<Estimate, TemplateError> {
    if path.extension().is_some_and(|suffix| suffix == "toml") {
        return StainsFile::read(path)?.for_method(path, method);
    }
    let picture = whole_picture(path, icc)?;
    let estimate = method.estimate(&picture.rgb).map_err(|source| TemplateError::Estimate {
        path: path.to_owned(),
        method,
        source,
    })?;
    Ok(estimate.rounded())
}
