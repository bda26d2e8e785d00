//! Files that other programs read, made from heatmaps and patch files at the end of the
//! flow. docs/exports.md lists the formats and says how each places the lattice points
//! on the slide.

mod asap;
pub(crate) mod coords;
mod deepzoom;
mod error;
mod format;
mod geojson;
mod heatmap_bands;
mod notation;
pub(crate) mod npy;
mod ome_tiff;
mod ome_zarr;
pub(crate) mod png;
mod pyramid;
mod slide_lattice;
mod value_tiff;
mod wsinfer_csv;
mod zarr_array;

use std::path::{Path, PathBuf};

use crate::heatmap_h5;

pub(crate) use error::ExportError;
pub(crate) use format::{ExportFormat, GeoJsonObjects, GeoJsonRules};

/// Exports the heatmap in `file` to `folder`, in each of `formats`, and returns the paths
/// that were made ([`ExportFormat::path`] of `slide`). Existing exports are replaced.
///
/// Memory: the heatmap, one row of tiles per level, and a quarter of the heatmap more for
/// OME-Zarr.
///
/// # Errors
/// [`ExportError`] naming the file that failed. Exports made before the failure stay.
pub(crate) fn export_heatmap(
    file: &Path,
    folder: &Path,
    slide: &str,
    formats: &[ExportFormat],
    rules: &GeoJsonRules,
) -> Result<Vec<PathBuf>, ExportError> {
    let mut made = Vec::new();
    let mut maps = formats.iter().filter(|format| **format != ExportFormat::Csv).peekable();
    if maps.peek().is_some() {
        let (meta, score) = heatmap_h5::read_heatmap(file)?;
        for format in maps {
            let target = format.path(folder, slide);
            let score = score.view();
            match format {
                ExportFormat::Asap => asap::write(&target, &meta, score)?,
                ExportFormat::OmeTiff => ome_tiff::write(&target, &meta, score)?,
                ExportFormat::OmeZarr => ome_zarr::write(&target, &meta, score)?,
                ExportFormat::Geojson => geojson::write(&target, &meta, score, rules)?,
                ExportFormat::Deepzoom => {
                    let tiles = folder.join(format!("{slide}_files"));
                    deepzoom::write(&target, &tiles, &meta, score)?;
                }
                ExportFormat::Csv => continue,
            }
            made.push(target);
        }
    }
    if formats.contains(&ExportFormat::Csv) {
        let target = ExportFormat::Csv.path(folder, slide);
        wsinfer_csv::write(&target, file)?;
        made.push(target);
    }
    Ok(made)
}

/// The exports of `slide` that were `made` in `folder`, and the folder of tiles that belongs to
/// a DeepZoom export.
pub(crate) fn with_tiles(folder: &Path, slide: &str, made: &[PathBuf]) -> Vec<PathBuf> {
    let has_tiles = made.contains(&ExportFormat::Deepzoom.path(folder, slide));
    let tiles = has_tiles.then(|| folder.join(format!("{slide}_files")));
    made.iter().cloned().chain(tiles).collect()
}
