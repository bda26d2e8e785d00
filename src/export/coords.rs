//! Writes the positions of a slide's tissue tiles for CLAM or TRIDENT. The HDF5 file
//! holds one dataset `coords` [N, 2]: x and y of each tile's top left corner in level-0
//! px, row by row. The metadata are attributes of the dataset.
//!
//! Both programs read a tile as a square of level 0 and shrink it. Each corner is
//! rounded to whole level-0 px by itself, so that errors do not add up from tile to
//! tile. Tiles at the right and bottom edges may reach beyond the slide.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use ndarray::{Array2, ArrayView2};
use serde::{Deserialize, Serialize};

use super::ExportError;
use crate::hdf5_file::{Attributes, FormatError, StagedHdf5};
use crate::patches::{PatchesFile, PatchesMeta};

const COORDS: &str = "coords";

/// The program that the coordinates are for, which decides the file name and the
/// attributes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CoordsFormat {
    /// `<slide>.h5`, for CLAM's `Whole_Slide_Bag_FP` and the programs derived from CLAM.
    Clam,
    /// `<slide>_patches.h5`, for TRIDENT.
    Trident,
}

impl CoordsFormat {
    /// All formats.
    pub const ALL: [Self; 2] = [Self::Clam, Self::Trident];

    /// The name on command lines.
    pub fn name(self) -> &'static str {
        match self {
            Self::Clam => "clam-coords",
            Self::Trident => "trident-coords",
        }
    }

    /// The coordinate file of `slide` in `folder`.
    pub fn path(self, folder: &Path, slide: &str) -> PathBuf {
        folder.join(match self {
            Self::Clam => format!("{slide}.h5"),
            Self::Trident => format!("{slide}_patches.h5"),
        })
    }
}

impl fmt::Display for CoordsFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for CoordsFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = Self::ALL.into_iter().find(|format| format.name() == text);
        known.ok_or_else(|| format!("format {text:?} is not clam-coords or trident-coords"))
    }
}

/// Writes the coordinates of a patch file's tissue tiles into `folder`, in a file named
/// after `slide`, and returns its path.
///
/// # Errors
/// [`ExportError`] when the tissue mask cannot be read, when the coordinate file cannot
/// be written or would replace the patch file, or when the format is TRIDENT's, which
/// states magnifications, and the slide's resolution is unknown.
pub(crate) fn write_coords(
    patches: &PatchesFile,
    folder: &Path,
    slide: &str,
    format: CoordsFormat,
) -> Result<PathBuf, ExportError> {
    let (meta, target) = (patches.meta(), format.path(folder, slide));
    let canonical = |path: &Path| std::fs::canonicalize(path).ok();
    if canonical(&target).is_some_and(|target| canonical(patches.path()) == Some(target)) {
        return Err(ExportError::Replaces { path: target });
    }
    let magnification = match format {
        CoordsFormat::Clam => None,
        CoordsFormat::Trident => Some(magnification(slide, meta)?),
    };
    let coords = corners(meta, patches.tissue()?.view());
    let mut output = StagedHdf5::create_foreign(&target)?;
    let dataset = output
        .file()
        .new_dataset::<i64>()
        .obj_track_times(false)
        .chunk((coords.nrows().clamp(1, 4096), 2))
        .shape((coords.nrows().., 2))
        .create(COORDS)
        .and_then(|dataset| match coords.is_empty() {
            true => Ok(dataset),
            false => dataset.write(coords.view()).map(|()| dataset),
        })
        .map_err(|e| FormatError::hdf5(&target, "write /coords", &e))?;
    let attributes = Attributes::new(&target, &dataset);
    let folder = folder.display().to_string();
    match magnification {
        None => put_clam(&attributes, meta, slide, &folder)?,
        Some(level0) => put_trident(&attributes, meta, slide, &folder, level0)?,
    }
    output.flush()?;
    drop(dataset);
    output.written().whole(COORDS, coords.as_slice().expect("standard layout"));
    output.written().describe(COORDS);
    output.commit()?;
    Ok(target)
}

/// Top left corners of the tissue tiles, `[tile, (x, y)]` in level-0 px, row by row.
fn corners(meta: &PatchesMeta, tissue: ArrayView2<'_, u8>) -> Array2<i64> {
    let level0 = |tile: usize| rounded(tile as f64 * f64::from(meta.tile_px) * meta.downsample);
    let tiles = tissue.indexed_iter().filter(|&(_, &tile)| tile != 0);
    let flat: Vec<i64> = tiles.flat_map(|((row, col), _)| [level0(col), level0(row)]).collect();
    Array2::from_shape_vec((flat.len() / 2, 2), flat).expect("two numbers per tile")
}

