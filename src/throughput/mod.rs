//! Measurements of a machine, from which `slidegrid bench` recommends settings.
//!
//! [`infer`] measures one setting in a process of its own, so that the memory is that of
//! one setting and an engine that crashes ends no other measurement. [`rounds`] starts
//! these processes, setting after setting, and [`infer_bench`] chooses the settings. [`io`]
//! writes and reads patches on a file system in one setting, [`io_rounds`] does so setting
//! after setting, and [`io_bench`] makes the whole measurement and its report.

pub(crate) mod infer;
pub(crate) mod infer_bench;
pub(crate) mod io;
pub(crate) mod io_bench;
pub(crate) mod io_rounds;
pub(crate) mod machine;
mod median_range;
mod page_cache;
pub(crate) mod rounds;

pub(crate) use median_range::MedianRange;
