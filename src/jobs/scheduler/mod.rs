//! The schedulers, behind one trait.
//!
//! ```text
//! [command]   runs the programs of a scheduler; tests replace this part
//! [contract]  the trait: submit, tasks, limits, check
//!    ├─ [slurm] ├─ [sge] ├─ [pbs] ├─ [lsf] └─ [local]
//! [task]      the state of each task, in terms that all schedulers share
//! ```
//!
//! A job is a script ([`Scheduler::render`]) that can be submitted by hand. The jobs for which it
//! waits are given when it is submitted. Every scheduler is asked for the weakest condition: the
//! job starts when the others have ended, however they ended. Files then say whether those did
//! their work.

mod clock;
pub(crate) mod command;
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

pub(crate) use command::{Commands, System};
pub(crate) use contract::{FoundJob, Limits, Scheduler, StartCondition};
pub(crate) use error::SchedulerError;
pub(crate) use local::Local;
pub(crate) use lsf::Lsf;
pub(crate) use pbs::Pbs;
pub(crate) use sge::Sge;
pub(crate) use slurm::Slurm;
pub use task::End;
pub(crate) use task::{JobQuery, TaskRecord, TaskState};

/// Returns the scheduler of a kind.
pub fn scheduler(kind: SchedulerKind) -> Box<dyn Scheduler> {
    match kind {
        SchedulerKind::Local => Box::new(Local::default()),
        SchedulerKind::Slurm => Box::new(Slurm),
        SchedulerKind::Sge => Box::new(Sge),
        SchedulerKind::Pbs => Box::new(Pbs),
        SchedulerKind::Lsf => Box::new(Lsf),
    }
}

/// The words of the table of states of a scheduler; for Grid Engine, the letters of each row.
#[cfg(test)]
pub(super) fn state_words(kind: SchedulerKind) -> Vec<&'static str> {
    let words = |table: &task::StateTable| table.iter().map(|(word, _)| *word).collect();
    match kind {
        SchedulerKind::Local => Vec::new(),
        SchedulerKind::Slurm => words(slurm::STATES),
        SchedulerKind::Sge => sge::STATES.iter().map(|row| row.letters).collect(),
        SchedulerKind::Pbs => words(pbs::STATES),
        SchedulerKind::Lsf => words(lsf::STATES),
    }
}
