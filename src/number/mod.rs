//! The numbers of groups and tasks, and lists of them.
//!
//! Both count from 1, are written as plain numbers wherever they are stored, and are
//! checked when they are made: a number that does not fit is an error.

mod list;
mod typed;

pub use list::{ArrayShare, ListError, NumberList, ranges};
pub use typed::{GroupNumber, Number, NumberError, TaskNumber};
