//! From patches to tasks, to the jobs of a scheduler, and back to what is done and why the
//! rest is not.
//!
//! ```text
//!               lookup.csv [lookup]: task ──> slide, group
//!
//! folders of the run ──[listing]──> done, missing, damaged ──┐
//! submitted.jsonl [submitted] ──┐                            │
//!                               ├──[attempts]────────────────┴──> RunState [state]
//! [scheduler] tasks ────────────┘                                      │
//!                                    ┌──────────────┬──────────┬───────┴──────┐
//! logs [outcome] ──[reason]──> [retry], [raised]  [todo]   [view, status]   [cost]
//!                                    └─────> [plan] ┤
//!                                                [chain] ──> [script] ──> [scheduler] submit
//!                                                   └──────> submitted.jsonl
//! ```
//!
//! What is done is decided by the listing alone: a file that is there under its final name.
//! Schedulers and logs say what becomes of the rest. Everything that asks about a run (the
//! chain, `master retry`, `status`, the cost, the report) asks one [`state::RunState`].

pub mod attempts;
pub mod chain;
pub mod cost;
pub mod cost_plot;
pub mod estimate;
pub mod listing;
pub mod lookup;
pub mod outcome;
pub mod plan;
pub mod raised;
pub mod reason;
pub mod retry;
pub mod scheduler;
pub mod script;
pub mod state;
pub mod state_error;
pub mod status;
pub mod submitted;
#[cfg(test)]
mod tests;
pub mod todo;
pub mod view;
pub mod work;
