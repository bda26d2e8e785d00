//! Measurements of a machine, from which `slidegrid bench` recommends settings.
//!
//! [`infer`] measures one setting in a process of its own, so that the memory is that of
//! one setting and an engine that crashes ends no other measurement. [`rounds`] starts
//! these processes, setting after setting. [`io`] writes and reads patches on a file
//! system in one setting, and [`io_rounds`] does so setting after setting.

pub(crate) mod infer;
pub(crate) mod io;
pub(crate) mod io_rounds;
mod median_range;
pub(crate) mod page_cache;
pub(crate) mod rounds;

pub(crate) use median_range::MedianRange;
