//! What the scheduler allows: limits, and whether a request can be had.

use std::collections::BTreeSet;

use super::{Chain, ChainError};
use crate::config::Stage;
use crate::jobs::plan::Growth;
use crate::jobs::scheduler::{self, Limits, Queued, SchedulerError};
use crate::jobs::script::Job;
use crate::jobs::todo::Todo;
use crate::staged;

/// Work that would need more than there is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Which level.
    pub stage: Stage,
    /// What was asked for.
    pub growth: Growth,
    /// What the scheduler said.
    pub said: String,
}

impl Chain<'_> {
    pub(super) fn limits(&self) -> Result<Limits, ChainError> {
        let keys = self.cluster;
        let site = match self.scheduler.limits(self.commands, keys) {
            Ok(limits) => limits,
            // A dry run may be far from the cluster.
            Err(_) if self.dry_run => Limits { array_tasks: 1000, submitted: None },
            Err(error) => return Err(error.into()),
        };
        let array_tasks = keys.max_array_tasks.unwrap_or(site.array_tasks).max(1);
        Ok(Limits {
            array_tasks,
            submitted: keys.max_submitted_jobs.map(|jobs| jobs as usize).or(site.submitted),
        })
    }

    pub(super) fn counted(&self, queued: &[Queued]) -> usize {
        let mut arrays = BTreeSet::new();
        queued
            .iter()
            .map(|entry| match self.scheduler.counted(2) {
                1 => usize::from(arrays.insert(entry.id.as_str())),
                _ => entry.tasks(),
            })
            .sum()
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
                self.check(stage, Growth::NONE)?
                    .map_err(|source| ChainError::Check { stage: stage.name(), source })?;
            }
        }
        let split = todo.split.iter().map(|rows| (Stage::Split, rows.growth));
        let predict = todo.predict.iter().map(|work| (Stage::Predict, work.growth));
        let stitch = todo.stitch.iter().map(|(_, growth)| (Stage::Stitch, *growth));
        let grown: BTreeSet<(Stage, Growth)> = split.chain(predict).chain(stitch).collect();
        let mut refused = Vec::new();
        for (stage, growth) in grown.into_iter().filter(|(_, growth)| *growth != Growth::NONE) {
            if let Err(source) = self.check(stage, growth)? {
                match stage {
                    Stage::Split => todo.split.retain(|rows| rows.growth != growth),
                    Stage::Predict => {
                        let without = |slide: &str| {
                            let mut work = todo.predict.iter();
                            work.any(|work| work.slide == slide && work.growth == growth)
                        };
                        todo.stitch.retain(|(slide, _)| !without(slide));
                        todo.predict.retain(|work| work.growth != growth);
                    }
                    _ => todo.stitch.retain(|(_, other)| *other != growth),
                }
                refused.push(Refused { stage, growth, said: source.to_string() });
            }
        }
        Ok(refused)
    }

    fn check(
        &self,
        stage: Stage,
        growth: Growth,
    ) -> Result<Result<(), SchedulerError>, ChainError> {
        let job = Job { command: "true".into(), ..self.job(stage, "check", growth) };
        let script = self.run.jobs().join(format!("check_{}.sh", stage.name()));
        staged::write(&script, self.scheduler.render(&job).as_bytes())?;
        let checked = scheduler::check(self.scheduler, self.commands, &script);
        drop(std::fs::remove_file(&script));
        Ok(checked)
    }
}
