//! Gives a picture the colours of a template.

use std::path::{Path, PathBuf};

use super::TemplateError;
use super::sample::{warn_of_profile, whole_picture};
use crate::export::png;
use crate::heatmap::RgbPicture;
use crate::normalize::{ColourEstimate, normalize_patch};
use crate::progress::Progress;
use crate::staged;

/// Gives a picture the colours of `target`, by an estimate of the picture itself, and writes it
/// to the folder `out` as a PNG file. Returns the path of that file. `icc` says whether the
/// picture's embedded colour profile is applied first.
///
/// # Errors
/// [`TemplateError`] if the picture cannot be read or shows no stains, or if the file exists
/// already or cannot be written.
pub(crate) fn apply_template(
    image: &Path,
    target: &ColourEstimate,
    icc: bool,
    out: &Path,
    progress: &Progress,
) -> Result<PathBuf, TemplateError> {
    let mut picture = whole_picture(image, icc)?;
    warn_of_profile(image, picture.icc.as_ref(), progress);
    normalize_patch(&mut picture.rgb, target).map_err(|source| TemplateError::ColourEstimate {
        path: image.to_owned(),
        method: target.method(),
        source,
    })?;
    let name = image.file_stem().unwrap_or_default();
    let written = out.join(name).with_added_extension("png");
    if staged::is_there(&written)? {
        return Err(TemplateError::Exists { path: written });
    }
    let picture = RgbPicture {
        width_px: picture.width_px as usize,
        height_px: picture.height_px as usize,
        pixels: picture.rgb,
    };
    png::write_png(&written, &picture)?;
    Ok(written)
}
