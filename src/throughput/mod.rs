//! Measurements on the machine at hand that end in a setting to use.
//!
//! [`infer`] runs in a process of its own for each measurement, so that memory
//! is that of one setting and an engine that dies takes nothing with it;
//! [`rounds`] starts those processes in turns. [`io`] stores and reads patches on
//! the file system it is pointed at, [`io_rounds`] setting after setting.

pub mod infer;
pub mod io;
pub mod io_rounds;
mod median_range;
pub mod page_cache;
pub mod rounds;

pub use median_range::MedianRange;
