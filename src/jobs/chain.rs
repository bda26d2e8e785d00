//! The chain: submits what is missing, and the job that goes on from there.
//!
//! There is one operation, [`Chain::advance`]: look at files and queue, submit
//! what can be submitted now, and say what to wait for when more will follow.
//! A master job is the same operation, run again when that has ended.

mod files;
mod steps;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use thiserror::Error;

use super::plan::{Growth, plan_arrays};
use super::scheduler::{self, Commands, Hold, Limits, Queued, Scheduler, SchedulerError};
use super::script::Job;
use super::submitted::{Submission, Submitted, SubmittedError};
use super::todo::{Busy, Todo, todo};
use crate::config::{ClusterKeys, Stage};
use crate::run_dir::RunDir;
use crate::staged::{self, StageError};
pub use files::{Files, files_of};
use steps::Step;

/// Minutes a master job waits when the queue is full of other things.
const WAIT_MIN: u32 = 5;

/// The chain cannot go on.
#[derive(Debug, Error)]
pub enum ChainError {
    /// The scheduler refused or is not there.
    #[error(transparent)]
    Scheduler(#[from] SchedulerError),
    /// No job like this could ever run.
    #[error(
        "what [cluster] asks for a {stage} job cannot be had, so nothing was submitted: {source}"
    )]
    Check {
        /// Which level.
        stage: &'static str,
        /// What the scheduler said.
        source: SchedulerError,
    },
    /// What was submitted cannot be read or written.
    #[error(transparent)]
    Submitted(#[from] SubmittedError),
    /// A script cannot be written.
    #[error(transparent)]
    Write(#[from] StageError),
    /// The queue stayed full.
    #[error("{}: for an hour the queue had no place for the job that goes on; run `slidegrid master retry` later", run.display())]
    Full {
        /// The run directory.
        run: PathBuf,
    },
    /// A folder cannot be made, or has a name that schedulers do not take.
    #[error("{}: {problem}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What is wrong, and what to do.
        problem: String,
    },
}

/// Everything needed to submit.
pub struct Chain<'a> {
    /// The run.
    pub run: &'a RunDir,
    /// What is asked for.
    pub cluster: &'a ClusterKeys,
    /// Of whom.
    pub scheduler: &'a dyn Scheduler,
    /// Who runs its commands.
    pub commands: &'a dyn Commands,
    /// This program, absolute.
    pub program: &'a Path,
    /// More memory or time for a slide's group.
    pub grow: &'a dyn Fn(&str, usize) -> Growth,
    /// Groups a task scores.
    pub groups_per_task: usize,
    /// Whether heatmaps are wanted.
    pub stitch: bool,
    /// Write the scripts and submit nothing.
    pub dry_run: bool,
    /// The round to go on with; a new one when absent.
    pub round: Option<usize>,
    /// Told of each job.
    pub told: &'a dyn Fn(&Submission),
}

/// What came of [`Chain::advance`].
#[derive(Debug, Default)]
pub struct Advanced {
    /// What was submitted, or in a dry run would be.
    pub submitted: Vec<Submission>,
    /// What is queued or running besides.
    pub busy: Busy,
    /// More will follow: when to look again.
    pub next: Option<Hold>,
    /// Tasks there was no room for.
    pub unsent_tasks: usize,
    /// This round.
    pub round: usize,
}

/// What goes along while submitting.
struct Wave<'a> {
    limits: Limits,
    /// Jobs that still fit; none: any number.
    room: Option<usize>,
    submitted: &'a mut Submitted,
    round: usize,
    /// Ids of this wave, in order.
    ids: Vec<String>,
    /// Ids each slide's stitch waits for.
    arrays: BTreeMap<String, BTreeSet<String>>,
    /// Slides with groups that found no room.
    held_back: BTreeSet<String>,
    unsent_tasks: usize,
    done: Vec<Submission>,
}

