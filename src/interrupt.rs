//! Signals that ask the program to stop: the scheduler's warning before the time limit or
//! before a preemption, and Ctrl-C.
//!
//! A handler only stores the signal's number. The work checks that number between batches,
//! saves its results and stops. While no [`SignalGuard`] is held, signals have their default effect.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use signal_hook::consts::{SIGINT, SIGTERM, SIGUSR1, SIGUSR2, SIGXCPU};
use signal_hook::flag;

/// The handled signals, with their names.
///
/// SLURM sends SIGTERM at the time limit and on preemption, and before that the signal that
/// `--signal` names. Grid Engine sends SIGUSR1 at `s_rt` and SIGXCPU at `s_cpu`; with `-notify`
/// also SIGUSR1 before a stop and SIGUSR2 before a kill. Ctrl-C sends SIGINT.
const SIGNALS: [(i32, &str); 5] = [
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

    /// Name of the signal that asked to stop; `None` if none came.
    pub(crate) fn requested(&self) -> Option<&'static str> {
        let number = self.signal.load(Ordering::Relaxed);
        if number == 0 {
            return None;
        }
        let known = SIGNALS.iter().find(|(signal, _)| usize::try_from(*signal) == Ok(number));
        Some(known.map_or("a signal", |(_, name)| name))
    }

    /// Asks the work to stop, like a SIGTERM.
    #[cfg(test)]
    pub(crate) fn request(&self) {
        self.signal.store(SIGTERM.unsigned_abs() as usize, Ordering::Relaxed);
    }
}

/// The handlers, which are registered once per process.
struct Handlers {
    interrupt: Interrupt,
    /// While set, signals have their default effect.
    default: Arc<AtomicBool>,
    /// Set by the first SIGINT, so that the second one ends the process.
    second: Arc<AtomicBool>,
    /// Number of [`SignalGuard`] values that are held.
    holders: Mutex<usize>,
}

/// While this value is held, signals stop the work in good order instead of ending the process.
///
/// A signal that has come stays requested until the process ends, so work that starts later
/// stops at once.
pub(crate) struct SignalGuard {
    interrupt: Interrupt,
    handlers: &'static Handlers,
}

impl SignalGuard {
    /// The state that the work checks between batches.
    pub(crate) fn interrupt(&self) -> &Interrupt {
        &self.interrupt
    }
}

impl Drop for SignalGuard {
    fn drop(&mut self) {
        let mut holders = lock(&self.handlers.holders);
        *holders -= 1;
        self.handlers.default.store(*holders == 0, Ordering::SeqCst);
    }
}

/// Handles signals until the returned value is dropped.
///
/// # Errors
/// [`io::Error`] if the system refuses a handler.
pub(crate) fn catch_signals() -> io::Result<SignalGuard> {
    static HANDLERS: OnceLock<Handlers> = OnceLock::new();
    static REGISTER: Mutex<()> = Mutex::new(());
    let guard = lock(&REGISTER);
    let handlers = match HANDLERS.get() {
        Some(handlers) => handlers,
        None => {
            let handlers = register()?;
            HANDLERS.get_or_init(|| handlers)
        }
    };
    drop(guard);
    let mut holders = lock(&handlers.holders);
    *holders += 1;
    handlers.default.store(false, Ordering::SeqCst);
    Ok(SignalGuard { interrupt: handlers.interrupt.clone(), handlers })
}

fn register() -> io::Result<Handlers> {
    let handlers = Handlers {
        interrupt: Interrupt::new(),
        default: Arc::new(AtomicBool::new(true)),
        second: Arc::new(AtomicBool::new(false)),
        holders: Mutex::new(0),
    };
    // The actions of a signal run in the order of their registration. The conditional default
    // comes before the action that sets its condition, so that only a second SIGINT ends the
    // process.
    for (signal, _) in SIGNALS {
        flag::register_conditional_default(signal, Arc::clone(&handlers.default))?;
        if signal == SIGINT {
            flag::register_conditional_default(signal, Arc::clone(&handlers.second))?;
            flag::register(signal, Arc::clone(&handlers.second))?;
        }
        let number = signal.unsigned_abs() as usize;
        flag::register_usize(signal, Arc::clone(&handlers.interrupt.signal), number)?;
    }
    Ok(handlers)
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
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

    #[test]
    fn signals_stay_handled_until_the_last_holder_is_dropped() {
        let (first, second) = (catch_signals().unwrap(), catch_signals().unwrap());
        drop(first);
        assert!(!second.handlers.default.load(Ordering::SeqCst));
    }
}
