//! Makes a small picture of a whole slide, for heatmap pictures and reports.

use ndarray::{Array3, s};

use super::{PlaneReader, Region, RegionError, Slide};
use crate::geometry::plane::WorkingPlane;

/// Side of the pieces in which the picture is made, px. A piece that cannot be read stays
/// white, and the others are not affected.
const PIECE_PX: u32 = 128;

/// A small picture of a whole slide.
#[derive(Debug, Clone, PartialEq)]
pub struct Overview {
    /// u8 [row, col, rgb]; white (255) where the slide could not be read.
    pub rgb: Array3<u8>,
    /// Level-0 px per px of the picture.
    pub downsample: f64,
    /// The errors of the pieces that could not be read.
    pub failed: Vec<RegionError>,
}

/// Makes a picture of the whole slide whose longer side has `max_side_px` px, or as many as
/// the slide if that is smaller. Memory: the picture and about 30 MB.
///
/// # Errors
/// The first [`RegionError`] when no part of the slide can be read.
pub fn overview(slide: &dyn Slide, max_side_px: u32) -> Result<Overview, RegionError> {
    let level0 = slide.levels()[0];
    let longer_px = level0.width_px.max(level0.height_px);
    let downsample = (f64::from(longer_px) / f64::from(max_side_px.max(1))).max(1.0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most u32")]
    let side = |level0_px: u32| ((f64::from(level0_px) / downsample).round() as u32).max(1);
    let (width_px, height_px) = (side(level0.width_px), side(level0.height_px));
    let plane = WorkingPlane {
        level0_width_px: level0.width_px,
        level0_height_px: level0.height_px,
        downsample,
        width_px,
        height_px,
        mpp_x: None,
        mpp_y: None,
    };
    let reader = PlaneReader::new(slide, plane);
    let mut rgb = Array3::from_elem((height_px as usize, width_px as usize, 3), 255);
    let mut failed = Vec::new();
    let mut pieces = 0;
    for y in (0..height_px).step_by(PIECE_PX as usize) {
        for x in (0..width_px).step_by(PIECE_PX as usize) {
            let (columns, rows) = (PIECE_PX.min(width_px - x), PIECE_PX.min(height_px - y));
            pieces += 1;
            match read_piece(&reader, Region::new(x.into(), y.into(), columns, rows)) {
                Ok(piece) => {
                    let (x, y) = (x as usize, y as usize);
                    rgb.slice_mut(s![y..y + rows as usize, x..x + columns as usize, ..])
                        .assign(&piece);
                }
                Err(error) => failed.push(error),
            }
        }
    }
    match failed.first() {
        Some(first) if failed.len() == pieces => Err(first.clone()),
        _ => Ok(Overview { rgb, downsample, failed }),
    }
}

fn read_piece(reader: &PlaneReader<'_>, region: Region) -> Result<Array3<u8>, RegionError> {
    let mut piece = Array3::zeros((region.height_px as usize, region.width_px as usize, 3));
    let out = piece.as_slice_mut().unwrap_or_default();
    reader.read(region, out)?;
    Ok(piece)
}
