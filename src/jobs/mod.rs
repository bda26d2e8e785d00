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

pub(crate) mod attempts;
pub(crate) mod chain;
pub(crate) mod cost;
pub(crate) mod cost_plot;
pub(crate) mod estimate;
pub(crate) mod fit;
pub(crate) mod forgotten;
pub(crate) mod kept_keys;
pub(crate) mod listing;
pub(crate) mod lookup;
pub(crate) mod outcome;
pub(crate) mod plan;
pub(crate) mod raised;
pub(crate) mod reason;
pub(crate) mod retry;
pub(crate) mod run_view;
pub(crate) mod scheduler;
pub(crate) mod script;
pub(crate) mod state;
pub(crate) mod state_error;
pub(crate) mod status;
pub(crate) mod submitted;
#[cfg(test)]
mod tests;
pub(crate) mod todo;
pub(crate) mod view;
pub(crate) mod work;
