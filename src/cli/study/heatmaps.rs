//! The arguments that name heatmaps: files of slidegrid, or arrays of other programs.

use std::path::{Path, PathBuf};

use clap::Args;
use ndarray::Array2;

use super::input;
use crate::cli::Failure;
use crate::export::{heatmap_h5, npy};
use crate::metrics::raster::SampleGrid;

/// The heatmaps to work on.
#[derive(Debug, Args)]
pub(super) struct HeatmapOptions {
    /// Heatmaps: .h5 files of slidegrid, or .npy arrays [row, col] of float32.
    #[arg(value_name = "HEATMAP", required = true)]
    heatmaps: Vec<PathBuf>,

    /// For .npy: distance between points, level-0 px. Point (0, 0) lies at pixel (0, 0).
    #[arg(long, value_name = "PX")]
    stride: Option<f64>,

    /// Resolution of slides whose heatmaps do not state it, um per level-0 px.
    #[arg(long, value_name = "UM")]
    mpp: Option<f64>,
}

/// A heatmap, and the geometry of its points.
pub(super) struct LoadedHeatmap {
    pub(super) path: PathBuf,
    pub(super) slide: String,
    /// Scores, `[row, col]`, NaN where nothing was scored.
    pub(super) score: Array2<f32>,
    /// Distance between points, level-0 px.
    pub(super) pitch_px: Option<f64>,
    /// Resolution of the slide, um per level-0 px.
    pub(super) mpp: Option<f64>,
    /// Width and height of the slide, level-0 px.
    pub(super) size_px: Option<[f64; 2]>,
}

impl HeatmapOptions {
    pub(super) fn count(&self) -> usize {
        self.heatmaps.len()
    }

    pub(super) fn paths(&self) -> &[PathBuf] {
        &self.heatmaps
    }

    /// Reads the heatmaps, one after the other.
    pub(super) fn load(&self) -> impl Iterator<Item = Result<LoadedHeatmap, Failure>> + '_ {
        self.heatmaps.iter().map(|path| self.load_one(path))
    }

    fn load_one(&self, path: &Path) -> Result<LoadedHeatmap, Failure> {
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if path.extension().is_some_and(|e| e == "npy") {
            let score = npy::read_f32_2d(path).map_err(input)?;
            let (pitch_px, mpp) = (self.stride, self.mpp);
            return Ok(LoadedHeatmap {
                path: path.to_owned(),
                slide: stem,
                score,
                pitch_px,
                mpp,
                size_px: None,
            });
        }
        let (meta, score) = heatmap_h5::read_heatmap(path).map_err(input)?;
        Ok(LoadedHeatmap {
            path: path.to_owned(),
            slide: meta.slide.clone(),
            score,
            pitch_px: Some(f64::from(meta.stride_px) * meta.downsample),
            mpp: meta.mpp_x.map(|mpp| mpp / meta.downsample).or(self.mpp),
            size_px: Some([f64::from(meta.level0_width_px), f64::from(meta.level0_height_px)]),
        })
    }
}

impl LoadedHeatmap {
    /// Distance between points, level-0 px, or an error that says which option to give.
    pub(super) fn pitch_px(&self) -> Result<f64, Failure> {
        self.pitch_px.filter(|pitch| *pitch > 0.0).ok_or_else(|| {
            let path = self.path.display();
            input(format!(
                "{path}: an array does not give the distance of its points; give --stride PX"
            ))
        })
    }

    /// Resolution of the slide, um per level-0 px, or an error that says which option to give.
    pub(super) fn mpp(&self) -> Result<f64, Failure> {
        self.mpp.filter(|mpp| *mpp > 0.0).ok_or_else(|| {
            let path = self.path.display();
            input(format!("{path}: the resolution of its slide is unknown; give --mpp UM"))
        })
    }

    /// The lattice of the heatmap's points on the slide.
    pub(super) fn grid(&self) -> Result<SampleGrid, Failure> {
        let pitch = self.pitch_px()?;
        let (rows, cols) = self.score.dim();
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Ok(SampleGrid::lattice(count(rows), count(cols), pitch))
    }
}
