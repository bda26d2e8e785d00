//! HEATMAP arguments: files of slidegrid, and arrays of other programs.

use std::path::{Path, PathBuf};

use clap::Args;
use ndarray::Array2;

use super::input;
use crate::cli::Failure;
use crate::export::{heatmap_h5, npy};
use crate::metrics::raster::SampleGrid;

/// Which heatmaps.
#[derive(Debug, Args)]
pub(super) struct HeatmapOptions {
    /// Heatmaps: slidegrid's .h5, or .npy arrays [row, col] of float32.
    #[arg(value_name = "HEATMAP", required = true)]
    heatmaps: Vec<PathBuf>,

    /// For .npy: distance between points, level-0 px; point (0, 0) is pixel
    /// (0, 0).
    #[arg(long, value_name = "PX")]
    stride: Option<f64>,

    /// Resolution of slides whose heatmap does not say it, um per level-0 px.
    #[arg(long, value_name = "UM")]
    mpp: Option<f64>,
}

/// A heatmap, and where its points are.
pub(super) struct LoadedHeatmap {
    pub(super) path: PathBuf,
    pub(super) slide: String,
    /// `[row, col]`, NaN where not scored.
    pub(super) score: Array2<f32>,
    /// Level-0 px between points.
    pub(super) pitch_px: Option<f64>,
    /// um per level-0 px.
    pub(super) mpp: Option<f64>,
    /// Level-0 size of the slide.
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
    /// Level-0 px between points, or what to do.
    pub(super) fn pitch_px(&self) -> Result<f64, Failure> {
        self.pitch_px.filter(|pitch| *pitch > 0.0).ok_or_else(|| {
            let path = self.path.display();
            input(format!("{path}: an array does not say where its points are; give --stride PX"))
        })
    }

    /// um per level-0 px, or what to do.
    pub(super) fn mpp(&self) -> Result<f64, Failure> {
        self.mpp.filter(|mpp| *mpp > 0.0).ok_or_else(|| {
            let path = self.path.display();
            input(format!("{path}: the resolution of its slide is unknown; give --mpp UM"))
        })
    }

    /// Where its points are on the slide.
    pub(super) fn grid(&self) -> Result<SampleGrid, Failure> {
        let pitch = self.pitch_px()?;
        let (rows, cols) = self.score.dim();
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Ok(SampleGrid::lattice(count(rows), count(cols), pitch))
    }
}
