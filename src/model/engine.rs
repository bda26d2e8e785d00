//! What runs a network: the traits, their errors, and the choice between engines.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::dense::DenseNetwork;
use super::dense_session::DenseSession;
use super::load::Model;
use super::onnxruntime::OrtEngine;
use super::ort_library::{self, Found};
use super::tract::TractEngine;

/// A library that runs networks.
pub trait Engine: Send + Sync + std::fmt::Debug {
    /// `tract` or `ort`.
    fn name(&self) -> &'static str;

    /// Version of the library.
    fn version(&self) -> String;

    /// The batch at which the engine is fastest.
    fn best_batch(&self) -> usize;

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
    ) -> Result<Box<dyn DenseSession>, EngineError>;
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
    #[error("{}: {engine} cannot load the network: {detail}{}", model.display(), if *engine == "tract" { "; try --engine ort" } else { "" })]
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

/// Which engine the user wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EngineChoice {
    /// onnxruntime where it is installed, else tract.
    #[default]
    Auto,
    /// tract, compiled in.
    Tract,
    /// onnxruntime, loaded at run time.
    Ort,
}

impl EngineChoice {
    /// As configurations and command lines name it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Tract => "tract",
            Self::Ort => "ort",
        }
    }
}

impl fmt::Display for EngineChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for EngineChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "auto" => Ok(Self::Auto),
            "tract" => Ok(Self::Tract),
            "ort" | "onnxruntime" => Ok(Self::Ort),
            other => Err(format!("engine {other:?} is not one of auto, tract, ort")),
        }
    }
}

/// The engine that was taken.
#[derive(Debug, Clone)]
pub struct Selected {
    /// The engine.
    pub engine: Arc<dyn Engine>,
    /// A sentence for the log: which engine, and why.
    pub reason: String,
}

/// Takes an engine.
///
/// `ort_library` is the user's `--ort-library`. A library that was named, there
/// or in `SLIDEGRID_ORT` or `ORT_DYLIB_PATH`, must work; one that was merely
/// found is passed over by `auto`, and the sentence says so.
///
/// # Errors
/// [`EngineError::NoOrt`] or [`EngineError::OrtLibrary`].
pub fn select(choice: EngineChoice, ort_library: Option<&Path>) -> Result<Selected, EngineError> {
    if choice == EngineChoice::Tract {
        return Ok(tract("asked for".to_owned()));
    }
    match ort_library::find(ort_library, &|name| std::env::var(name).ok()) {
        Found::Named { library, said_by } => {
            let engine = OrtEngine::open(&library).map_err(|detail| EngineError::OrtLibrary {
                library: library.clone(),
                said_by: said_by.clone(),
                detail,
            })?;
            Ok(onnxruntime(engine, &format!("{} ({said_by})", library.display())))
        }
        Found::Candidates(candidates) => {
            let mut problems = Vec::new();
            for (library, place) in candidates {
                match OrtEngine::open(&library) {
                    Ok(engine) => {
                        return Ok(onnxruntime(
                            engine,
                            &format!("{} ({place})", library.display()),
                        ));
                    }
                    Err(problem) => problems.push(format!("{}: {problem}", library.display())),
                }
            }
            let detail = if problems.is_empty() {
                "not found in an active Python environment or among the system's libraries"
                    .to_owned()
            } else {
                problems.join("; ")
            };
            if choice == EngineChoice::Ort {
                return Err(EngineError::NoOrt { detail });
            }
            Ok(tract(format!("compiled in; onnxruntime, usually 1.5 to 2 times as fast, {detail}")))
        }
    }
}

fn tract(why: String) -> Selected {
    let engine = TractEngine::new();
    Selected {
        reason: format!("engine tract {}: {why}", engine.version()),
        engine: Arc::new(engine),
    }
}

fn onnxruntime(engine: OrtEngine, place: &str) -> Selected {
    Selected {
        reason: format!("engine onnxruntime {}: {place}", engine.version()),
        engine: Arc::new(engine),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_are_read() {
        assert_eq!("auto".parse(), Ok(EngineChoice::Auto));
        assert_eq!("ort".parse(), Ok(EngineChoice::Ort));
        assert!("gpu".parse::<EngineChoice>().unwrap_err().contains("auto, tract, ort"));
    }

    #[test]
    fn a_named_library_must_work() {
        let missing = Path::new("/nonexistent/libonnxruntime.so");
        for choice in [EngineChoice::Auto, EngineChoice::Ort] {
            let message = select(choice, Some(missing)).unwrap_err().to_string();
            assert!(
                message.contains("/nonexistent/libonnxruntime.so")
                    && message.contains("--ort-library"),
                "{message}"
            );
        }
        let tract = select(EngineChoice::Tract, Some(missing)).unwrap();
        assert!(
            tract.reason.contains("tract 0.") && tract.reason.contains("asked for"),
            "{}",
            tract.reason
        );
    }
}
