//! Colour templates: the colours to which `normalize` brings the patches of all slides. A
//! template is measured on a picture or read from a file of stains fitted before.

mod apply;
mod error;
mod file;
mod fit;
mod preview;
mod sample;

use std::path::Path;

use crate::normalize::{ColourEstimate, ColourMethod};

pub(crate) use apply::apply_template;
pub(crate) use error::TemplateError;
pub use file::StainsFile;
pub(crate) use fit::{FitOptions, fit_template};
pub(crate) use preview::{PreviewOptions, write_preview};
pub use sample::whole_picture;

/// Reads a template from `path`. A `.toml` file holds an estimate that
/// [`StainsFile::write`] wrote; of any other file, a picture, `method` estimates the
/// colours.
///
/// `icc` says whether a picture's embedded colour profile is applied first.
///
/// # Errors
/// `TemplateError` naming the file, when it cannot be read, shows no stains, or was
/// fitted with another method.
pub fn read(path: &Path, method: ColourMethod, icc: bool) -> Result<ColourEstimate, TemplateError> {
    if path.extension().is_some_and(|suffix| suffix == "toml") {
        return StainsFile::read(path)?.for_method(path, method);
    }
    let picture = whole_picture(path, icc)?;
    let estimate = method.estimate(&picture.rgb).map_err(|source| {
        TemplateError::ColourEstimate { path: path.to_owned(), method, source }
    })?;
    Ok(estimate.rounded())
}
