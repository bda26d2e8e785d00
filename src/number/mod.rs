//! The numbers of groups and of tasks, and lists of them.
//!
//! Each has a type of its own. Numbers count from 1 and are checked when they are made, so
//! that a number that does not fit is an error. Files hold them as plain numbers.

mod list;
mod typed;

pub use list::{ArrayShare, ListError, NumberList, ranges};
pub use typed::{GroupNumber, Number, NumberError, TaskNumber};
