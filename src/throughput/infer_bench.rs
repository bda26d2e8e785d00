//! The settings of a network that `slidegrid bench infer` measures, and its report.

use serde::Serialize;

use super::machine::Machine;
use super::rounds::{InferRow, InferSetting, NotMeasured, Runner};
use crate::model::{EngineError, Model, SelectedEngine};
use crate::progress::Progress;

/// The settings to try.
#[derive(Debug)]
pub(crate) struct InferChoices<'a> {
    /// The engines.
    pub runners: &'a [Runner],
    /// Windows per run.
    pub batches: &'a [u32],
    /// Numbers of threads; empty for 1, and as many as `predict` would use here.
    pub threads: &'a [u32],
}

/// The result of a measurement.
#[derive(Debug, Serialize)]
pub(crate) struct InferReport<'m> {
    /// Path of the model card.
    pub model: String,
    /// Hash of the model.
    pub model_sha256: &'m str,
    /// The machine.
    pub machine: Machine,
    /// Length of a measurement, seconds.
    pub seconds: f64,
    /// Number of measurements of each setting.
    pub repeats: u32,
    /// A row for each setting.
    pub settings: Vec<InferRow>,
    /// What could not be measured.
    pub not_measured: Vec<NotMeasured>,
    /// The row of the recommended setting.
    pub recommended: Option<InferRow>,
}

/// The settings to measure, and the engines that are not available.
#[derive(Debug)]
pub(crate) struct InferPlan {
    /// The settings.
    pub settings: Vec<InferSetting>,
    /// The engines that are not available.
    pub missing: Vec<NotMeasured>,
}

impl InferPlan {
    /// Combines the choices with what the network and the machine allow. `select` finds the
    /// engine of a runner; `offered` is the number of processors.
    pub(crate) fn new(
        choices: &InferChoices<'_>,
        model: &Model,
        offered: usize,
        select: &dyn Fn(Runner) -> Result<SelectedEngine, EngineError>,
        progress: &Progress,
    ) -> Self {
        let mut batches: Vec<usize> = choices.batches.iter().map(|&batch| batch as usize).collect();
        if let Some(fixed) = model.static_batch() {
            progress.note(&format!("the network has a fixed batch: {fixed} windows per run"));
            batches = vec![fixed];
        }
        let mut threads: Vec<usize> =
            choices.threads.iter().map(|&threads| threads as usize).collect();
        if threads.is_empty() {
            threads = vec![1, offered];
        }
        if let Some(many) = threads.iter().find(|&&threads| threads > offered) {
            progress.warn(&format!(
                "warning: {many} threads, but this process may use only {offered} processors"
            ));
        }
        for list in [&mut batches, &mut threads] {
            list.sort_unstable();
            list.dedup();
        }
        let mut plan = Self { settings: Vec::new(), missing: Vec::new() };
        for &runner in choices.runners {
            match select(runner) {
                Ok(selected) => progress.note(&selected.reason),
                Err(error) => {
                    let missing =
                        NotMeasured { what: runner.to_string(), reason: error.to_string() };
                    plan.missing.push(missing);
                    continue;
                }
            }
            for &batch in &batches {
                let setting = |&threads: &usize| InferSetting { runner, batch, threads };
                plan.settings.extend(threads.iter().map(setting));
            }
        }
        plan
    }
}
