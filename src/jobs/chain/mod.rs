//! The chain of jobs: submits what is missing, and a master job that continues later.
//!
//! There is one operation, [`Chain::advance`]. It submits what can be submitted now, by the state
//! of the run, and returns what to wait for if more will follow. A master job repeats the operation
//! when that has ended.
//!
//! ```text
//! RunState ──[todo]──> steps in order [wave] ──[checks]──> jobs, scripts [scripts]
//!                                                              └─[advance]──> Scheduler, Journal
//! ```

mod adopt;
mod advance;
mod checks;
mod context;
mod error;
#[cfg(test)]
mod fake;
#[cfg(test)]
mod fit_tests;
mod scripts;
mod steps;
#[cfg(test)]
mod tests;
mod wave;

pub(crate) use adopt::adopt_pending;
pub(crate) use advance::Advanced;
pub(crate) use checks::Refused;
pub(crate) use context::{Chain, Effect};
pub(crate) use error::ChainError;
