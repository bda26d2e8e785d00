//! Engines and their sessions: the traits that each library implements, and the errors.

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

    /// The precision that the engine computes in, whatever the type of a network's input.
    fn precision(&self) -> Precision {
        Precision::F32
    }

    /// The number of windows per run at which the engine is fastest.
    fn best_batch(&self) -> usize;

    /// The largest sum of [`DenseNetwork::map_bytes`] over all workers with which a process,
    /// its sessions, images and patches included, stays below a gigabyte.
    fn dense_map_bytes(&self) -> u64 {
        450_000_000
    }

    /// Loads a network to run up to `batch` windows at a time on the calling thread.
    /// [`Session::batch`] differs from `batch` if the graph fixes another.
    ///
    /// # Errors
    /// [`EngineError`] naming the model, and the node whose operator the engine lacks.
    fn load(&self, model: &Model, batch: usize) -> Result<Box<dyn Session>, EngineError>;

    /// Loads a dense network to run on images of `side_px` x `side_px`, or smaller ones if
    /// [`DenseSession::takes_smaller`], on the calling thread.
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

    /// The engine as one that loads trunk and head as two networks; `None` for engines
    /// that fix the size of the images.
    fn trunk_head(&self) -> Option<&dyn TrunkHeadEngine> {
        None
    }
}

/// A network loaded by one worker, which computes on the calling thread.
pub trait Session: Send {
    /// The largest number of windows per run.
    fn batch(&self) -> usize;

    /// Scores `n` windows, `n <= batch()`.
    ///
    /// `input` is f32 `[n, 3, row, col]` or `[n, row, col, 3]`, as the card's layout says,
    /// prepared as the card says. `scores` receives f32 `[n, classes]`, in the card's
    /// order of classes, after the card's activation. If the graph fixes the batch, the
    /// session pads a batch that is not full.
    ///
    /// # Errors
    /// [`EngineError`] naming the model when a slice has another length, the
    /// engine fails, or an output is not a finite number. `scores` is then
    /// undefined.
    fn run(&mut self, input: &[f32], n: usize, scores: &mut [f32]) -> Result<(), EngineError>;

    /// Scores `n` windows that `fill` writes straight into the engine's own memory, which
    /// saves a copy. The slice given to `fill` has the layout of `input` in
    /// [`Session::run`].
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

/// An engine is not available, or cannot run a network.
#[derive(Debug, Error)]
pub enum EngineError {
    /// onnxruntime was requested and is not found.
    #[error(
        "onnxruntime: {detail}; `pip install onnxruntime` in an active environment, or give the library with --ort-library or SLIDEGRID_ORT, or use --engine tract"
    )]
    NoOrt {
        /// The libraries that were tried, and why each failed.
        detail: String,
    },
    /// The onnxruntime library that the user named cannot be used.
    #[error("{}: {detail} ({named_by}); give another libonnxruntime.so of version 1.{} or later, or use --engine tract", library.display(), ort::MINOR_VERSION)]
    OrtLibrary {
        /// The library.
        library: PathBuf,
        /// How the user named the library: `given by` and a flag or variable.
        named_by: String,
        /// What is wrong with the library.
        detail: String,
    },
    /// OpenVINO was requested and is not found.
    #[error(
        "OpenVINO: {detail}; `pip install openvino` in an active environment, or give libopenvino_c.so with --openvino-library or SLIDEGRID_OPENVINO, or use another --engine"
    )]
    NoOpenVino {
        /// The libraries that were tried, and why each failed.
        detail: String,
    },
    /// The OpenVINO library that the user named cannot be used.
    #[error("{}: {detail} ({named_by}); give the libopenvino_c.so of release {}.{} or later, or use another --engine", library.display(), OLDEST.0, OLDEST.1)]
    OpenVinoLibrary {
        /// The library.
        library: PathBuf,
        /// How the user named the library: `given by` and a flag or variable.
        named_by: String,
        /// What is wrong with the library.
        detail: String,
    },
    /// The engine computes only in f32.
    #[error(
        "engine {engine} computes only in f32, but {precision} was requested; use --engine openvino (predict.engine), or precision f32"
    )]
    Precision {
        /// The engine.
        engine: &'static str,
        /// The requested precision.
        precision: Precision,
    },
    /// The processor does not compute in bf16.
    #[error(
        "OpenVINO {version}: {unsupported}; set precision = \"f32\" ([predict], or --precision f32), or use a machine with AVX-512 BF16 or AMX (Intel from Cooper Lake and Sapphire Rapids, AMD from Zen 4){}",
        emulation(unsupported)
    )]
    NoBf16 {
        /// Version of OpenVINO.
        version: String,
        /// The processor, and what it lacks.
        unsupported: Bf16Unsupported,
    },
    /// The engine lacks an operator of the network.
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
    /// The engine cannot load the network.
    #[error("{}: {engine} cannot load the network: {detail}{}", model.display(), if *engine == "ort" { "" } else { "; try --engine ort" })]
    Load {
        /// The ONNX file.
        model: PathBuf,
        /// The engine.
        engine: &'static str,
        /// The engine's message.
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
        /// The engine's message.
        detail: String,
    },
    /// The output is not one row of class scores per window.
    #[error("{}: output `{output}` has shape {shape:?} for a batch of {batch}, expected [{batch}, {classes}] or [{batch}, {classes}, 1, 1]; if the export fixed the batch inside the graph, run it with a batch of 1", model.display())]
    Output {
        /// The ONNX file.
        model: PathBuf,
        /// The output.
        output: String,
        /// Its shape.
        shape: Vec<usize>,
        /// Windows in the batch.
        batch: usize,
        /// Classes of the card.
        classes: usize,
    },
    /// An output is NaN or infinite.
    #[error("{}: output for window {window} of the batch is not finite; the weights or the card's range, mean and std are wrong, or a float16 network overflows (export it as float32)", model.display())]
    NotFinite {
        /// The ONNX file.
        model: PathBuf,
        /// Window within the batch, from 0.
        window: usize,
    },
    /// A slice that the caller gives has the wrong length.
    #[error("{}: {what} holds {found} numbers, expected {expected} for {windows} windows (at most {batch} per run)", model.display())]
    Size {
        /// The ONNX file.
        model: PathBuf,
        /// `input` or `scores`.
        what: &'static str,
        /// Length of the slice.
        found: usize,
        /// The length that fits.
        expected: usize,
        /// Windows that the caller wants scored.
        windows: usize,
        /// The largest number of windows per run.
        batch: usize,
    },
}

/// The advice to emulate bf16, if the processor can.
fn emulation(unsupported: &Bf16Unsupported) -> String {
    match unsupported.to_emulate.is_empty() {
        true => format!(
            "; or, to try out here what bf16 does to scores, set {EMULATE}=1, which emulates it slowly"
        ),
        false => String::new(),
    }
}
