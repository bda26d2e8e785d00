//! What runs a network: the traits and their errors.

use std::path::PathBuf;

use thiserror::Error;

use super::bf16_support::Bf16Unsupported;
use super::dense::DenseNetwork;
use super::dense_session::{DenseSession, DenseUse};
use super::load::Model;
use super::openvino::EMULATE;
use super::openvino_library::OLDEST;
use super::precision::Precision;
use super::trunk_session::TrunkHeadEngine;

/// A library that runs networks.
pub trait Engine: Send + Sync + std::fmt::Debug {
    /// `tract`, `ort` or `openvino`.
    fn name(&self) -> &'static str;

    /// Version of the library.
    fn version(&self) -> String;

    /// What it computes in, whatever the type of a network's input.
    fn precision(&self) -> Precision {
        Precision::F32
    }

    /// The batch at which the engine is fastest.
    fn best_batch(&self) -> usize;

    /// Maps of all workers' dense runs together, as [`DenseNetwork::map_bytes`] counts
    /// them, with which sessions, images and patches stay below a gigabyte.
    fn dense_map_bytes(&self) -> u64 {
        450_000_000
    }

    /// A network ready to run up to `batch` windows at a time on the calling
    /// thread. The session's own [`Session::batch`] differs from `batch` where
    /// the graph fixes another.
    ///
    /// # Errors
    /// [`EngineError`] naming the model, and the node the engine lacks.
    fn load(&self, model: &Model, batch: usize) -> Result<Box<dyn Session>, EngineError>;

    /// A dense network ready to run on images of `side_px`, on the calling thread.
    ///
    /// # Errors
    /// [`EngineError`] naming the model.
    fn load_dense(
        &self,
        model: &Model,
        network: &DenseNetwork,
        side_px: u32,
        used_for: DenseUse,
    ) -> Result<Box<dyn DenseSession>, EngineError>;

    /// What loads networks in two parts: engines that take images of any size.
    fn trunk_head(&self) -> Option<&dyn TrunkHeadEngine> {
        None
    }
}

/// A network loaded by one worker; it computes on the thread that calls it.
pub trait Session: Send {
    /// Windows one run takes at most.
    fn batch(&self) -> usize;

    /// Scores `n` windows, `n <= batch()`.
    ///
    /// `input`: f32 `[n, 3, row, col]` or `[n, row, col, 3]` as the card's layout
    /// says, prepared as the card says. `scores`: f32 `[n, classes]`, class order
    /// of the card, after the card's activation. A last batch that is not full is
    /// padded inside where the graph needs it.
    ///
    /// # Errors
    /// [`EngineError`] naming the model when a slice has another length, the
    /// engine fails, or an output is not a finite number. `scores` is then
    /// undefined.
    fn run(&mut self, input: &[f32], n: usize, scores: &mut [f32]) -> Result<(), EngineError>;

    /// Scores `n` windows that `fill` writes straight into the engine's own
    /// memory, `n` windows as [`Session::run`] takes them: one copy less.
    ///
    /// # Errors
    /// As [`Session::run`].
    fn run_filled(
        &mut self,
        n: usize,
        fill: &mut dyn FnMut(&mut [f32]),
        scores: &mut [f32],
    ) -> Result<(), EngineError>;
}