impl Chain<'_> {
    /// Submits what is missing and neither queued nor running.
    ///
    /// # Errors
    /// [`ChainError`]; what was submitted before stays submitted and is known
    /// to the next command.
    pub fn advance(&self, files: &Files) -> Result<Advanced, ChainError> {
        self.folders()?;
        let mut submitted = Submitted::open(self.run)?;
        let queued = self.queued()?;
        let busy = Busy::new(&submitted.list, &queued);
        let round = self.round.unwrap_or_else(|| submitted.next_round());
        let mut todo =
            todo(&files.unsplit, &files.slides, &submitted.list, &busy, round, self.grow);
        if !self.stitch {
            todo.stitch.clear();
        }
        let limits = self.limits()?;
        if self.round.is_none() && !self.dry_run && todo != Todo::default() {
            self.check()?;
        }
        let counted = self.counted(&queued);
        let mut wave = Wave {
            limits,
            // One place is kept for the master job that goes on.
            room: limits.submitted.map(|limit| limit.saturating_sub(counted + 1)),
            submitted: &mut submitted,
            round,
            ids: Vec::new(),
            arrays: busy.arrays.clone(),
            held_back: BTreeSet::new(),
            unsent_tasks: 0,
            done: Vec::new(),
        };
        for step in self.steps(&todo, &wave) {
            self.send(step, &mut wave)?;
        }
        let next = next(&wave, &busy);
        Ok(Advanced {
            unsent_tasks: wave.unsent_tasks,
            submitted: std::mem::take(&mut wave.done),
            next,
            busy,
            round,
        })
    }

    /// Submits the job that goes on with this round.
    ///
    /// # Errors
    /// [`ChainError`]; waits for a place when the queue is full.
    pub fn submit_master(&self, hold: &Hold, round: usize) -> Result<Submission, ChainError> {
        let mut submitted = Submitted::open(self.run)?;
        let job = self.master_job(round);
        let script = self.write(&job)?;
        for _ in 0..240 {
            match self.submit(&script, &job, hold) {
                Err(SchedulerError::Refused { full: true, .. }) => {
                    std::thread::sleep(Duration::from_secs(15));
                }
                Err(error) => return Err(error.into()),
                Ok(id) => {
                    let submission = self.submission(id, &job, script, round);
                    self.note(submission.clone(), &mut submitted)?;
                    return Ok(submission);
                }
            }
        }
        Err(ChainError::Full { run: self.run.root().to_owned() })
    }

    /// Whether a master job other than this one will go on anyway.
    pub fn has_master(&self, advanced: &Advanced) -> bool {
        let own = ["SLURM_JOB_ID", "JOB_ID", "PBS_JOBID", "LSB_JOBID"];
        let own: Vec<String> = own.iter().filter_map(|name| std::env::var(name).ok()).collect();
        advanced.unsent_tasks == 0 && advanced.busy.masters.iter().any(|id| !own.contains(id))
    }

    /// What of this run is still in the queue.
    ///
    /// # Errors
    /// [`ChainError`] when the scheduler does not answer.
    pub fn queued(&self) -> Result<Vec<Queued>, ChainError> {
        if self.dry_run {
            return Ok(self.scheduler.queued(self.commands).unwrap_or_default());
        }
        Ok(self.scheduler.queued(self.commands)?)
    }

    fn limits(&self) -> Result<Limits, ChainError> {
        let keys = self.cluster;
        let site = match self.scheduler.limits(self.commands, keys.account.as_deref()) {
            Ok(limits) => limits,
            // A dry run may be far from the cluster.
            Err(_) if self.dry_run => Limits { array_tasks: 1000, submitted: None },
            Err(error) => return Err(error.into()),
        };
        let array_tasks = keys.max_array_tasks.unwrap_or(site.array_tasks).max(1);
        Ok(Limits { array_tasks, submitted: keys.max_submitted_jobs.or(site.submitted) })
    }

    fn counted(&self, queued: &[Queued]) -> usize {
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
    fn check(&self) -> Result<(), ChainError> {
        for stage in [Stage::Split, Stage::Predict, Stage::Stitch, Stage::Master] {
            let job = Job { command: "true".into(), ..self.job(stage, "check", Growth::NONE) };
            let script = self.run.jobs().join(format!("check_{}.sh", stage.name()));
            staged::write(&script, self.scheduler.render(&job).as_bytes())?;
            let checked = scheduler::check(self.scheduler, self.commands, &script);
            drop(std::fs::remove_file(&script));
            checked.map_err(|source| ChainError::Check { stage: stage.name(), source })?;
        }
        Ok(())
    }

    fn send(&self, step: Step, wave: &mut Wave) -> Result<(), ChainError> {
        if let Step::Stitch { slide } = &step
            && wave.held_back.contains(slide)
        {
            wave.unsent_tasks += 1;
            return Ok(());
        }
        let mut rest = Some(step);
        while let Some(step) = rest.take() {
            let tasks = step.tasks();
            let fits = match wave.room {
                None => tasks,
                Some(room) if self.scheduler.counted(tasks) <= room => tasks,
                Some(room) if self.scheduler.counted(2) > 1 => room.min(tasks),
                Some(_) => 0,
            };
            if fits == 0 {
                wave.hold_back(&step);
                return Ok(());
            }
            let (now, later) = step.cut(fits);
            rest = later;
            match self.send_one(&now, wave) {
                Ok(()) => {}
                Err(ChainError::Scheduler(SchedulerError::Refused { full: true, .. })) => {
                    // A limit nobody told us: half of it may fit.
                    let half = if self.scheduler.counted(2) > 1 { now.tasks() / 2 } else { 0 };
                    wave.room = Some(half);
                    rest = Some(match rest {
                        Some(later) => now.joined(later),
                        None => now,
                    });
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn send_one(&self, step: &Step, wave: &mut Wave) -> Result<(), ChainError> {
        let job = self.step_job(step, wave);
        let script = self.write(&job)?;
        let after = step.slide().filter(|_| step.stage() == Stage::Stitch);
        let after = after.and_then(|slide| wave.arrays.get(slide));
        let hold = Hold { after: after.into_iter().flatten().cloned().collect(), delay_min: None };
        let id = self.submit(&script, &job, &hold)?;
        let mut submission = self.submission(id.clone(), &job, script, wave.round);
        submission.slide = step.slide().map(ToOwned::to_owned);
        submission.items = step.items();
        if let Some(room) = &mut wave.room {
            *room = room.saturating_sub(self.scheduler.counted(step.tasks()));
        }
        if let (Some(slide), Stage::Predict) = (step.slide(), step.stage()) {
            wave.arrays.entry(slide.to_owned()).or_default().insert(id.clone());
        }
        wave.ids.push(id);
        wave.done.push(submission.clone());
        self.note(submission, wave.submitted)
    }

    fn note(&self, submission: Submission, submitted: &mut Submitted) -> Result<(), ChainError> {
        (self.told)(&submission);
        if !self.dry_run {
            submitted.add(submission)?;
        }
        Ok(())
    }

    fn submit(&self, script: &Path, job: &Job, hold: &Hold) -> Result<String, SchedulerError> {
        if self.dry_run {
            return Ok(format!("dry-run:{}", job.name));
        }
        scheduler::submit(self.scheduler, self.commands, script, job, hold)
    }

    fn write(&self, job: &Job) -> Result<PathBuf, ChainError> {
        let script = PathBuf::from(&job.script);
        staged::write(&script, self.scheduler.render(job).as_bytes())?;
        Ok(script)
    }

    /// Steps in the order to submit them: `predict` of a slide, then its
    /// `stitch`.
    fn steps(&self, todo: &Todo, wave: &Wave) -> Vec<Step> {
        let limit = wave.limits.array_tasks;
        let rows = todo.split.chunks(limit);
        let mut steps: Vec<Step> = rows.map(Step::split).collect();
        let mut arrays: BTreeMap<String, Vec<Step>> = BTreeMap::new();
        let mut order: Vec<String> = Vec::new();
        for array in plan_arrays(&todo.predict, limit, self.groups_per_task) {
            if !arrays.contains_key(&array.slide) {
                order.push(array.slide.clone());
            }
            arrays.entry(array.slide.clone()).or_default().push(Step::Predict(array));
        }
        let (with_groups, alone): (Vec<&String>, Vec<&String>) =
            todo.stitch.iter().partition(|slide| arrays.contains_key(*slide));
        // Slides that wait for nothing else come first.
        steps.extend(alone.into_iter().map(|slide| Step::Stitch { slide: slide.clone() }));
        for slide in order {
            steps.extend(arrays.remove(&slide).unwrap_or_default());
            if with_groups.contains(&&slide) {
                steps.push(Step::Stitch { slide });
            }
        }
        steps
    }
}

impl Wave<'_> {
    fn hold_back(&mut self, step: &Step) {
        self.unsent_tasks += step.tasks();
        self.held_back.extend(step.slide().map(ToOwned::to_owned));
    }
}

/// When to look again: never, when all is submitted; when all is split, to plan
/// `predict`; when the first half of a wave has ended, to submit the next
/// while the other half keeps the cluster busy.
fn next(wave: &Wave, busy: &Busy) -> Option<Hold> {
    let splits = wave.done.iter().filter(|submission| submission.stage == Stage::Split);
    let splits: BTreeSet<String> =
        splits.map(|submission| submission.id.clone()).chain(busy.splitting.clone()).collect();
    if wave.unsent_tasks == 0 {
        let after: Vec<String> = splits.into_iter().collect();
        return (!after.is_empty()).then_some(Hold { after, delay_min: None });
    }
    let queued: Vec<String> =
        busy.arrays.values().flatten().chain(&busy.splitting).cloned().collect();
    let ids = if wave.ids.is_empty() { &queued } else { &wave.ids };
    let half = ids[..ids.len().div_ceil(2)].to_vec();
    let delay_min = half.is_empty().then_some(WAIT_MIN);
    Some(Hold { after: half, delay_min })
}
