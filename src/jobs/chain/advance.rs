//! The operation of the chain: submits what is missing.

use std::time::Duration;

use super::checks::Refused;
use super::context::Chain;
use super::error::ChainError;
use super::steps::JobStep;
use super::wave::{Wave, next};
use crate::config::Stage;
use crate::jobs::scheduler::{SchedulerError, StartCondition};
use crate::jobs::script::Job;
use crate::jobs::state::RunState;
use crate::jobs::submitted::{Journal, Submission};
use crate::jobs::todo::todo;

/// The result of [`Chain::advance`].
#[derive(Debug, Default)]
pub(crate) struct Advanced {
    /// The jobs that were submitted, or that a dry run would submit.
    pub submitted: Vec<Submission>,
    /// When to repeat the operation; `None` if nothing will follow.
    pub next: Option<StartCondition>,
    /// Number of tasks for which the queue has no room.
    pub unsent_tasks: u32,
    /// Work whose request no node can fulfil.
    pub refused: Vec<Refused>,
    /// Whether slides wait for a fit and no job makes one, because the one of this round failed.
    pub lacks_fit: bool,
    /// The round of the jobs.
    pub round: usize,
}

impl Chain<'_> {
    /// Submits what is missing and neither queued nor running.
    ///
    /// `state` must be read while `journal` is open, so that no other command submits jobs in
    /// between.
    ///
    /// # Errors
    /// [`ChainError`]. Jobs that were submitted before the error are in the journal.
    pub(crate) fn advance(
        &self,
        state: &mut RunState,
        journal: &mut Journal,
    ) -> Result<Advanced, ChainError> {
        self.folders()?;
        // A dry run may take place where there is no scheduler.
        if !self.effect.is_dry() {
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
            self.submit_step(step, &mut wave)?;
        }
        if let Some(step) = self.study_step(state, &wave)? {
            self.submit_step(step, &mut wave)?;
        }
        let next = next(&wave, state);
        let submitted = std::mem::take(&mut wave.done);
        let is_refused = refused.iter().any(|work| work.stage == Stage::Calibrate);
        let lacks_fit = state.listing.lacks_fit(0) && next.is_none() && !is_refused;
        let unsent_tasks = wave.unsent_tasks;
        Ok(Advanced { unsent_tasks, refused, submitted, next, lacks_fit, round })
    }

    /// Submits the master job that continues the round. If the queue is full, this waits for up to
    /// an hour.
    ///
    /// # Errors
    /// [`ChainError`] if the job cannot be submitted.
    pub(crate) fn submit_master(
        &self,
        condition: &StartCondition,
        round: usize,
        journal: &mut Journal,
    ) -> Result<Submission, ChainError> {
        let job = self.master_job(round, journal);
        let script = self.write(&job)?;
        let pending = self.submission(String::new(), &job, script, round);
        for attempt in 0..240 {
            match self.submit(&pending, &job, condition, journal) {
                Err(ChainError::Scheduler(SchedulerError::Refused { full: true, .. })) => {
                    if attempt == 0 {
                        (self.on_wait)();
                    }
                    std::thread::sleep(Duration::from_secs(15));
                }
                Err(error) => return Err(error),
                Ok(submission) => return Ok(submission),
            }
        }
        Err(ChainError::Full { run: self.run.root().to_owned() })
    }

    /// Whether a master job other than this one continues anyway.
    pub(crate) fn has_master(&self, state: &RunState, advanced: &Advanced) -> bool {
        let own = ["SLURM_JOB_ID", "JOB_ID", "PBS_JOBID", "LSB_JOBID"];
        let own: Vec<String> = own.iter().filter_map(|name| std::env::var(name).ok()).collect();
        let masters = state.live_ids(Stage::Master);
        advanced.unsent_tasks == 0 && masters.iter().any(|id| !own.contains(id))
    }

    fn submit_step(&self, step: JobStep, wave: &mut Wave) -> Result<(), ChainError> {
        if let JobStep::Stitch { slide, .. } = &step
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
            match self.submit_job(&now, wave) {
                Ok(()) => {}
                Err(ChainError::Scheduler(SchedulerError::Refused { full: true, .. })) => {
                    // The queue has a limit that could not be read. Half of the tasks may fit.
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

    fn submit_job(&self, step: &JobStep, wave: &mut Wave) -> Result<(), ChainError> {
        let job = self.step_job(step, &wave.scripts);
        let script = self.write(&job)?;
        let after: Vec<String> = match step {
            JobStep::Stitch { slide, .. } => {
                wave.arrays.get(slide).into_iter().flatten().cloned().collect()
            }
            JobStep::Study { after } => after.clone(),
            JobStep::Split { .. } | JobStep::Calibrate { .. } | JobStep::Predict(_) => Vec::new(),
        };
        let condition = StartCondition { after, delay_min: None };
        let pending = Submission {
            slide: step.slide().map(ToOwned::to_owned),
            items: step.items(),
            ..self.submission(String::new(), &job, script, wave.round)
        };
        let submission = self.submit(&pending, &job, &condition, wave.journal)?;
        let id = submission.id.clone();
        if let Some(room) = &mut wave.room {
            *room = room.saturating_sub(self.scheduler.counted(step.tasks()));
        }
        if let (Some(slide), Stage::Predict) = (step.slide(), step.stage()) {
            wave.arrays.entry(slide.to_owned()).or_default().insert(id.clone());
        }
        wave.ids.push(id);
        wave.scripts.insert(submission.script.clone());
        wave.done.push(submission);
        Ok(())
    }

    /// Submits a job and records it. `pending` is the job without its id, which is recorded first,
    /// so that the job is found again if this program is killed in between.
    fn submit(
        &self,
        pending: &Submission,
        job: &Job,
        condition: &StartCondition,
        journal: &mut Journal,
    ) -> Result<Submission, ChainError> {
        let id = if self.effect.is_dry() {
            format!("dry-run:{}", job.name)
        } else {
            journal.begin(pending)?;
            let submitted = self.scheduler.submit(self.commands, &pending.script, job, condition);
            if let Err(SchedulerError::Refused { .. } | SchedulerError::Start { .. }) = submitted {
                journal.forget_pending();
            }
            submitted?
        };
        let submission = Submission { id, ..pending.clone() };
        if !self.effect.is_dry() {
            journal.add(submission.clone())?;
        }
        (self.on_submit)(&submission, &self.scheduler.render(job));
        Ok(submission)
    }
}
