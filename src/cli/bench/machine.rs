//! What a measurement says of its machine.

use serde::Serialize;

use crate::process;
use crate::progress::Progress;
use crate::threads::worker_count;

/// The machine that something was measured on.
#[derive(Debug, Serialize)]
pub(super) struct Machine {
    pub(super) host: String,
    pub(super) processor: String,
    /// Processors that this process may use.
    pub(super) offered: usize,
    /// Processes that wanted a processor in the minute before.
    pub(super) load: Option<f64>,
}

impl Machine {
    pub(super) fn here() -> Self {
        Self {
            host: process::host(),
            processor: process::processor(),
            offered: worker_count(None).count,
            load: process::load(),
        }
    }

    /// Says so when others are at work here.
    pub(super) fn warn(&self, progress: &Progress) {
        if let Some(load) = self.load.filter(|load| *load > 0.5 * self.offered as f64) {
            let offered = self.offered;
            progress.warn(&format!(
                "warning: the machine is busy (load {load:.1}, {offered} processors offered): trust ratios, not rates, and repeat it when it is quiet"
            ));
        }
    }
}
