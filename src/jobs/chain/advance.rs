//! The one operation of the chain.

use std::path::Path;
use std::time::Duration;

use super::checks::Refused;
use super::context::Chain;
use super::error::ChainError;
use super::steps::Step;
use super::wave::{Wave, next};
use crate::config::Stage;
use crate::jobs::scheduler::{Hold, SchedulerError};
use crate::jobs::script::Job;
use crate::jobs::state::RunState;
use crate::jobs::submitted::{Journal, Submission};
use crate::jobs::todo::todo;

/// What came of [`Chain::advance`].
#[derive(Debug, Default)]
pub struct Advanced {
    /// What was submitted, or in a dry run would be.
    pub submitted: Vec<Submission>,
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
    /// `state`: read while `journal` was open, so that no other command has submitted
    /// since.
    ///
    /// # Errors
    /// [`ChainError`]; what was submitted before stays submitted and is known
    /// to the next command.
    pub fn advance(
        &self,
        state: &mut RunState,
        journal: &mut Journal,
    ) -> Result<Advanced, ChainError> {
        self.folders()?;
        // A dry run may be far from the cluster.
        if !self.dry_run {
            state.require_queue(self.scheduler.kind())?;
        }
        let round = self.round.unwrap_or_else(|| journal.next_round());
        let mut todo = todo(state, round, self.request);
        if !self.stitch {
            todo.stitch.clear();
        }
        let limits = self.limits()?;
        let refused = self.checked(&mut todo)?;
        let mut wave = Wave::new(limits, state, journal, round);
        for step in self.steps(&todo, &wave) {
            self.send(step, &mut wave)?;
        }
        if let Some(step) = self.study_step(state, &wave) {
            self.send(step, &mut wave)?;
        }
        let next = next(&wave, state);
        let submitted = std::mem::take(&mut wave.done);
        Ok(Advanced { unsent_tasks: wave.unsent_tasks, refused, submitted, next, round })
    }

    /// Submits the job that goes on with this round.
    ///
    /// # Errors
    /// [`ChainError`]; waits for a place when the queue is full.
    pub fn submit_master(
        &self,
        hold: &Hold,
        round: usize,
        journal: &mut Journal,
    ) -> Result<Submission, ChainError> {
        let job = self.master_job(round, journal);
        let script = self.write(&job)?;
        for _ in 0..240 {
            match self.submit(&script, &job, hold) {
                Err(SchedulerError::Refused { full: true, .. }) => {
                    std::thread::sleep(Duration::from_secs(15));
                }
                Err(error) => return Err(error.into()),
                Ok(id) => {
                    let submission = self.submission(id, &job, script, round);
                    self.note(submission.clone(), journal)?;
                    return Ok(submission);
                }
            }
        }
        Err(ChainError::Full { run: self.run.root().to_owned() })
    }

    /// Whether a master job other than this one will go on anyway.
    pub fn has_master(&self, state: &RunState, advanced: &Advanced) -> bool {
        let own = ["SLURM_JOB_ID", "JOB_ID", "PBS_JOBID", "LSB_JOBID"];
        let own: Vec<String> = own.iter().filter_map(|name| std::env::var(name).ok()).collect();
        let masters = state.live_ids(Stage::Master);
        advanced.unsent_tasks == 0 && masters.iter().any(|id| !own.contains(id))
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
                Some(room) if !self.scheduler.counts_arrays_once() => {
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
                    // A limit that could not be read: half of it may fit.
                    let once = self.scheduler.counts_arrays_once();
                    let half = if once { 0 } else { now.tasks() / 2 };
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
        let job = self.step_job(step, &wave.scripts);
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
        self.note(submission, wave.journal)
    }

    fn note(&self, submission: Submission, journal: &mut Journal) -> Result<(), ChainError> {
        if !self.dry_run {
            journal.add(submission.clone())?;
        }
        (self.on_submit)(&submission);
        Ok(())
    }

    fn submit(&self, script: &Path, job: &Job, hold: &Hold) -> Result<String, SchedulerError> {
        if self.dry_run {
            return Ok(format!("dry-run:{}", job.name));
        }
        self.scheduler.submit(self.commands, script, job, hold)
    }
}
