//! From patches to tasks: the look-up table, what has been done, and array
//! jobs for what has not.
//!
//! ```text
//! files ─┐
//!        ├─[todo]─> missing ──[plan]──> arrays ──[chain]──> [script], [scheduler]
//! queue ─┘                                         └──> submitted.jsonl [submitted]
//! ```

pub mod chain;
pub mod lookup;
pub mod numbers;
pub mod plan;
pub mod scheduler;
pub mod script;
pub mod status;
pub mod submitted;
pub mod todo;
