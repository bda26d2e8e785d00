//! `<slide>_likelihood_map.tif`: the overlay that ASAP lays over `<slide>.tif`
//! when both are in one folder.
//!
//! What ASAP asks for, from its reader and its overlay panel:
//! - tiles, one sample a pixel, `MINISBLACK`, compression none, LZW, 32946 or JPEG
//!   (not 8, today's number for deflate), widths that fall strictly from one
//!   directory to the next, no "xml" or "DICOM" in the description;
//! - whole-number quotients of the slide's size and the picture's that agree
//!   ([`OverlayGrid`]).
//!
//! f32, because ASAP takes floats for likelihoods (0 to 1, transparent at 0) and
//! integers for labels. It would paint NaN like 1: points without a score are 0.

use std::path::Path;

use ndarray::ArrayView2;

use super::error::ExportError;
use super::heatmap_h5::HeatmapMeta;
use super::slide_lattice::{OverlayGrid, SlideLattice};
use super::{pyramid, value_tiff};
use crate::bigtiff::{DeflateCode, DirectoryLinks, Pixels, Tags};

/// ASAP asks for as many levels as the slide has from this resolution on; one too
/// few ends it.
const SMALLEST_PX: u32 = 16;

/// Writes `score` `[row, col]`, NaN where not scored, over the whole slide.
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
    let falling = sizes.windows(2).take_while(|pair| pair[1].0 < pair[0].0).count();
    sizes.truncate(falling + 1);
    let part = |px: u32, pixels: u32| f64::from(px) / f64::from(pixels);
    let tags = Tags {
        pixels: Pixels::DeflatedF32(DeflateCode::Old),
        chain: DirectoryLinks::Successive,
        um_per_px: lattice.um_per_px.map(|[x, y]| {
            [x * part(lattice.width_px, overlay.columns), y * part(lattice.height_px, overlay.rows)]
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
