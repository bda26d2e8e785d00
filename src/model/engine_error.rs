//! Why an engine is not available, or cannot run a network.

use std::path::PathBuf;

use thiserror::Error;

use super::bf16_support::Bf16Unsupported;
use super::openvino_library::{EMULATE, OLDEST};
use super::precision::Precision;

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
