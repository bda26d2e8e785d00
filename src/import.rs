//! Import of heatmaps that the original HPC_DPAI code made, as files like those of `stitch`.

use std::path::{Path, PathBuf};

use ndarray::Array3;
use thiserror::Error;

use crate::export::npy::{self, NpyError};
use crate::export::png::{self, PngError};
use crate::hdf5_file::FormatError;
use crate::heatmap::legacy::{self, LEGACY_TILE_PX};
use crate::heatmap::{
    Heatmap, HeatmapPicture, LegacyDimensions, LegacyError, PlaneThumbnail, RenderError,
    render_heatmap,
};
use crate::heatmap_h5::{HeatmapMeta, HeatmapWriter};

/// Longest side of the white image over which the picture is drawn, px.
const GROUND_PX: u64 = 1024;

/// A heatmap of the original code, and the data about its slide that the code does not store.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct LegacyHeatmap {
    /// NumPy file of the map over the tissue's bounding box, float32 `[rows, cols]`.
    pub cells: PathBuf,
    /// NumPy file of the `dimensions` array, nine integers.
    pub dimensions: PathBuf,
    /// Width of the slide, level-0 px.
    pub width_px: u32,
    /// Height of the slide, level-0 px.
    pub height_px: u32,
    /// Resolution of level 0, um per px, if known.
    pub mpp: Option<f64>,
}

/// The result of an import.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Imported {
    /// The files that were written, the HDF5 file first.
    pub files: Vec<PathBuf>,
    /// Number of lattice points with a score.
    pub scored: usize,
    /// Number of cells that were left out because their pixel lies outside the slide.
    pub cells_outside: usize,
}

/// Why a heatmap cannot be imported.
#[derive(Debug, Error)]
pub(crate) enum ImportError {
    /// An array cannot be read.
    #[error(transparent)]
    Npy(#[from] NpyError),
    /// An array is not what the original code writes.
    #[error("{}: {source}", path.display())]
    Legacy {
        /// File of the array.
        path: PathBuf,
        /// The problem.
        source: LegacyError,
    },
    /// The resolution is not a positive number.
    #[error("--mpp {found}: expected micrometres per pixel above 0")]
    Mpp {
        /// The value of `--mpp`.
        found: f64,
    },
    /// The heatmap cannot be written.
    #[error(transparent)]
    Format(#[from] FormatError),
    /// The picture cannot be drawn.
    #[error("{}: {source}", path.display())]
    Render {
        /// File of the picture.
        path: PathBuf,
        /// The problem.
        source: RenderError,
    },
    /// The picture cannot be written.
    #[error(transparent)]
    Picture(#[from] PngError),
}

/// Writes the heatmap `given` to `out` in the format of `heatmaps/<slide>.h5` and, if
/// `picture` is set, a picture of it beside that file.
///
/// # Errors
/// [`ImportError`] that names the file with the problem.
pub(crate) fn import_heatmap(
    given: &LegacyHeatmap,
    out: &Path,
    picture: bool,
) -> Result<Imported, ImportError> {
    if let Some(found) = given.mpp.filter(|mpp| !(mpp.is_finite() && *mpp > 0.0)) {
        return Err(ImportError::Mpp { found });
    }
    let invalid = |path: &Path| {
        let path = path.to_owned();
        move |source| ImportError::Legacy { path, source }
    };
    let numbers = npy::read_i64_1d(&given.dimensions)?.to_vec();
    let dimensions = LegacyDimensions::parse(&numbers).map_err(invalid(&given.dimensions))?;
    let cells = npy::read_f32_2d(&given.cells)?;
    let placed = legacy::place(cells.view(), &dimensions, given.width_px, given.height_px)
        .map_err(invalid(&given.cells))?;
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

/// Draws the picture over white, because the original stores no thumbnail with its map.
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
