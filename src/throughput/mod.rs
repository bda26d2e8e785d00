//! Measurements of a machine, from which `slidegrid bench` recommends settings.
//!
//! [`infer`] measures one setting in a process of its own, so that the memory is that of
//! one setting and an engine that crashes ends no other measurement. [`rounds`] starts
//! these processes, setting after setting. [`io`] writes and reads patches on a file
//! system in one setting, and [`io_rounds`] does so setting after setting.

pub mod infer;
pub mod io;
pub mod io_rounds;
mod median_range;
pub mod page_cache;
pub mod rounds;

pub use median_range::MedianRange;
