//! The description of the machine on which something was measured.

use serde::Serialize;

use crate::process;
use crate::progress::Progress;
use crate::threads::worker_count;

/// The machine that something was measured on.
#[derive(Debug, Serialize)]
pub(crate) struct Machine {
    /// Name of the machine.
    pub(crate) host: String,
    /// Model name of the processor.
    pub(crate) processor: String,
    /// Number of processors that this process may use.
    pub(crate) offered: usize,
    /// Load average of the last minute: the mean number of processes that wanted a processor.
    pub(crate) load: Option<f64>,
}

impl Machine {
    /// This machine, now.
    pub(crate) fn here() -> Self {
        Self {
            host: process::host(),
            processor: process::processor(),
            offered: worker_count(None).count,
            load: process::load(),
        }
    }

    /// Warns if other processes are busy on the machine.
    pub(crate) fn warn(&self, progress: &Progress) {
        if let Some(load) = self.load.filter(|load| *load > 0.5 * self.offered as f64) {
            let offered = self.offered;
            progress.warn(&format!(
                "warning: the machine is busy (load {load:.1}, {offered} processors offered): trust ratios, not rates, and repeat the measurement when the machine is idle"
            ));
        }
    }
}
