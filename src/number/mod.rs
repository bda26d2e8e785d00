//! The numbers of groups and of tasks, lists of them, and counts for messages.
//!
//! Each has a type of its own. Numbers count from 1 and are checked when they are made, so
//! that a number that does not fit is an error. Files hold them as plain numbers.

mod count;
mod list;
mod typed;

pub(crate) use count::counted;
pub(crate) use list::{ArrayShare, ListError, NumberList, ranges};
pub use typed::GroupNumber;
pub use typed::NumberError;
pub(crate) use typed::{Number, TaskNumber};
