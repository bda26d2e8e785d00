//! Reads the pixels to which stains are fitted: whole pictures, and tissue tiles sampled
//! from slides.

use std::path::Path;

use super::TemplateError;
use crate::crash::Watch;
use crate::geometry::WorkingPlane;
use crate::geometry::plane::TargetMpp;
use crate::progress::Progress;
use crate::slide::{self, IccOutcome, PlaneReader, Region, Slide};
use crate::threads::{self, worker_count};
use crate::tissue::picture::PICTURE_UM;
use crate::tissue::{TileGrid, TissueOptions, TissuePicture, TissueViews, find_tissue};

/// Largest number of pixels of a picture that is read whole. Larger files are slides,
/// which would fill the memory.
const LIMIT_PX: u64 = 1 << 25;

/// Side of the tiles that are sampled from slides, level-0 px.
pub(super) const TILE_PX: u32 = 256;

/// Largest number of pixels in a [`pool`].
const POOL_PX: usize = 4_000_000;

/// A picture, decoded whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WholePicture {
    /// Width, px.
    pub width_px: u32,
    /// Height, px.
    pub height_px: u32,
    /// Pixels, `[row, col, rgb]`.
    pub rgb: Vec<u8>,
    /// What was done with the embedded colour profile; `None` if it was to be ignored.
    pub icc: Option<IccOutcome>,
}

/// Reads a whole picture of at most 2^25 px. `icc` says whether its embedded colour profile
/// is applied.
///
/// # Errors
/// `TemplateError` when the picture cannot be opened or decoded, or is a whole slide.
pub fn whole_picture(path: &Path, icc: bool) -> Result<WholePicture, TemplateError> {
    let (slide, icc, _watch) = open(path, icc)?;
    let level = slide.levels()[0];
    let (width_px, height_px) = (level.width_px, level.height_px);
    if u64::from(width_px) * u64::from(height_px) > LIMIT_PX {
        let path = path.to_owned();
        return Err(TemplateError::TooLarge { path, width_px, height_px, limit_px: LIMIT_PX });
    }
    let mut rgb = vec![0; 3 * width_px as usize * height_px as usize];
    slide.read_region(0, Region::new(0, 0, width_px, height_px), &mut rgb)?;
    Ok(WholePicture { width_px, height_px, rgb, icc })
}

/// A slide, what was done with its colour profile, and the watch over its reading.
type Opened = (Box<dyn Slide>, Option<IccOutcome>, Watch);

fn open(path: &Path, icc: bool) -> Result<Opened, TemplateError> {
    let (slide, watch) = slide::open_watched(path)?;
    if !icc {
        return Ok((slide, None, watch));
    }
    let (slide, outcome) = slide::through_icc(slide);
    Ok((slide, Some(outcome), watch))
}

/// Warns if the colour profile was requested and not applied.
pub(super) fn warn_of_profile(path: &Path, icc: Option<&IccOutcome>, progress: &Progress) {
    if let Some(icc) = icc.filter(|icc| !matches!(icc, IccOutcome::Applied { .. })) {
        progress.warn(&format!("warning: {}: colour profile {icc}", path.display()));
    }
}

/// A tissue tile at level 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SampleTile {
    /// Left edge, level-0 px.
    pub x_px: u32,
    /// Top edge, level-0 px.
    pub y_px: u32,
    /// Pixels of the square tile, `[row, col, rgb]`.
    pub rgb: Vec<u8>,
}

