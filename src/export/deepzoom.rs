//! Writes `<slide>.dzi` and `<slide>_files/`, the coloured heatmap as DeepZoom tiles for
//! OpenSeadragon and other web viewers.
//!
//! Pixels are transparent where nothing was scored and opaque elsewhere; the viewer
//! chooses the opacity of the layer. The picture covers the whole slide
//! ([`OverlayGrid`]), so a viewer gives it the position and the width of the slide's own
//! tiles. Each tile of 512 px of each level is a file, which makes thousands of small
//! files for a large slide.

use std::path::Path;

use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder};
use ndarray::ArrayView2;

use super::error::ExportError;
use super::pyramid::{self, Tile};
use super::slide_lattice::{OverlayGrid, SlideLattice};
use crate::heatmap::render::colour_of;
use crate::heatmap_h5::HeatmapMeta;
use crate::staged::{self, StagedFolder};

/// Side of a tile, px.
const TILE_PX: usize = 512;

/// Writes the heatmap `score` `[row, col]`, NaN where not scored: first the folder
/// `tiles`, then `target`, the `.dzi` file that describes the tiles.
pub(super) fn write(
    target: &Path,
    tiles: &Path,
    meta: &HeatmapMeta,
    score: ArrayView2<'_, f32>,
) -> Result<(), ExportError> {
    let lattice = SlideLattice::new(meta);
    let overlay = OverlayGrid::new(lattice.width_px, lattice.height_px, lattice.pitch_px);
    let (rows, cols) = score.dim();
    let across = overlay.lattice_columns(&lattice, cols);
    let down = overlay.lattice_rows(&lattice, rows);
    let sizes = pyramid::sizes(overlay.columns, overlay.rows, 1);
    let mut folder = StagedFolder::new(tiles)?;
    let fill = |pixel: usize, out: &mut [f32]| {
        let row = score.row(down[pixel]);
        out.iter_mut().zip(&across).for_each(|(out, &col)| *out = row[col]);
        Ok(())
    };
    pyramid::stream(&sizes, TILE_PX, fill, |tile| {
        // DeepZoom numbers levels from the smallest, `Tile::level` from the largest.
        let level = sizes.len() - 1 - tile.level;
        let name = format!("{level}/{}_{}.png", tile.column, tile.row);
        folder.write(name, &png(tile)).map_err(ExportError::from)
    })?;
    folder.commit()?;
    Ok(staged::write(target, descriptor(&overlay).as_bytes())?)
}

fn descriptor(overlay: &OverlayGrid) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Image xmlns=\"http://schemas.microsoft.com/deepzoom/2008\" Format=\"png\" Overlap=\"0\" TileSize=\"{TILE_PX}\"><Size Width=\"{}\" Height=\"{}\"/></Image>\n",
        overlay.columns, overlay.rows
    )
}

fn png(tile: &Tile<'_>) -> Vec<u8> {
    let colour = |&score: &f32| match score.is_nan() {
        true => [0; 4],
        false => {
            let [r, g, b] = colour_of(score);
            [r, g, b, 255]
        }
    };
    let pixels: Vec<u8> = tile.rows.iter().flat_map(|row| row.iter()).flat_map(colour).collect();
    let side = |px: usize| u32::try_from(px).expect("a tile is small");
    let (width, height) = (side(tile.rows[0].len()), side(tile.rows.len()));
    let mut bytes = Vec::new();
    PngEncoder::new_with_quality(&mut bytes, CompressionType::Fast, FilterType::NoFilter)
        .write_image(&pixels, width, height, ExtendedColorType::Rgba8)
        .expect("four bytes per pixel, written to memory");
    bytes
}
