//! Writes `<slide>_likelihood_map.tif`, the heatmap as an overlay for ASAP. ASAP shows
//! the overlay over `<slide>.tif` when both files are in one folder.
//!
//! ASAP's reader and its overlay panel require:
//! - a tiled TIFF with one sample per pixel, `MINISBLACK`, and compression none, LZW,
//!   32946 or JPEG (not 8, today's number for deflate);
//! - widths that fall strictly from one directory to the next;
//! - a description without "xml" or "DICOM";
//! - the same whole-number quotient of the slide's size and the overlay's along x and
//!   y ([`OverlayGrid`]).
//!
//! The samples are f32, because ASAP shows floats as likelihoods (0 to 1, transparent
//! at 0) and integers as labels. Points without a score are written as 0, because ASAP
//! paints NaN like 1.

use std::path::Path;

use ndarray::ArrayView2;

use super::error::ExportError;
use super::slide_lattice::{OverlayGrid, SlideLattice};
use super::{pyramid, value_tiff};
use crate::bigtiff::{DeflateCode, DirectoryLinks, Tags, TilePixels};
use crate::heatmap_h5::HeatmapMeta;

/// The pyramid continues until no side is longer than this. ASAP reads as many overlay
/// levels as the slide has; a missing level terminates ASAP.
const SMALLEST_PX: u32 = 16;

/// Writes the heatmap `score` `[row, col]`, NaN where not scored, as an overlay of the
/// whole slide.
pub(super) fn write(
    target: &Path,
    meta: &HeatmapMeta,
    score: ArrayView2<'_, f32>,
) -> Result<(), ExportError> {
    let lattice = SlideLattice::new(meta);
    let overlay = OverlayGrid::new(lattice.width_px, lattice.height_px, lattice.pitch_px);
    let (rows, cols) = score.dim();
    let across = overlay.lattice_columns(&lattice, cols);
    let down = overlay.lattice_rows(&lattice, rows);
    let mut sizes = pyramid::sizes(overlay.columns, overlay.rows, SMALLEST_PX);
    let falling = sizes.windows(2).take_while(|pair| pair[1].width_px < pair[0].width_px).count();
    sizes.truncate(falling + 1);
    let px_per_pixel = |px: u32, pixels: u32| f64::from(px) / f64::from(pixels);
    let tags = Tags {
        pixels: TilePixels::DeflatedF32(DeflateCode::Legacy),
        links: DirectoryLinks::Successive,
        um_per_px: lattice.um_per_px.map(|[x, y]| {
            [
                x * px_per_pixel(lattice.width_px, overlay.columns),
                y * px_per_pixel(lattice.height_px, overlay.rows),
            ]
        }),
        description: "",
        range: Some([0.0, 1.0]),
    };
    let fill = |pixel: usize, out: &mut [f32]| {
        let row = score.row(down[pixel]);
        for (out, &col) in out.iter_mut().zip(&across) {
            let value = row[col];
            *out = if value.is_nan() { 0.0 } else { value };
        }
        Ok(())
    };
    value_tiff::write(target, &sizes, 0.0, fill, &tags)
}
