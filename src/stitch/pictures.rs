//! Writes the heatmap as a picture over the slide's thumbnail, and as a NumPy array.

use std::path::PathBuf;

use ndarray::Array3;

use super::error::StitchError;
use crate::config::RunConfig;
use crate::export::npy;
use crate::export::png;
use crate::heatmap::{
    Heatmap, HeatmapPicture, MissingTiles, PlaneThumbnail, RgbPicture, render_heatmap,
};
use crate::heatmap_h5::HeatmapMeta;
use crate::patches::{PatchesFile, PatchesMeta};
use crate::run_dir::RunDir;

/// Writes the PNG and NumPy files. The HDF5 file is written after them, because its existence
/// means that the heatmap is complete.
pub(super) fn write_pictures(
    run: &RunDir,
    config: &RunConfig,
    meta: &PatchesMeta,
    patches: &PatchesFile,
    heatmap: &Heatmap,
    file: &HeatmapMeta,
) -> Result<Vec<PathBuf>, StitchError> {
    let mut files = Vec::new();
    if config.config.stitch.png {
        let path = run.heatmap(&meta.slide, "png");
        png::write_png(&path, &draw(config, meta, patches, heatmap, file)?)?;
        files.push(path);
    }
    if config.config.stitch.npy {
        let path = run.heatmap(&meta.slide, "npy");
        npy::write_f32(&path, heatmap.score.view())?;
        files.push(path);
    }
    Ok(files)
}

/// Draws the heatmap over the slide's thumbnail.
fn draw(
    config: &RunConfig,
    meta: &PatchesMeta,
    patches: &PatchesFile,
    heatmap: &Heatmap,
    file: &HeatmapMeta,
) -> Result<RgbPicture, StitchError> {
    let rgb = patches.thumbnail()?.unwrap_or_else(|| white_thumbnail(meta));
    let slide =
        PlaneThumbnail { rgb: rgb.view(), width_px: meta.width_px, height_px: meta.height_px };
    let missing = heatmap.missing_tiles(patches.tissue()?.view(), meta.tile_px);
    let class = &file.classes[file.positive as usize];
    let options = HeatmapPicture {
        title: vec![meta.slide.clone(), format!("{class}, stride {} px", heatmap.stride_px)],
        max_side_px: config.config.stitch.max_side_px as usize,
        missing: Some(MissingTiles { tiles: missing.view(), tile_px: meta.tile_px }),
        ..HeatmapPicture::default()
    };
    render_heatmap(&slide, heatmap, &options)
        .map_err(|source| StitchError::Render { slide: meta.slide.clone(), source })
}

/// A white picture, `[row, col, rgb]`, in place of the thumbnail of a patch file without one.
fn white_thumbnail(meta: &PatchesMeta) -> Array3<u8> {
    let (width, height) = (u64::from(meta.width_px), u64::from(meta.height_px));
    let longest = width.max(height).max(1);
    let side = |px: u64| usize::try_from((px * 1024 / longest).max(1)).unwrap_or(1);
    Array3::from_elem((side(height), side(width), 3), 255)
}
