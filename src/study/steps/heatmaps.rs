//! Heatmaps: files of slidegrid, or arrays of other programs.

use std::path::{Path, PathBuf};

use ndarray::Array2;

use super::error::StepError;
use crate::export::npy;
use crate::heatmap_h5;
use crate::metrics::raster::SampleGrid;

/// A heatmap, and the geometry of its points.
pub(crate) struct LoadedHeatmap {
    pub(crate) path: PathBuf,
    pub(crate) slide: String,
    /// Scores, `[row, col]`, NaN where nothing was scored.
    pub(crate) score: Array2<f32>,
    /// Distance between points, level-0 px.
    pitch_px: Option<f64>,
    /// Resolution of the slide, um per level-0 px.
    mpp: Option<f64>,
    /// Width and height of the slide, level-0 px.
    pub(super) size_px: Option<[f64; 2]>,
    /// Where the scanned area of the slide begins, x and y, level-0 px.
    pub(super) bounds_px: Option<[u32; 2]>,
}

impl LoadedHeatmap {
    /// Reads a `.npy` array, or else a heatmap file of slidegrid. `pitch_px` is the distance
    /// between the points of an array, level-0 px; `mpp` is the resolution of slides whose
    /// heatmaps state none, um per level-0 px.
    ///
    /// # Errors
    /// [`StepError`] if the file cannot be used.
    pub(crate) fn read(
        path: &Path,
        pitch_px: Option<f64>,
        mpp: Option<f64>,
    ) -> Result<Self, StepError> {
        let path = path.to_owned();
        if path.extension().is_some_and(|e| e == "npy") {
            let slide = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let score = npy::read_f32_2d(&path)?;
            return Ok(Self { path, slide, score, pitch_px, mpp, size_px: None, bounds_px: None });
        }
        let (meta, score) = heatmap_h5::read_heatmap(&path)?;
        meta.check_named(&path)?;
        Ok(Self {
            path,
            slide: meta.slide.clone(),
            score,
            pitch_px: Some(f64::from(meta.stride_px) * meta.downsample),
            mpp: meta.mpp_x.map(|mpp| mpp / meta.downsample).or(mpp),
            size_px: Some([f64::from(meta.level0_width_px), f64::from(meta.level0_height_px)]),
            bounds_px: meta.lineage.bounds_px,
        })
    }

    /// Distance between points, level-0 px, or an error that says which option to give.
    pub(super) fn pitch_px(&self) -> Result<f64, StepError> {
        self.pitch_px.filter(|pitch| *pitch > 0.0).ok_or_else(|| {
            let problem = "an array does not give the distance of its points; give --stride PX";
            StepError::content(&self.path, problem)
        })
    }

    /// Resolution of the slide, um per level-0 px, or an error that says which option to give.
    pub(super) fn mpp(&self) -> Result<f64, StepError> {
        self.mpp.filter(|mpp| *mpp > 0.0).ok_or_else(|| {
            let problem = "the resolution of its slide is unknown; give --mpp UM";
            StepError::content(&self.path, problem)
        })
    }

    /// The lattice of the heatmap's points on the slide.
    pub(super) fn grid(&self) -> Result<SampleGrid, StepError> {
        let pitch = self.pitch_px()?;
        let (rows, cols) = self.score.dim();
        let count =
            |n: usize| u32::try_from(n).expect("a heatmap has fewer than 2^32 rows and columns");
        Ok(SampleGrid::lattice(count(rows), count(cols), pitch))
    }
}
