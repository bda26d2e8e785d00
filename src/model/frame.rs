//! The part of a session that does not depend on the engine: checks of sizes, errors, and
//! the step from raw output to scores.

use std::path::PathBuf;

use super::activation::{RawError, RawOutput, outputs_per_window, write_scores};
use super::card::ModelCard;
use super::engine_error::EngineError;
use super::graph::NodeFacts;
use super::load::Model;

/// The part that the sessions of all engines share.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) engine: &'static str,
    pub(crate) model: PathBuf,
    pub(crate) card: ModelCard,
    pub(crate) output: String,
    /// Numbers in one window of the input.
    pub(crate) window_len: usize,
    /// The largest number of windows per run.
    pub(crate) batch: usize,
}

impl Frame {
    pub(crate) fn new(engine: &'static str, model: &Model, batch: usize) -> Self {
        Self {
            engine,
            model: model.path.clone(),
            card: model.card.clone(),
            output: model.output().name.clone(),
            window_len: model.window_len(),
            batch: model.static_batch().unwrap_or(batch).max(1),
        }
    }

    /// Refuses slices that do not hold `n` windows.
    pub(crate) fn check_sizes(
        &self,
        input: &[f32],
        n: usize,
        scores: &[f32],
    ) -> Result<(), EngineError> {
        let taken = n.min(self.batch);
        let lengths = [
            ("input", input.len(), taken * self.window_len),
            ("scores", scores.len(), taken * self.card.classes.len()),
        ];
        for (what, found, expected) in lengths {
            if found != expected || n > self.batch {
                let (model, batch) = (self.model.clone(), self.batch);
                return Err(EngineError::Size { model, what, found, expected, windows: n, batch });
            }
        }
        Ok(())
    }

    pub(crate) fn failed(&self, windows: usize, detail: String) -> EngineError {
        EngineError::Run { model: self.model.clone(), engine: self.engine, windows, detail }
    }

    /// Writes the scores of the first `n` of the `given` windows; the others are padding.
    pub(crate) fn scores(
        &self,
        RawOutput { shape, values }: RawOutput<'_>,
        given: usize,
        n: usize,
        scores: &mut [f32],
    ) -> Result<(), EngineError> {
        let written = match outputs_per_window(shape, given) {
            Some(outputs) => write_scores(&self.card, values, outputs, n, scores),
            None => Err(RawError::Shape),
        };
        written.map_err(|problem| match problem {
            RawError::Shape => self.output_error(shape, given),
            RawError::NotFinite(window) => {
                EngineError::NotFinite { model: self.model.clone(), window }
            }
        })
    }

    pub(crate) fn output_error(&self, shape: &[usize], batch: usize) -> EngineError {
        EngineError::Output {
            model: self.model.clone(),
            output: self.output.clone(),
            shape: shape.to_vec(),
            batch,
            classes: self.card.classes.len(),
        }
    }
}

/// The error for a node whose operator `engine` lacks.
pub(crate) fn missing_operator(
    engine: &'static str,
    model: &Model,
    node: &NodeFacts,
) -> EngineError {
    let operator = if node.domain.is_empty() {
        node.operator.clone()
    } else {
        format!("{}:{}", node.domain, node.operator)
    };
    let advice = if engine == "ort" {
        "export the network with standard operators only, or install a newer onnxruntime"
    } else {
        "try --engine ort"
    };
    EngineError::Operator {
        model: model.path.clone(),
        engine,
        operator,
        node: node.name.clone(),
        advice,
    }
}
