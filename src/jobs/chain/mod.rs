//! The chain: submits what is missing, and the job that goes on from there.
//!
//! There is one operation, [`Chain::advance`]: look at files and queue, submit
//! what can be submitted now, and say what to wait for when more will follow.
//! A master job is the same operation, run again when that has ended.

mod checks;
mod files;
mod steps;
#[cfg(test)]
mod tests;
mod wave;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use thiserror::Error;

use super::arrays::Piece;
use super::plan::Growth;
use super::scheduler::{self, Commands, Hold, Queued, Scheduler, SchedulerError};
use super::script::Job;
use super::submitted::{Submission, Submitted, SubmittedError};
use super::todo::{Busy, todo};
use crate::config::{ClusterKeys, Stage};
use crate::run_dir::RunDir;
use crate::staged::{self, StageError};
pub use checks::Refused;
pub use files::{Files, files_of};
use steps::{Step, scripts_of};
use wave::{Wave, next};

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
    /// A folder or script cannot be made, or has a name that schedulers do not
    /// take.
    #[error("{}: {problem}", path.display())]
    Folder {
        /// The folder or script.
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
    /// More memory or time for what ran out of it.
    pub grow: &'a dyn Fn(&Piece) -> Growth,
    /// Groups a task scores.
    pub groups_per_task: u32,
    /// Whether heatmaps are wanted.
    pub stitch: bool,
    /// Whether a study is wanted, last of all.
    pub study: bool,
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
    pub unsent_tasks: u32,
    /// Work that would need more than there is.
    pub refused: Vec<Refused>,
    /// This round.
    pub round: usize,
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
        let refused = self.checked(&mut todo)?;
        let counted = self.counted(&queued);
        let mut wave = Wave {
            limits,
            // One place is kept for the master job that goes on.
            room: limits.submitted.map(|limit| limit.saturating_sub(counted + 1)),
            scripts: scripts_of(&submitted),
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
        if let Some(step) = self.study_step(files, &wave, &busy) {
            self.send(step, &mut wave)?;
        }
        let next = next(&wave, &busy);
        Ok(Advanced {
            unsent_tasks: wave.unsent_tasks,
            refused,
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
        let job = self.master_job(round, &submitted);
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

    fn send(&self, step: Step, wave: &mut Wave) -> Result<(), ChainError> {
        if let Step::Stitch { slide, .. } = &step
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
                Some(room) if self.scheduler.counted(2) > 1 => {
                    u32::try_from(room).map_or(tasks, |room| room.min(tasks))
                }
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
                    wave.room = Some(half as usize);
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
        let after: Vec<String> = match step {
            Step::Stitch { slide, .. } => {
                wave.arrays.get(slide).into_iter().flatten().cloned().collect()
            }
            Step::Study { after } => after.clone(),
            Step::Split { .. } | Step::Predict(_) => Vec::new(),
        };
        let hold = Hold { after, delay_min: None };
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
        wave.scripts.insert(submission.script.clone());
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
}
