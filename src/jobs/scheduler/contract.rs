//! The trait [`Scheduler`], and its limits and conditions.

use std::path::Path;

use super::command::{Answer, Call, Commands};
use super::error::SchedulerError;
use super::task::{JobQuery, Tasks};
use crate::config::{ClusterKeys, SchedulerKind};
use crate::jobs::script::Job;
use crate::jobs::work::Request;

/// The limits of a scheduler.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Largest number of tasks of an array whose indices start at 1.
    pub array_tasks: u32,
    /// Largest number of jobs that a user may have queued and running, if there is a limit.
    pub jobs: Option<usize>,
    /// Number of jobs that the user has queued and running; 0 without a limit.
    pub jobs_in_use: usize,
}

/// When a job may start.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StartCondition {
    /// Ids of the jobs that must have ended, however they ended.
    pub after: Vec<String>,
    /// Least time from now, minutes.
    pub delay_min: Option<u32>,
}

/// A scheduler.
pub trait Scheduler {
    /// The kind of the scheduler.
    fn kind(&self) -> SchedulerKind;

    /// Makes the script of a job.
    fn render(&self, job: &Job) -> String;

    /// Path of the log of a task, with `{id}` and `{index}` in place of the job and the array index.
    fn log_pattern(&self, job: &Job) -> String;

    /// The command that submits a script.
    fn submit_call(&self, script: &Path, job: &Job, condition: &StartCondition) -> Call;

    /// Reads the job's id from the output of that command.
    fn job_id(&self, stdout: &str) -> Option<String>;

    /// The command that checks whether a script can ever run; `None` if the scheduler has none.
    fn check_call(&self, script: &Path) -> Option<Call>;

    /// Whether the message of a refusal means that too many jobs are queued.
    fn is_full(&self, printed: &str) -> bool;

    /// Whether limits count an array as one job, instead of each task as one.
    fn counts_arrays_once(&self) -> bool {
        false
    }

    /// Reads the limits of the site; `jobs_in_use` is 0.
    ///
    /// # Errors
    /// [`SchedulerError`] if the scheduler does not answer.
    fn site_limits(
        &self,
        commands: &dyn Commands,
        keys: &ClusterKeys,
    ) -> Result<Limits, SchedulerError>;

    /// The most memory and time that a task may request in a queue, or in the default one. `None`
    /// where no limit is known.
    fn largest_request(&self, _: &dyn Commands, _: Option<&str>) -> Request {
        Request::NONE
    }

    /// Number of jobs that this user has queued and running, as limits count them.
    ///
    /// # Errors
    /// [`SchedulerError`] if the scheduler does not answer.
    fn jobs_in_use(&self, commands: &dyn Commands) -> Result<usize, SchedulerError>;

    /// Asks about the tasks of some jobs, of which there is at least one.
    fn query(&self, commands: &dyn Commands, query: &JobQuery) -> Tasks;

    /// Asks about the tasks of some jobs: those that are queued and running, and if the query says
    /// so, those that have ended.
    fn tasks(&self, commands: &dyn Commands, query: &JobQuery) -> Tasks {
        if query.ids.is_empty() { Tasks::default() } else { self.query(commands, query) }
    }

    /// The limits of the site and the configuration.
    ///
    /// # Errors
    /// [`SchedulerError`] if the scheduler does not answer.
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

    /// How many jobs a limit counts for `tasks` tasks of one array.
    fn counted(&self, tasks: u32) -> usize {
        if self.counts_arrays_once() { 1 } else { tasks as usize }
    }

    /// Submits a script and returns the job's id.
    ///
    /// # Errors
    /// [`SchedulerError::Refused`] if the scheduler refuses the job, with `full` if a limit on jobs
    /// is reached.
    fn submit(
        &self,
        commands: &dyn Commands,
        script: &Path,
        job: &Job,
        condition: &StartCondition,
    ) -> Result<String, SchedulerError> {
        let call = self.submit_call(script, job, condition);
        let mut pauses_s = commands.pauses_s().iter();
        loop {
            let answer = self.run_any(commands, &call)?;
            if let Some(id) = self.job_id(&answer.stdout).filter(|_| answer.ok) {
                return Ok(id);
            }
            // The scheduler may have queued the job although its answer did not arrive.
            if answer.ok || is_lost(&answer) {
                match self.find_submitted(commands, script)? {
                    FoundJob::Queued(id) => return Ok(id),
                    FoundJob::Nothing => {}
                    FoundJob::Unknown => {
                        let problem = format!("{}: {}", answer.status, printed(&answer));
                        return Err(SchedulerError::Lost { call: call.line(), problem });
                    }
                }
            } else if !is_unreachable(&answer) {
                return Err(self.refused(&call, answer));
            }
            match pauses_s.next() {
                Some(&pause_s) => commands.pause(pause_s),
                None => return Err(self.refused(&call, answer)),
            }
        }
    }

