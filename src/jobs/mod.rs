//! From patches to tasks: the look-up table, what has been done, and array
//! jobs for what has not.
//!
//! ```text
//! files ─┐
//!        ├─[todo]─> missing ──[plan]──> arrays ──[chain]──> [script], [scheduler]
//! queue ─┘             ^                           └──> submitted.jsonl [submitted]
//!                      └── more memory, more time [retry], [grown]
//! ```

pub mod arrays;
pub mod chain;
pub mod cost;
pub mod cost_plot;
pub mod estimate;
pub mod grown;
pub mod lookup;
pub mod plan;
pub mod queue;
pub mod retry;
pub mod sched_query;
pub mod sched_state;
pub mod scheduler;
pub mod script;
pub mod status;
pub mod submitted;
pub mod todo;
pub mod view;
