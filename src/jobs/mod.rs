//! From patches to tasks: the look-up table, what has been done, and what it
//! takes.

pub mod arrays;
pub mod cost;
pub mod cost_plot;
pub mod estimate;
pub mod lookup;
pub mod queue;
pub mod sched_query;
pub mod sched_state;
pub mod status;
pub mod view;