    /// Looks for a job of this user by its script, which no other job has.
    ///
    /// # Errors
    /// [`SchedulerError`] if the queue cannot be read.
    fn find_submitted(&self, _: &dyn Commands, _: &Path) -> Result<FoundJob, SchedulerError> {
        Ok(FoundJob::Unknown)
    }

    /// Asks the scheduler whether a job can ever run.
    ///
    /// # Errors
    /// [`SchedulerError::Refused`] with the scheduler's message if it cannot.
    fn check(&self, commands: &dyn Commands, script: &Path) -> Result<(), SchedulerError> {
        let Some(call) = self.check_call(script) else { return Ok(()) };
        let answer =
            self.ask(commands, &call, &|answer| !is_unreachable(answer) && !is_lost(answer))?;
        if answer.ok || self.is_full(&printed(&answer)) {
            return Ok(());
        }
        Err(self.refused(&call, answer))
    }

    /// Runs a query that must succeed.
    ///
    /// # Errors
    /// [`SchedulerError`] if the program cannot be started, or fails.
    fn run(&self, commands: &dyn Commands, call: &Call) -> Result<Answer, SchedulerError> {
        let answer = self.ask(commands, call, &|answer| answer.ok)?;
        if answer.ok { Ok(answer) } else { Err(self.refused(call, answer)) }
    }

    /// Runs a query, again after each pause until `is_answer` accepts the answer. Returns the last
    /// answer.
    ///
    /// # Errors
    /// [`SchedulerError::Start`] if the program cannot be started.
    fn ask(
        &self,
        commands: &dyn Commands,
        call: &Call,
        is_answer: &dyn Fn(&Answer) -> bool,
    ) -> Result<Answer, SchedulerError> {
        let mut pauses_s = commands.pauses_s().iter();
        loop {
            let answer = self.run_any(commands, call)?;
            match pauses_s.next() {
                Some(&pause_s) if !is_answer(&answer) => commands.pause(pause_s),
                _ => return Ok(answer),
            }
        }
    }

    /// Runs a command once.
    ///
    /// # Errors
    /// [`SchedulerError::Start`] if the program cannot be started.
    fn run_any(&self, commands: &dyn Commands, call: &Call) -> Result<Answer, SchedulerError> {
        commands.run(call).map_err(|source| SchedulerError::Start {
            program: call.program.clone(),
            scheduler: self.kind().name(),
            source,
        })
    }

    /// The error for a command that failed.
    fn refused(&self, call: &Call, answer: Answer) -> SchedulerError {
        let printed = printed(&answer);
        SchedulerError::Refused {
            call: call.line(),
            status: answer.status,
            full: self.is_full(&printed),
            printed,
        }
    }
}

/// A job that is looked for in the queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FoundJob {
    /// The queue has the job, with this id.
    Queued(String),
    /// The queue does not have the job.
    Nothing,
    /// The scheduler cannot look for jobs by their script.
    Unknown,
}

/// The output of a program in one text, the errors first.
fn printed(answer: &Answer) -> String {
    let text = format!("{}\n{}", answer.stderr.trim(), answer.stdout.trim());
    text.trim().to_owned()
}

/// Words of programs that could not reach their scheduler, in lower case.
const UNREACHABLE: [&str; 7] = [
    "unable to contact",
    "unable to send",
    "unable to connect",
    "cannot connect",
    "cannot contact",
    "connection refused",
    "lsf is down",
];

/// Words of programs whose scheduler did not answer after they had reached it, in lower case.
const LOST: [&str; 5] = [
    "timed out",
    "time out",
    "connection reset",
    "zero bytes were transmitted",
    "failed receiving gdi request",
];

/// Whether a program failed because it could not reach the scheduler.
fn is_unreachable(answer: &Answer) -> bool {
    let printed = printed(answer).to_lowercase();
    !answer.ok && UNREACHABLE.iter().any(|words| printed.contains(words))
}

/// Whether a program failed because the answer of the scheduler did not arrive.
fn is_lost(answer: &Answer) -> bool {
    let printed = printed(answer).to_lowercase();
    !answer.ok && (answer.timed_out || LOST.iter().any(|words| printed.contains(words)))
}
