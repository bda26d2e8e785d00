//! The arguments that name heatmaps: files of slidegrid, or arrays of other programs.

use std::path::PathBuf;

use clap::Args;

use crate::study::steps::StepError;
use crate::study::steps::heatmaps::LoadedHeatmap;

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

impl HeatmapOptions {
    pub(super) fn count(&self) -> usize {
        self.heatmaps.len()
    }

    pub(super) fn paths(&self) -> &[PathBuf] {
        &self.heatmaps
    }

    /// Reads the heatmaps, one after the other.
    pub(super) fn load(&self) -> impl Iterator<Item = Result<LoadedHeatmap, StepError>> + '_ {
        self.heatmaps.iter().map(|path| LoadedHeatmap::read(path, self.stride, self.mpp))
    }
}
