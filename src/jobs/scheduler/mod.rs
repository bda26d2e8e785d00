//! Schedulers: what differs between them, and nothing else.
//!
//! A job is a script ([`Scheduler::render`]) that can be submitted by hand;
//! what it waits for is said when it is submitted. All of them are asked the
//! weakest thing: "when those have ended, however they ended". Whether they
//! did their work is then read from files.

mod command;
mod local;
mod lsf;
mod pbs;
mod sge;
mod slurm;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::str::FromStr;

use thiserror::Error;

use super::script::Job;
use crate::config::{ClusterKeys, SchedulerKind};
use crate::number::TaskNumber;

pub use command::{Answer, Call, Commands, System};
pub use local::Local;
pub use lsf::Lsf;
pub use pbs::Pbs;
pub use sge::{Sge, local_time};
pub use slurm::Slurm;

/// What a scheduler allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Tasks of an array whose indices start at 1.
    pub array_tasks: u32,
    /// Jobs a user may have queued and running, when that is limited.
    pub submitted: Option<usize>,
}

/// When a job may start.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Hold {
    /// Job ids; it starts when all have ended, however they ended.
    pub after: Vec<String>,
    /// Minutes from now.
    pub delay_min: Option<u32>,
}

/// Tasks of a job that are queued or running.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queued {
    /// Job id, without array index.
    pub id: String,
    /// Array indices; none for a single job.
    pub indices: Option<Vec<TaskNumber>>,
    /// As the scheduler calls it.
    pub state: String,
    /// Whether it waits for somebody to put something right.
    pub stuck: bool,
}

impl Queued {
    /// How many tasks these are.
    pub fn tasks(&self) -> usize {
        self.indices.as_ref().map_or(1, Vec::len)
    }
}

/// Why a scheduler cannot be used.
#[derive(Debug, Error)]
pub enum SchedulerError {
    /// A program cannot be started.
    #[error(
        "{program}: cannot run it: {source}; is {scheduler} installed here, and its folder on PATH?"
    )]
    Start {
        /// The program.
        program: String,
        /// Whose it is.
        scheduler: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
    /// A program failed.
    #[error("{call} ended with {status}: {said}")]
    Refused {
        /// The command line.
        call: String,
        /// Exit code or signal.
        status: String,
        /// What it printed.
        said: String,
        /// Whether a limit on submitted jobs is the reason.
        full: bool,
    },
    /// A program said something unexpected.
    #[error("{call} said {said:?}, expected {expected}")]
    Answer {
        /// The command line.
        call: String,
        /// What it printed.
        said: String,
        /// What was expected.
        expected: &'static str,
    },
}

/// What differs between schedulers.
pub trait Scheduler {
    /// Which one it is.
    fn kind(&self) -> SchedulerKind;

    /// The job script.
    fn render(&self, job: &Job) -> String;

    /// How the log file of array index `{index}` of job `{id}` is called.
    fn log(&self, job: &Job) -> String;

    /// The command that submits a script.
    fn submit(&self, script: &Path, job: &Job, hold: &Hold) -> Call;

    /// The id in what that command printed.
    fn job_id(&self, stdout: &str) -> Option<String>;

    /// The command that only checks whether a script could ever run.
    fn check(&self, script: &Path) -> Option<Call>;

    /// Whether `said` means that too many jobs are queued already.
    fn is_full(&self, said: &str) -> bool;

    /// How many of the jobs that a limit counts `tasks` tasks are.
    fn counted(&self, tasks: u32) -> usize {
        tasks as usize
    }

    /// What the site allows.
    ///
    /// # Errors
    /// [`SchedulerError`] when the scheduler does not answer.
    fn limits(&self, commands: &dyn Commands, keys: &ClusterKeys)
    -> Result<Limits, SchedulerError>;

    /// What this user has queued and running.
    ///
    /// # Errors
    /// [`SchedulerError`] when the scheduler does not answer.
    fn queued(&self, commands: &dyn Commands) -> Result<Vec<Queued>, SchedulerError>;
}

/// The scheduler of that name.
pub fn scheduler(kind: SchedulerKind) -> Box<dyn Scheduler> {
    match kind {
        SchedulerKind::Local => Box::new(Local::default()),
        SchedulerKind::Slurm => Box::new(Slurm),
        SchedulerKind::Sge => Box::new(Sge),
        SchedulerKind::Pbs => Box::new(Pbs),
        SchedulerKind::Lsf => Box::new(Lsf),
    }
}

/// Submits a script and returns the job's id.
///
/// # Errors
/// [`SchedulerError::Refused`] with `full` when a limit on jobs is reached.
pub fn submit(
    scheduler: &dyn Scheduler,
    commands: &dyn Commands,
    script: &Path,
    job: &Job,
    hold: &Hold,
) -> Result<String, SchedulerError> {
    let call = scheduler.submit(script, job, hold);
    let answer = run(scheduler, commands, &call)?;
    scheduler.job_id(&answer.stdout).ok_or_else(|| SchedulerError::Answer {
        call: call.line(),
        said: answer.stdout.trim().to_owned(),
        expected: "the id of the job; it may have been submitted: look at the queue",
    })
}

/// Asks the scheduler whether a job like this can ever run.
///
/// # Errors
/// [`SchedulerError::Refused`] with the scheduler's words.
pub fn check(
    scheduler: &dyn Scheduler,
    commands: &dyn Commands,
    script: &Path,
) -> Result<(), SchedulerError> {
    let Some(call) = scheduler.check(script) else { return Ok(()) };
    match run(scheduler, commands, &call) {
        Err(SchedulerError::Refused { full: true, .. }) | Ok(_) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Runs a command that must succeed.
fn run(
    scheduler: &dyn Scheduler,
    commands: &dyn Commands,
    call: &Call,
) -> Result<Answer, SchedulerError> {
    let answer = commands.run(call).map_err(|source| SchedulerError::Start {
        program: call.program.clone(),
        scheduler: scheduler.kind().name(),
        source,
    })?;
    if answer.ok {
        return Ok(answer);
    }
    let said = format!("{}\n{}", answer.stderr.trim(), answer.stdout.trim()).trim().to_owned();
    Err(SchedulerError::Refused {
        call: call.line(),
        status: answer.status,
        full: scheduler.is_full(&said),
        said,
    })
}

/// Numbers of `1,3,7-9`, `2-10:4` and `7-10:1`, as schedulers print them; a
/// throttle (`%5`) at the end is left out.
fn indices(text: &str) -> Option<Vec<TaskNumber>> {
    let text = text.trim().trim_matches(['[', ']']);
    let text = text.split('%').next()?;
    let mut found = Vec::new();
    for item in text.split(',') {
        let (range, step) = item.split_once(':').unwrap_or((item, "1"));
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last) = (first.trim().parse::<u32>().ok()?, last.trim().parse().ok()?);
        let range = (first..=last).step_by(step.trim().parse::<usize>().ok()?.max(1));
        // An index 0 is of somebody else's array.
        found.extend(range.filter_map(|index| TaskNumber::try_from(index).ok()));
    }
    Some(found)
}

/// The value of `key` in lines of `key value` or `key = value`.
fn setting<N: FromStr>(text: &str, key: &str) -> Option<N> {
    text.lines().find_map(|line| {
        let rest = line.trim().strip_prefix(key)?;
        rest.starts_with([' ', '=', '\t'])
            .then(|| rest.trim_matches([' ', '=', '\t']))?
            .parse()
            .ok()
    })
}