/// Reads up to `count` tissue tiles of side `tile_px`, spread evenly over the slide, and
/// returns them with what was done with the slide's colour profile. Tissue is found with
/// the default options of `[tissue]`; of a picture of fewer than 64 tiles, every tile
/// counts as tissue. Tiles that cannot be decoded are left out.
///
/// # Errors
/// [`TemplateError`] when the slide cannot be opened, has no tissue, or when none of the
/// chosen tiles can be decoded.
pub(crate) fn sample_tiles(
    path: &Path,
    icc: bool,
    count: usize,
    tile_px: u32,
) -> Result<(Vec<SampleTile>, Option<IccOutcome>), TemplateError> {
    let (slide, outcome, _watch) = open(path, icc)?;
    let level = slide.levels()[0];
    let no_tissue = |problem: String| TemplateError::NoTissue { path: path.to_owned(), problem };
    let plane = WorkingPlane::plan(level.width_px, level.height_px, None, TargetMpp::Level0)
        .map_err(|error| no_tissue(error.to_string()))?;
    let reader = PlaneReader::new(slide.as_ref(), plane);
    let tissue = tissue_tiles(&reader, tile_px).map_err(no_tissue)?;
    let chosen =
        (0..count.min(tissue.len())).map(|i| tissue[i * tissue.len() / count.min(tissue.len())]);
    let (mut tiles, mut failed) = (Vec::new(), None);
    for (row, col) in chosen {
        let (x_px, y_px) = (col * tile_px, row * tile_px);
        let mut rgb = vec![0; 3 * tile_px as usize * tile_px as usize];
        let region = Region::new(x_px.into(), y_px.into(), tile_px, tile_px);
        match reader.read(region, &mut rgb) {
            Ok(()) => tiles.push(SampleTile { x_px, y_px, rgb }),
            Err(error) => failed = Some(error),
        }
    }
    match failed {
        Some(error) if tiles.is_empty() => Err(error.into()),
        _ => Ok((tiles, outcome)),
    }
}

/// (row, column) of the tissue tiles, row by row.
fn tissue_tiles(reader: &PlaneReader<'_>, tile_px: u32) -> Result<Vec<(u32, u32)>, String> {
    let pool = threads::pool(worker_count(None).count);
    let plane = reader.plane();
    let area_px = f64::from(plane.width_px) * f64::from(plane.height_px);
    let step_px = TissuePicture::step_px(None, tile_px, area_px);
    let means = slide::tissue_picture(reader, step_px, &pool).map_err(|e| e.to_string())?;
    let picture = TissuePicture { rgb: means.rgb, step_px, step_um: PICTURE_UM };
    let tiles = |px: u32| px.div_ceil(tile_px) as usize;
    let grid = TileGrid { rows: tiles(plane.height_px), cols: tiles(plane.width_px) };
    // A picture of a few tiles may show no glass against which tissue could be found.
    let is_small = grid.rows * grid.cols < 64;
    let views = TissueViews { thumbnail: None, picture: &picture, tile_px, grid, mask: None };
    let mask = find_tissue(&views, &TissueOptions::default()).map_err(|error| error.to_string())?;
    let index = |at: usize| u32::try_from(at).expect("a mask has fewer than 2^32 rows and columns");
    let found: Vec<(u32, u32)> = mask
        .mask
        .indexed_iter()
        .filter(|(_, tile)| is_small || **tile != 0)
        .map(|((row, col), _)| (index(row), index(col)))
        .collect();
    if found.is_empty() {
        return Err("no tile has the colour of stain against the glass".into());
    }
    Ok(found)
}

/// Pools the pixels of several sources, each u8 RGB, for one estimate. Every source gives
/// the same number of pixels, spread evenly; together they are at most 4 million.
pub(crate) fn pool(sources: &[Vec<u8>]) -> Vec<u8> {
    let smallest = sources.iter().map(|rgb| rgb.len() / 3).min().unwrap_or(0);
    let per_source = smallest.min(POOL_PX / sources.len().max(1));
    let spread_evenly = |rgb: &Vec<u8>| -> Vec<u8> {
        let pixels = rgb.as_chunks::<3>().0;
        (0..per_source).flat_map(|i| pixels[i * pixels.len() / per_source]).collect()
    };
    sources.iter().flat_map(spread_evenly).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_source_gives_the_same_number_of_pixels() {
        let pooled = pool(&[vec![1; 3 * 1000], vec![2; 3 * 10], vec![3; 3 * 77]]);
        let count = |value: u8| pooled.iter().filter(|&&v| v == value).count();
        assert_eq!([1, 2, 3].map(count), [30, 30, 30]);
        assert_eq!(pool(&[]), Vec::<u8>::new());
    }
}
