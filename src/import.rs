//! Results of the original HPC_DPAI code in, heatmaps of this program out.

use std::path::{Path, PathBuf};

use ndarray::Array3;
use thiserror::Error;

use crate::export::heatmap_h5::{HeatmapMeta, HeatmapWriter};
use crate::export::npy::{self, NpyError};
use crate::export::png::{self, PngError};
use crate::hdf5_file::FormatError;
use crate::heatmap::legacy::{self, LEGACY_TILE_PX};
use crate::heatmap::{
    Heatmap, HeatmapPicture, LegacyDimensions, LegacyError, PlaneThumbnail, RenderError,
    render_heatmap,
};

/// Longest side of the white ground that a picture is drawn on.
const GROUND_PX: u64 = 1024;

/// A heatmap of the original code, and what it does not say about its slide.
#[derive(Debug, Clone, PartialEq)]
pub struct LegacyHeatmap {
    /// The map over the tissue's box, float32 `[rows, cols]`, `.npy`.
    pub cells: PathBuf,
    /// The nine integers of the index, `.npy`.
    pub dimensions: PathBuf,
    /// Width of the slide at level 0.
    pub width_px: u32,
    /// Height of the slide at level 0.
    pub height_px: u32,
    /// Resolution of level 0, um per px, if known.
    pub mpp: Option<f64>,
}

/// What an import made.
#[derive(Debug, Clone, PartialEq)]
pub struct Imported {
    /// Files, the HDF5 first.
    pub files: Vec<PathBuf>,
    /// Lattice points with a score.
    pub scored: usize,
    /// Cells whose pixel lies outside the slide: left out.
    pub cells_outside: usize,
}

/// Why a heatmap cannot be imported.
#[derive(Debug, Error)]
pub enum ImportError {
    /// An array cannot be read.
    #[error(transparent)]
    Npy(#[from] NpyError),
    /// An array is not what the original code writes.
    #[error("{}: {source}", path.display())]
    Legacy {
        /// The array.
        path: PathBuf,
        /// What is wrong.
        source: LegacyError,
    },
    /// The resolution cannot be one.
    #[error("--mpp {found}: expected micrometres per pixel above 0")]
    Mpp {
        /// What was given.
        found: f64,
    },
    /// The heatmap cannot be written.
    #[error(transparent)]
    Format(#[from] FormatError),
    /// The picture cannot be drawn.
    #[error("{}: {source}", path.display())]
    Render {
        /// The picture.
        path: PathBuf,
        /// Why.
        source: RenderError,
    },
    /// The picture cannot be written.
    #[error(transparent)]
    Picture(#[from] PngError),
}

/// Writes `given` as `out`, in the format of `heatmaps/<slide>.h5`, and its
/// picture beside it when `picture`.
///
/// # Errors
/// [`ImportError`] naming the file that is wrong.
pub fn import_heatmap(
    given: &LegacyHeatmap,
    out: &Path,
    picture: bool,
) -> Result<Imported, ImportError> {
    if let Some(found) = given.mpp.filter(|mpp| !(mpp.is_finite() && *mpp > 0.0)) {
        return Err(ImportError::Mpp { found });
    }
    let wrong = |path: &Path| {
        let path = path.to_owned();
        move |source| ImportError::Legacy { path, source }
    };
    let numbers = npy::read_i64_1d(&given.dimensions)?.to_vec();
    let dimensions = LegacyDimensions::parse(&numbers).map_err(wrong(&given.dimensions))?;
    let cells = npy::read_f32_2d(&given.cells)?;
    let placed = legacy::place(cells.view(), &dimensions, given.width_px, given.height_px)
        .map_err(wrong(&given.cells))?;
    let heatmap = &placed.heatmap;
    let scored = heatmap.scored();
    let mut files = vec![out.to_owned()];
    if picture {
        let path = out.with_extension("png");
        draw(given, out, heatmap, &path)?;
        files.push(path);
    }
    let meta = meta(given, out, heatmap.stride_px, scored as u64);
    HeatmapWriter::create(out, &meta, heatmap.score.view())?.finish()?;
    Ok(Imported { files, scored, cells_outside: placed.cells_outside })
}

fn meta(given: &LegacyHeatmap, out: &Path, stride_px: u32, windows: u64) -> HeatmapMeta {
    HeatmapMeta {
        slide: name_of(out),
        stride_px,
        window_px: LEGACY_TILE_PX,
        downsample: 1.0,
        mpp_x: given.mpp,
        mpp_y: given.mpp,
        width_px: given.width_px,
        height_px: given.height_px,
        level0_width_px: given.width_px,
        level0_height_px: given.height_px,
        classes: vec!["positive".into()],
        method: "window".into(),
        engine: "HPC_DPAI".into(),
        windows,
        ..HeatmapMeta::default()
    }
}

/// The picture over white: the original keeps no thumbnail with its map.
fn draw(
    given: &LegacyHeatmap,
    out: &Path,
    heatmap: &Heatmap,
    path: &Path,
) -> Result<(), ImportError> {
    let (width_px, height_px) = (given.width_px, given.height_px);
    let longest = u64::from(width_px.max(height_px)).max(1);
    let side = |px: u32| usize::try_from((u64::from(px) * GROUND_PX / longest).max(1)).unwrap_or(1);
    let rgb = Array3::from_elem((side(height_px), side(width_px), 3), 255);
    let slide = PlaneThumbnail { rgb: rgb.view(), width_px, height_px };
    let stride = format!("HPC_DPAI, stride {} px", heatmap.stride_px);
    let options = HeatmapPicture { title: vec![name_of(out), stride], ..HeatmapPicture::default() };
    let picture = render_heatmap(&slide, heatmap, &options)
        .map_err(|source| ImportError::Render { path: path.to_owned(), source })?;
    Ok(png::write_png(path, &picture)?)
}

fn name_of(out: &Path) -> String {
    out.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}