#[expect(clippy::cast_possible_truncation, reason = "below 2^31 px")]
fn rounded(px: f64) -> i64 {
    px.round() as i64
}

/// Side of a tile, level-0 px, at least 1.
fn side_px(meta: &PatchesMeta) -> i64 {
    rounded(f64::from(meta.tile_px) * meta.downsample).max(1)
}

fn put_clam(
    attributes: &Attributes<'_>,
    meta: &PatchesMeta,
    slide: &str,
    folder: &str,
) -> Result<(), FormatError> {
    let size = [meta.level0_width_px, meta.level0_height_px].map(i64::from);
    attributes.put_i64("patch_size", side_px(meta))?;
    attributes.put_i64("patch_level", 0)?;
    attributes.put_f64s("downsample", &[1.0, 1.0])?;
    attributes.put_i64s("downsampled_level_dim", &size)?;
    attributes.put_i64s("level_dim", &size)?;
    attributes.put_variable_str("name", slide)?;
    attributes.put_variable_str("save_path", folder)
}

fn put_trident(
    attributes: &Attributes<'_>,
    meta: &PatchesMeta,
    slide: &str,
    folder: &str,
    level0_magnification: f64,
) -> Result<(), FormatError> {
    attributes.put_i64("patch_size", i64::from(meta.tile_px))?;
    attributes.put_i64("patch_size_level0", side_px(meta))?;
    let magnifications = [
        ("level0_magnification", level0_magnification),
        ("target_magnification", level0_magnification / meta.downsample),
    ];
    for (name, value) in magnifications {
        match (value - value.round()).abs() < 1e-6 {
            true => attributes.put_i64(name, rounded(value))?,
            false => attributes.put_f64(name, value)?,
        }
    }
    attributes.put_i64("overlap", 0)?;
    attributes.put_variable_str("name", slide)?;
    attributes.put_variable_str("savetodir", folder)?;
    attributes.put_i64("level0_width", i64::from(meta.level0_width_px))?;
    attributes.put_i64("level0_height", i64::from(meta.level0_height_px))
}

/// The nominal magnification of level 0, derived from micrometres per px with TRIDENT's
/// thresholds; above its last threshold, 10 / mpp.
fn magnification(slide: &str, meta: &PatchesMeta) -> Result<f64, ExportError> {
    let mpp = meta.mpp_x.ok_or_else(|| ExportError::NoResolution {
        slide: slide.to_owned(),
        what: "TRIDENT's coordinates state magnifications",
    })? / meta.downsample;
    let thresholds = [(0.16, 80.0), (0.2, 60.0), (0.3, 40.0), (0.6, 20.0), (1.2, 10.0), (2.4, 5.0)];
    let known = thresholds.into_iter().find(|&(below, _)| mpp < below);
    Ok(known.map_or(10.0 / mpp, |(_, magnification)| magnification))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::{BlockPlan, Tiling, WorkingPlane};
    use ndarray::arr2;

    fn meta(downsample: f64, mpp: Option<f64>) -> PatchesMeta {
        let mpp = mpp.map(|mpp| mpp * downsample);
        let plane = WorkingPlane {
            level0_width_px: 1000,
            level0_height_px: 1000,
            downsample,
            width_px: 1000,
            height_px: 1000,
            mpp_x: mpp,
            mpp_y: mpp,
        };
        let plan = BlockPlan::new(Tiling::new(224, 1, 224).unwrap(), Array2::zeros((5, 5)));
        PatchesMeta::planned("a", &plane, &plan, 1)
    }

    #[test]
    fn corners_belong_to_tissue_tiles_and_rounding_errors_do_not_add_up() {
        let mut tissue = Array2::zeros((2, 401));
        tissue[[0, 1]] = 1;
        tissue[[1, 400]] = 1;
        assert_eq!(corners(&meta(1.0, None), tissue.view()), arr2(&[[224, 0], [89_600, 224]]));
        let resampled = corners(&meta(1.03, None), tissue.view());
        assert_eq!(resampled, arr2(&[[231, 0], [92_288, 231]]));
        assert_eq!(side_px(&meta(1.03, None)), 231);
    }

    #[test]
    fn magnifications_follow_the_resolution() {
        for (mpp, expected) in [(0.25, 40.0), (0.243, 40.0), (0.5, 20.0), (4.0, 2.5)] {
            assert_eq!(magnification("a", &meta(2.0, Some(mpp))).unwrap(), expected);
        }
        let error = magnification("a", &meta(1.0, None)).unwrap_err().to_string();
        assert!(error.contains("[slides] mpp"), "{error}");
    }
}
