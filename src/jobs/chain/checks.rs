//! What the scheduler allows: limits, and whether a request can be had.

use std::collections::BTreeSet;

use super::context::Chain;
use super::error::ChainError;
use crate::config::Stage;
use crate::jobs::scheduler::{Limits, SchedulerError};
use crate::jobs::script::Job;
use crate::jobs::todo::Todo;
use crate::jobs::work::Request;
use crate::staged;

/// Work that would need more than there is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Which level.
    pub stage: Stage,
    /// What was asked for.
    pub request: Request,
    /// Why the scheduler refused it.
    pub why: String,
}

impl Chain<'_> {
    pub(super) fn limits(&self) -> Result<Limits, ChainError> {
        match self.scheduler.limits(self.commands, self.cluster) {
            Ok(limits) => Ok(limits),
            // A dry run may be far from the cluster.
            Err(_) if self.dry_run => {
                let array_tasks = self.cluster.max_array_tasks.unwrap_or(1000).max(1);
                Ok(Limits { array_tasks, jobs: None, jobs_in_use: 0 })
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Asks whether jobs like these can ever run, before there are thousands.
    /// What would need more than there is goes out of `todo`.
    pub(super) fn checked(&self, todo: &mut Todo) -> Result<Vec<Refused>, ChainError> {
        if self.dry_run || *todo == Todo::default() {
            return Ok(Vec::new());
        }
        // A master job has asked already.
        if self.round.is_none() {
            for stage in [Stage::Split, Stage::Predict, Stage::Stitch, Stage::Master] {
                self.check(stage, Request::NONE)?
                    .map_err(|source| ChainError::Check { stage: stage.name(), source })?;
            }
        }
        let split = todo.split.iter().map(|rows| (Stage::Split, rows.request));
        let predict = todo.predict.iter().map(|work| (Stage::Predict, work.request));
        let stitch = todo.stitch.iter().map(|(_, request)| (Stage::Stitch, *request));
        let grown: BTreeSet<(Stage, Request)> = split.chain(predict).chain(stitch).collect();
        let mut refused = Vec::new();
        for (stage, request) in grown.into_iter().filter(|(_, request)| *request != Request::NONE) {
            if let Err(source) = self.check(stage, request)? {
                match stage {
                    Stage::Split => todo.split.retain(|rows| rows.request != request),
                    Stage::Predict => {
                        let without = |slide: &str| {
                            let mut work = todo.predict.iter();
                            work.any(|work| work.slide == slide && work.request == request)
                        };
                        todo.stitch.retain(|(slide, _)| !without(slide));
                        todo.predict.retain(|work| work.request != request);
                    }
                    _ => todo.stitch.retain(|(_, other)| *other != request),
                }
                refused.push(Refused { stage, request, why: source.to_string() });
            }
        }
        Ok(refused)
    }

    fn check(
        &self,
        stage: Stage,
        request: Request,
    ) -> Result<Result<(), SchedulerError>, ChainError> {
        let job = Job { command: "true".into(), ..self.job(stage, "check", request) };
        let script = self.run.jobs().join(format!("check_{}.sh", stage.name()));
        staged::write(&script, self.scheduler.render(&job).as_bytes())?;
        let checked = self.scheduler.check(self.commands, &script);
        drop(std::fs::remove_file(&script));
        Ok(checked)
    }
}
