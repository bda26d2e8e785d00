//! The reasons why a group cannot be scored.

use std::path::PathBuf;

use thiserror::Error;

use crate::config::ConfigError;
use crate::damage::SetAside;
use crate::hdf5_file::FormatError;
use crate::model::{DenseError, EngineError, FitFileError, ModelError, Precision};
use crate::staged::StageError;

/// Why a group could not be scored.
#[derive(Debug, Error)]
pub(crate) enum PredictError {
    /// The run has no usable configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The model cannot be used.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The run was made without a model.
    #[error("{}: this run has no model: it was split with [tiling] window alone; make a run with [model] card", run.display())]
    NoModel {
        /// The run directory.
        run: PathBuf,
    },
    /// The ONNX file is not the run's.
    #[error("{}: the network has SHA-256 {found}, the run was made with {expected}; put the old file back, or use another run directory", path.display())]
    OtherModel {
        /// The ONNX file.
        path: PathBuf,
        /// Its hash.
        found: String,
        /// The run's.
        expected: String,
    },
    /// The model card was edited since the run was made.
    #[error("{}: the model card has changed since the run was made; put the old card back, or use another run directory", path.display())]
    OtherCard {
        /// The card.
        path: PathBuf,
    },
    /// The engine failed.
    #[error("{what}: {source}")]
    Engine {
        /// The slide and group, or the model.
        what: String,
        /// The engine's error.
        source: EngineError,
    },
    /// The sizes in a patch file do not make a tiling.
    #[error("{}: {source}", path.display())]
    Tiling {
        /// The patch file.
        path: PathBuf,
        /// What is wrong.
        source: crate::geometry::tiling::TilingError,
    },
    /// The network has no dense form.
    #[error(transparent)]
    Dense(#[from] DenseError),
    /// The patches' margin is narrower than the network's reach.
    #[error("{}: the patches have a margin of {margin_px} px, method = \"{method}\" needs {reach_px} px: layers of this network pad, so a dense run depends on pixels that far beyond a window; split again in a run directory whose configuration says [predict] method = \"{method}\", or use method = \"window\"", path.display())]
    Margin {
        /// The patch file.
        path: PathBuf,
        /// The method.
        method: &'static str,
        /// Margin of the patches.
        margin_px: u32,
        /// Reach of the network.
        reach_px: u32,
    },
    /// The fit cannot be used.
    #[error(transparent)]
    Fit(#[from] FitFileError),
    /// The fit is not the one that the run rests on.
    #[error("{}: the fit has SHA-256 {found}, the run was made with {expected}; put the old file back, or use another run directory", path.display())]
    OtherFit {
        /// The file.
        path: PathBuf,
        /// Its hash.
        found: String,
        /// The run's.
        expected: String,
    },
    /// The maps of a dense run take too much memory.
    #[error("{}: a dense run over one tissue tile needs {needs_mb} MB for maps, expected at most {most_mb} MB: the network depends on pixels up to {reach_px} px beyond its window, and all of them are held at once; use method = \"window\", or a larger predict.dense_map_mb", path.display())]
    DenseMemory {
        /// The ONNX file.
        path: PathBuf,
        /// Megabytes for one tile.
        needs_mb: u64,
        /// Megabytes that the maps of all workers may take.
        most_mb: u64,
        /// Reach of the network.
        reach_px: u32,
    },
    /// Dense scores differ too much from those of single windows.
    #[error(
        "{slide}: dense scores differ from those of single windows by {rms:.4} (root mean square over {sampled} windows, after calibration), expected at most predict.dense_tolerance = {tolerance}; use method = \"window\" or \"cascade\", or accept it with --force or a larger tolerance"
    )]
    Residual {
        /// The slide.
        slide: String,
        /// Root mean square difference.
        rms: f64,
        /// Windows compared.
        sampled: u64,
        /// The configured tolerance.
        tolerance: f64,
    },
    /// The sample does not determine the calibration.
    #[error(
        "{slide}: dense scores cannot be calibrated: {open}; a lesion outside the sample could be lost; `{redo}` scores this slide by single windows; or use method = \"cascade\" in another run, or accept it with --force"
    )]
    OpenFit {
        /// The command that scores the slide by single windows.
        redo: String,
        /// The slide.
        slide: String,
        /// Why the calibration is open.
        open: String,
    },
    /// Scores of reduced precision differ too much from those in f32.
    #[error(
        "{group}: scores in {precision} differ from those in f32 by up to {max:.4} (of {windows} windows), expected at most predict.precision_tolerance = {tolerance}; use precision f32, or accept it with --force or a larger tolerance"
    )]
    Deviation {
        /// The slide and group.
        group: String,
        /// The precision in use.
        precision: Precision,
        /// Largest difference.
        max: f64,
        /// Windows compared.
        windows: u64,
        /// The configured tolerance.
        tolerance: f64,
    },
    /// A file cannot be read or written.
    #[error(transparent)]
    Format(#[from] FormatError),
    /// The patches are damaged, and were set aside.
    #[error(transparent)]
    Damaged(#[from] SetAside),
    /// A file cannot be written.
    #[error(transparent)]
    Stage(#[from] StageError),
    /// The patches were made with another configuration.
    #[error("{}: these patches were made with another configuration (hash {found}, this run has {expected}); split again, or use another run directory", path.display())]
    OtherPatches {
        /// The patch file.
        path: PathBuf,
        /// Its hash.
        found: String,
        /// The run's.
        expected: String,
    },
    /// The patch file holds no colour estimate of its slide.
    #[error("{}: holds no colour estimate of its slide (made by the HPC_DPAI code or an older slidegrid), and [normalize] needs one; split the slide again, or in another run set scope = \"patch\" and on_failure = \"raw\" or \"fail\"", path.display())]
    NoColours {
        /// The patch file.
        path: PathBuf,
    },
    /// The patches were cut for a window of another size.
    #[error("{}: the patches were cut for a window of {found} px, the model's window is {expected} px; split again in another run directory", path.display())]
    OtherWindow {
        /// The patch file.
        path: PathBuf,
        /// Its window.
        found: u32,
        /// The model's.
        expected: u32,
    },
    /// The score file was made by another method.
    #[error("{}: these scores were made by method {found}, expected {method}, the run's method for this slide; `slidegrid redo` repeats a slide and everything that follows from it", path.display())]
    OtherMethod {
        /// The score file.
        path: PathBuf,
        /// Its method.
        found: String,
        /// The slide's.
        method: &'static str,
    },
    /// The score file was made with another configuration.
    #[error("{}: these scores were made with another configuration (hash {found}, this run has {expected}); delete the file, or use another run directory", path.display())]
    OtherScores {
        /// The score file.
        path: PathBuf,
        /// Its hash.
        found: String,
        /// The run's.
        expected: String,
    },
}
