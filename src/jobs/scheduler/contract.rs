//! What every scheduler can do.

use std::path::Path;

use super::command::{Answer, Call, Commands};
use super::error::SchedulerError;
use super::task::{JobQuery, Tasks};
use crate::config::{ClusterKeys, SchedulerKind};
use crate::jobs::script::Job;

/// What a scheduler allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Tasks of an array whose indices start at 1.
    pub array_tasks: u32,
    /// Jobs a user may have queued and running, when that is limited.
    pub jobs: Option<usize>,
    /// Jobs the user has queued and running; not counted, and 0, without a limit.
    pub jobs_in_use: usize,
}

/// When a job may start.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Hold {
    /// Job ids; it starts when all have ended, however they ended.
    pub after: Vec<String>,
    /// Minutes from now.
    pub delay_min: Option<u32>,
}

/// A scheduler.
pub trait Scheduler {
    /// Which one it is.
    fn kind(&self) -> SchedulerKind;

    /// The job script.
    fn render(&self, job: &Job) -> String;

    /// The name of the log file of array index `{index}` of job `{id}`.
    fn log_pattern(&self, job: &Job) -> String;

    /// The command that submits a script.
    fn submit_call(&self, script: &Path, job: &Job, hold: &Hold) -> Call;

    /// The job's id in what that command printed.
    fn job_id(&self, stdout: &str) -> Option<String>;

    /// The command that only checks whether a script could ever run.
    fn check_call(&self, script: &Path) -> Option<Call>;

    /// Whether a refusal means that too many jobs are queued already.
    fn is_full(&self, printed: &str) -> bool;

    /// Whether limits count an array as one job, and not each of its tasks.
    fn counts_arrays_once(&self) -> bool {
        false
    }

    /// What the site allows; jobs in use are 0.
    ///
    /// # Errors
    /// [`SchedulerError`] when the scheduler does not answer.
    fn site_limits(
        &self,
        commands: &dyn Commands,
        keys: &ClusterKeys,
    ) -> Result<Limits, SchedulerError>;

    /// How many jobs, as limits count them, this user has queued and running.
    ///
    /// # Errors
    /// [`SchedulerError`] when the scheduler does not answer.
    fn jobs_in_use(&self, commands: &dyn Commands) -> Result<usize, SchedulerError>;

    /// What is known of the tasks of some jobs; there is at least one job.
    fn query(&self, commands: &dyn Commands, query: &JobQuery) -> Tasks;

    /// What is known of the tasks of some jobs: those queued and running, and where
    /// the accounting is wanted and knows them, those that have ended.
    fn tasks(&self, commands: &dyn Commands, query: &JobQuery) -> Tasks {
        if query.ids.is_empty() { Tasks::default() } else { self.query(commands, query) }
    }

    /// What the site and the configuration allow.
    ///
    /// # Errors
    /// [`SchedulerError`] when the scheduler does not answer.
    fn limits(
        &self,
        commands: &dyn Commands,
        keys: &ClusterKeys,
    ) -> Result<Limits, SchedulerError> {
        let site = self.site_limits(commands, keys)?;
        let jobs = keys.max_submitted_jobs.map(|jobs| jobs as usize).or(site.jobs);
        let jobs_in_use = if jobs.is_some() { self.jobs_in_use(commands)? } else { 0 };
        let array_tasks = keys.max_array_tasks.unwrap_or(site.array_tasks).max(1);
        Ok(Limits { array_tasks, jobs, jobs_in_use })
    }

    /// How many of the jobs that a limit counts `tasks` tasks of one array are.
    fn counted(&self, tasks: u32) -> usize {
        if self.counts_arrays_once() { 1 } else { tasks as usize }
    }

    /// Submits a script and returns the job's id.
    ///
    /// # Errors
    /// [`SchedulerError::Refused`] with `full` when a limit on jobs is reached.
    fn submit(
        &self,
        commands: &dyn Commands,
        script: &Path,
        job: &Job,
        hold: &Hold,
    ) -> Result<String, SchedulerError> {
        let call = self.submit_call(script, job, hold);
        let answer = self.run(commands, &call)?;
        self.job_id(&answer.stdout).ok_or_else(|| {
            let expected = "the id of the job; it may have been submitted: look at the queue";
            SchedulerError::answer(&call.line(), answer.stdout.trim(), expected)
        })
    }

    /// Asks the scheduler whether a job like this can ever run.
    ///
    /// # Errors
    /// [`SchedulerError::Refused`] with the scheduler's words.
    fn check(&self, commands: &dyn Commands, script: &Path) -> Result<(), SchedulerError> {
        let Some(call) = self.check_call(script) else { return Ok(()) };
        match self.run(commands, &call) {
            Err(SchedulerError::Refused { full: true, .. }) | Ok(_) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Runs a command that must succeed.
    ///
    /// # Errors
    /// [`SchedulerError`] when it cannot be started, or fails.
    fn run(&self, commands: &dyn Commands, call: &Call) -> Result<Answer, SchedulerError> {
        let answer = self.run_any(commands, call)?;
        if answer.ok { Ok(answer) } else { Err(self.refused(call, answer)) }
    }

    /// Runs a command that may fail.
    ///
    /// # Errors
    /// [`SchedulerError::Start`] when it cannot be started.
    fn run_any(&self, commands: &dyn Commands, call: &Call) -> Result<Answer, SchedulerError> {
        commands.run(call).map_err(|source| SchedulerError::Start {
            program: call.program.clone(),
            scheduler: self.kind().name(),
            source,
        })
    }

    /// The error of a command that has failed.
    fn refused(&self, call: &Call, answer: Answer) -> SchedulerError {
        let printed = format!("{}\n{}", answer.stderr.trim(), answer.stdout.trim());
        let printed = printed.trim().to_owned();
        SchedulerError::Refused {
            call: call.line(),
            status: answer.status,
            full: self.is_full(&printed),
            printed,
        }
    }
}
