//! Draws sample tiles of a slide before and after normalisation, with the stains.

use std::path::Path;

use super::TemplateError;
use super::sample::{TILE_PX, sample_tiles, warn_of_profile};
use crate::export::png;
use crate::heatmap::{Swatches, TilePair, render_preview};
use crate::normalize::{ColourEstimate, ColourMethod, ColourTransform, normalize_patch};
use crate::progress::Progress;

/// Number of tiles from which the stains of a slide are estimated.
const ESTIMATE_TILES: usize = 100;

/// What is drawn.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PreviewOptions {
    /// The method of normalisation.
    pub method: ColourMethod,
    /// Whether the slide's embedded colour profile is applied first.
    pub icc: bool,
    /// Whether the stains of each tile are estimated by itself.
    pub per_tile: bool,
    /// Largest number of tiles to draw.
    pub tiles: usize,
}

/// The tiles of a preview.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PreviewCounts {
    /// Tiles that are drawn.
    pub shown: usize,
    /// Tiles of these whose stains could not be estimated.
    pub refused: usize,
}

/// Draws tiles of the slide beside the same tiles with the colours of `target`, and writes the
/// picture to `out`.
///
/// # Errors
/// [`TemplateError`] if the slide cannot be read or has no tissue, or the picture cannot be
/// written.
pub(crate) fn write_preview(
    slide: &Path,
    target: &ColourEstimate,
    options: &PreviewOptions,
    out: &Path,
    progress: &Progress,
) -> Result<PreviewCounts, TemplateError> {
    let PreviewOptions { method, icc, per_tile, .. } = *options;
    let (tiles, icc) = sample_tiles(slide, icc, ESTIMATE_TILES, TILE_PX)?;
    warn_of_profile(slide, icc.as_ref(), progress);
    let all: Vec<u8> = tiles.iter().flat_map(|tile| tile.rgb.iter().copied()).collect();
    let estimate = method.estimate(&all);
    let by_slide = |rgb: &mut Vec<u8>| -> Result<(), String> {
        let estimate = estimate.map_err(|error| error.to_string())?;
        let transform =
            ColourTransform::new(&estimate, target).map_err(|error| error.to_string())?;
        transform.apply(rgb);
        Ok(())
    };
    let shown = options.tiles.min(tiles.len());
    let pairs: Vec<TilePair> = (0..shown)
        .map(|at| tiles[at * tiles.len() / shown].rgb.clone())
        .map(|before| {
            let mut after = before.clone();
            let changed = if per_tile {
                normalize_patch(&mut after, target).map_err(|error| error.to_string())
            } else {
                by_slide(&mut after)
            };
            TilePair { before, after: changed.map(|()| after) }
        })
        .collect();
    let scope = if per_tile { "each tile by itself" } else { "by the slide's estimate" };
    let name = slide.file_name().unwrap_or_default().to_string_lossy();
    let title = [format!("{name}: {method}, {scope}; before | after")];
    let found = estimate.map_or_else(
        |error| Swatches { label: format!("slide: {error}"), colours: Vec::new() },
        |estimate| swatches("slide", &estimate),
    );
    let picture =
        render_preview(&title, &[found, swatches("template", target)], &pairs, TILE_PX as usize);
    png::write_png(out, &picture)?;
    let refused = pairs.iter().filter(|pair| pair.after.is_err()).count();
    Ok(PreviewCounts { shown, refused })
}

fn swatches(name: &str, estimate: &ColourEstimate) -> Swatches {
    let colours = estimate.stains().map_or(Vec::new(), |stains| stains.swatches().to_vec());
    Swatches { label: format!("{name}: {estimate}"), colours }
}
