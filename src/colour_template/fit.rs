//! Fits one estimate of colours to several slides or pictures.

use std::path::{Path, PathBuf};

use super::sample::{TILE_PX, pool, sample_tiles, warn_of_profile, whole_picture};
use super::{StainsFile, TemplateError};
use crate::normalize::{ColourEstimate, ColourMethod};
use crate::progress::Progress;

/// What is fitted, and to which pixels.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FitOptions {
    /// The method of the estimate.
    pub method: ColourMethod,
    /// Whether an embedded colour profile is applied first.
    pub icc: bool,
    /// Largest number of tissue tiles that are measured per slide.
    pub tiles: usize,
}

/// A fit to several slides or pictures.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TemplateFit {
    /// The fitted colours.
    pub estimate: ColourEstimate,
    /// Names of the files that were measured.
    pub sources: Vec<String>,
}

/// Fits one estimate to the pixels of all `slides` and writes it to `out`. Files that cannot be
/// measured are listed as errors; `None` if that is all of them.
///
/// # Errors
/// [`TemplateError`] if the pixels show no stains, or the file cannot be written.
pub(crate) fn fit_template(
    slides: &[PathBuf],
    options: &FitOptions,
    out: &Path,
    progress: &Progress,
) -> Result<Option<TemplateFit>, TemplateError> {
    let (mut pixels, mut sources) = (Vec::new(), Vec::new());
    for slide in slides {
        match sample_pixels(slide, options, progress) {
            Ok(rgb) => {
                pixels.push(rgb);
                sources.push(slide.file_name().unwrap_or_default().to_string_lossy().into_owned());
            }
            Err(error) => progress.warn(&format!("error: {error}")),
        }
    }
    let Some(first) = slides.first().filter(|_| !sources.is_empty()) else { return Ok(None) };
    let method = options.method;
    let estimate = method
        .estimate(&pool(&pixels))
        .map_err(|source| TemplateError::ColourEstimate { path: first.clone(), method, source })?;
    StainsFile::new(estimate, sources.clone()).write(out)?;
    Ok(Some(TemplateFit { estimate, sources }))
}

/// The pixels of a whole picture, or of tissue tiles of a slide, as RGB bytes.
fn sample_pixels(
    path: &Path,
    options: &FitOptions,
    progress: &Progress,
) -> Result<Vec<u8>, TemplateError> {
    match whole_picture(path, options.icc) {
        Ok(picture) => {
            warn_of_profile(path, picture.icc.as_ref(), progress);
            Ok(picture.rgb)
        }
        Err(TemplateError::TooLarge { .. }) => {
            let (tiles, icc) = sample_tiles(path, options.icc, options.tiles, TILE_PX)?;
            warn_of_profile(path, icc.as_ref(), progress);
            Ok(tiles.into_iter().flat_map(|tile| tile.rgb).collect())
        }
        Err(error) => Err(error),
    }
}
