//! Limits of the scheduler, and the check whether a request can be fulfilled.

use std::collections::BTreeSet;

use super::context::Chain;
use super::error::ChainError;
use crate::config::Stage;
use crate::jobs::scheduler::{Limits, SchedulerError};
use crate::jobs::script::Job;
use crate::jobs::todo::Todo;
use crate::jobs::work::Request;
use crate::staged;

/// Work whose request no node can fulfil.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refused {
    /// Stage of the work.
    pub stage: Stage,
    /// The request.
    pub request: Request,
    /// The answer of the scheduler.
    pub why: String,
}

impl Chain<'_> {
    pub(super) fn limits(&self) -> Result<Limits, ChainError> {
        match self.scheduler.limits(self.commands, self.cluster) {
            Ok(limits) => Ok(limits),
            // A dry run may take place where there is no scheduler.
            Err(_) if self.effect.is_dry() => {
                let array_tasks = self.cluster.max_array_tasks.unwrap_or(1000).max(1);
                Ok(Limits { array_tasks, jobs: None, jobs_in_use: 0 })
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Asks the scheduler whether such jobs can ever run, before thousands are submitted. Work
    /// whose request cannot be fulfilled is removed from `todo`.
    pub(super) fn checked(&self, todo: &mut Todo) -> Result<Vec<Refused>, ChainError> {
        if self.effect.is_dry() || *todo == Todo::default() {
            return Ok(Vec::new());
        }
        // The command that started the round has done this already.
        if self.round.is_none() {
            let fit = todo.calibrate.map(|_| Stage::Calibrate);
            let stages = [Stage::Split, Stage::Predict, Stage::Stitch, Stage::Master];
            for stage in stages.into_iter().chain(fit) {
                self.check(stage, Request::NONE)?
                    .map_err(|source| ChainError::Check { stage: stage.name(), source })?;
            }
        }
        let split = todo.split.iter().map(|rows| (Stage::Split, rows.request));
        let predict = todo.predict.iter().map(|work| (Stage::Predict, work.request));
        let stitch = todo.stitch.iter().map(|(_, request)| (Stage::Stitch, *request));
        let calibrate = todo.calibrate.map(|request| (Stage::Calibrate, request));
        let work = split.chain(calibrate).chain(predict).chain(stitch);
        let raised: BTreeSet<(Stage, Request)> = work.collect();
        let mut refused = Vec::new();
        for (stage, request) in raised.into_iter().filter(|(_, request)| *request != Request::NONE)
        {
            if let Err(source) = self.check(stage, request)? {
                match stage {
                    Stage::Split => todo.split.retain(|rows| rows.request != request),
                    Stage::Calibrate => todo.calibrate = None,
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