/// An engine cannot be had, or cannot run a network.
#[derive(Debug, Error)]
pub enum EngineError {
    /// onnxruntime was asked for and is not there.
    #[error(
        "onnxruntime: {detail}; `pip install onnxruntime` in an active environment, or give the library with --ort-library or SLIDEGRID_ORT, or use --engine tract"
    )]
    NoOrt {
        /// What was tried.
        detail: String,
    },
    /// A library that was named cannot be used.
    #[error("{}: {detail} ({said_by}); give another libonnxruntime.so of version 1.{} or later, or use --engine tract", library.display(), ort::MINOR_VERSION)]
    OrtLibrary {
        /// The library.
        library: PathBuf,
        /// Who named it.
        said_by: String,
        /// What is wrong with it.
        detail: String,
    },
    /// OpenVINO was asked for and is not there.
    #[error(
        "OpenVINO: {detail}; `pip install openvino` in an active environment, or give libopenvino_c.so with --openvino-library or SLIDEGRID_OPENVINO, or use another --engine"
    )]
    NoOpenVino {
        /// What was tried.
        detail: String,
    },
    /// A library that was named cannot be used.
    #[error("{}: {detail} ({said_by}); give the libopenvino_c.so of release {}.{} or later, or use another --engine", library.display(), OLDEST.0, OLDEST.1)]
    OpenVinoLibrary {
        /// The library.
        library: PathBuf,
        /// Who named it.
        said_by: String,
        /// What is wrong with it.
        detail: String,
    },
    /// The engine computes in f32 alone.
    #[error(
        "engine {engine} computes in f32, {precision} was asked for; use --engine openvino (predict.engine), or precision f32"
    )]
    Precision {
        /// The engine.
        engine: &'static str,
        /// What was asked for.
        precision: Precision,
    },
    /// The processor has no bf16.
    #[error(
        "OpenVINO {version}: {here}; set precision = \"f32\" ([predict], or --precision f32), or use a machine with AVX-512 BF16 or AMX (Intel from Cooper Lake and Sapphire Rapids, AMD from Zen 4){}",
        emulation(here)
    )]
    NoBf16 {
        /// Version of OpenVINO.
        version: String,
        /// The processor, and what it lacks.
        here: Bf16Unsupported,
    },
    /// The engine has no such operator.
    #[error("{}: {engine} has no operator {operator} (node `{node}`); {advice}", model.display())]
    Operator {
        /// The ONNX file.
        model: PathBuf,
        /// The engine.
        engine: &'static str,
        /// `domain:operator`.
        operator: String,
        /// The first node that uses it.
        node: String,
        /// What to do.
        advice: &'static str,
    },
    /// The engine refuses the network.
    #[error("{}: {engine} cannot load the network: {detail}{}", model.display(), if *engine == "ort" { "" } else { "; try --engine ort" })]
    Load {
        /// The ONNX file.
        model: PathBuf,
        /// The engine.
        engine: &'static str,
        /// The engine's words.
        detail: String,
    },
    /// The engine failed on a batch.
    #[error("{}: {engine} failed on a batch of {windows} windows: {detail}", model.display())]
    Run {
        /// The ONNX file.
        model: PathBuf,
        /// The engine.
        engine: &'static str,
        /// Windows in the batch.
        windows: usize,
        /// The engine's words.
        detail: String,
    },
    /// The output is not one row of class scores a window.
    #[error("{}: output `{output}` has shape {shape:?} for a batch of {batch}, expected [{batch}, {classes}] or [{batch}, {classes}, 1, 1]; if the export fixed the batch inside the graph, run it with a batch of 1", model.display())]
    Output {
        /// The ONNX file.
        model: PathBuf,
        /// The output.
        output: String,
        /// Its shape.
        shape: Vec<usize>,
        /// Windows given.
        batch: usize,
        /// Classes of the card.
        classes: usize,
    },
    /// NaN or infinity.
    #[error("{}: output for window {window} of the batch is not finite; the weights or the card's range, mean and std are wrong, or a float16 network overflows (export it as float32)", model.display())]
    NotFinite {
        /// The ONNX file.
        model: PathBuf,
        /// Window within the batch, from 0.
        window: usize,
    },
    /// A caller's slice has the wrong length.
    #[error("{}: {what} holds {found} numbers, expected {expected} for {windows} windows (at most {batch} a run)", model.display())]
    Size {
        /// The ONNX file.
        model: PathBuf,
        /// `input` or `scores`.
        what: &'static str,
        /// Its length.
        found: usize,
        /// The length that fits.
        expected: usize,
        /// Windows the caller named.
        windows: usize,
        /// The session's batch.
        batch: usize,
    },
}

/// The third way, where it is one.
fn emulation(here: &Bf16Unsupported) -> String {
    match here.to_emulate.is_empty() {
        true => format!("; to see here, slowly, what bf16 does to scores, set {EMULATE}=1"),
        false => String::new(),
    }
}
