//! The chain: submits what is missing, and the job that goes on from there.
//!
//! There is one operation, [`Chain::advance`]: from the state of the run, submit what
//! can be submitted now, and say what to wait for when more will follow. A master job is
//! the same operation, run again when that has ended.
//!
//! ```text
//! RunState ──[todo]──> steps in order [wave] ──[checks]──> jobs, scripts [scripts]
//!                                                              └─[advance]──> Scheduler, Journal
//! ```

mod advance;
mod checks;
mod context;
mod error;
mod scripts;
mod steps;
#[cfg(test)]
mod tests;
mod wave;

pub use advance::Advanced;
pub use checks::Refused;
pub use context::Chain;
pub use error::ChainError;
