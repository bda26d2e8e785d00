//! [`Interrupt`]: whether a signal has asked the work to stop.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use signal_hook::consts::{SIGINT, SIGTERM, SIGUSR1, SIGUSR2, SIGXCPU};

/// The handled signals, with their names.
///
/// SLURM sends SIGTERM at the time limit and on preemption, and before that the signal that
/// `--signal` names. Grid Engine sends SIGUSR1 at `s_rt` and SIGXCPU at `s_cpu`; with `-notify`
/// also SIGUSR1 before a stop and SIGUSR2 before a kill. Ctrl-C sends SIGINT.
pub(super) const SIGNALS: [(i32, &str); 5] = [
    (SIGTERM, "SIGTERM"),
    (SIGUSR1, "SIGUSR1"),
    (SIGUSR2, "SIGUSR2"),
    (SIGXCPU, "SIGXCPU"),
    (SIGINT, "SIGINT"),
];

/// Whether the work should stop. Clones share the state.
#[derive(Debug, Clone, Default)]
pub(crate) struct Interrupt {
    /// Number of the signal that came, 0 for none.
    signal: Arc<AtomicUsize>,
}

impl Interrupt {
    /// An interrupt that no signal sets.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Where a handler stores the signal's number.
    pub(super) fn cell(&self) -> &Arc<AtomicUsize> {
        &self.signal
    }

    /// Name of the signal that asked to stop; `None` if none came.
    pub(crate) fn requested(&self) -> Option<&'static str> {
        let number = self.signal.load(Ordering::Relaxed);
        if number == 0 {
            return None;
        }
        let known = SIGNALS.iter().find(|(signal, _)| usize::try_from(*signal) == Ok(number));
        Some(known.map_or("a signal", |(_, name)| name))
    }

    /// Number of the signal that asked to stop, 0 if none came.
    pub(super) fn number(&self) -> i32 {
        i32::try_from(self.signal.load(Ordering::Relaxed)).unwrap_or(0)
    }

    /// Asks the work to stop, like a SIGTERM.
    #[cfg(test)]
    pub(crate) fn request(&self) {
        self.signal.store(SIGTERM.unsigned_abs() as usize, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_seen_by_every_clone() {
        let interrupt = Interrupt::new();
        let other = interrupt.clone();
        assert_eq!(other.requested(), None);
        interrupt.request();
        assert_eq!(other.requested(), Some("SIGTERM"));
    }
}
