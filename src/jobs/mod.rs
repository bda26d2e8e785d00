//! From patches to tasks: the look-up table and what has been done.

pub mod lookup;
pub mod status;
