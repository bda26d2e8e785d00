//! Numbers groups as tasks, submits them as jobs, and finds out what is done and why the rest is
//! not.
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
//! The listing alone decides what is done: work whose file exists under its final name.
//! Schedulers and logs tell the state of the rest. The chain, `master retry`, `status`, the cost
//! and the report all use the same [`state::RunState`].

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
