//! Schedulers: what differs between them, and nothing else.
//!
//! ```text
//! [command]   the one place that runs a scheduler's programs, and that tests replace
//! [contract]  the trait: submit, tasks, limits, check
//!    ├─ [slurm] ├─ [sge] ├─ [pbs] ├─ [lsf] └─ [local]
//! [task]      what they answer: the state of each task, in words they share
//! ```
//!
//! A job is a script ([`Scheduler::render`]) that can be submitted by hand; what the
//! job waits for is given when it is submitted. Of every scheduler the weakest
//! condition is asked: "when those have ended, however they ended". Whether they did
//! their work is then read from files.

mod clock;
mod command;
mod contract;
mod error;
mod local;
mod lsf;
mod pbs;
mod printed;
mod sge;
mod slurm;
mod task;
#[cfg(test)]
mod tests;

use crate::config::SchedulerKind;

pub use command::{Answer, Call, Commands, System};
pub use contract::{Hold, Limits, Scheduler};
pub use error::SchedulerError;
pub use local::Local;
pub use lsf::Lsf;
pub use pbs::Pbs;
pub use sge::Sge;
pub use slurm::Slurm;
pub use task::{End, JobQuery, TaskRecord, TaskState, Tasks};

/// The scheduler of that kind.
pub fn scheduler(kind: SchedulerKind) -> Box<dyn Scheduler> {
    match kind {
        SchedulerKind::Local => Box::new(Local::default()),
        SchedulerKind::Slurm => Box::new(Slurm),
        SchedulerKind::Sge => Box::new(Sge),
        SchedulerKind::Pbs => Box::new(Pbs),
        SchedulerKind::Lsf => Box::new(Lsf),
    }
}

/// The words, or for Grid Engine the letters, of the table of states of a scheduler.
#[cfg(test)]
pub(super) fn state_words(kind: SchedulerKind) -> Vec<&'static str> {
    let words = |table: &task::StateTable| table.iter().map(|(word, _)| *word).collect();
    match kind {
        SchedulerKind::Local => Vec::new(),
        SchedulerKind::Slurm => words(slurm::STATES),
        SchedulerKind::Sge => sge::LETTERS.split_inclusive(|_| true).collect(),
        SchedulerKind::Pbs => words(pbs::STATES),
        SchedulerKind::Lsf => words(lsf::STATES),
    }
}
