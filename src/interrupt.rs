//! Signals that ask for an end: the scheduler's warning ahead of the wall
//! time or of a preemption, and Ctrl-C.
//!
//! A handler only sets a number; the work looks at it between batches, saves
//! what it has and ends. Outside of such work ([`catch`] not held) signals do
//! what they always do.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use signal_hook::consts::{SIGINT, SIGTERM, SIGUSR1, SIGUSR2, SIGXCPU};
use signal_hook::flag;

/// Who sends what: SLURM SIGTERM at the time limit and on preemption, and
/// whatever `--signal` names ahead of it; Grid Engine SIGUSR1 at `s_rt` and,
/// with `-notify`, SIGUSR1 and SIGUSR2 before a stop and a kill, SIGXCPU at
/// `s_cpu`; a person SIGINT.
const SIGNALS: [(i32, &str); 5] = [
    (SIGTERM, "SIGTERM"),
    (SIGUSR1, "SIGUSR1"),
    (SIGUSR2, "SIGUSR2"),
    (SIGXCPU, "SIGXCPU"),
    (SIGINT, "SIGINT"),
];

/// Whether an end was asked for; clones share the answer.
#[derive(Debug, Clone, Default)]
pub struct Interrupt {
    /// The signal's number, 0 for none.
    signal: Arc<AtomicUsize>,
}

impl Interrupt {
    /// One that only [`Interrupt::request`] sets.
    pub fn new() -> Self {
        Self::default()
    }

    /// The signal that asked for an end, by name.
    pub fn requested(&self) -> Option<&'static str> {
        let number = self.signal.load(Ordering::Relaxed);
        if number == 0 {
            return None;
        }
        let known = SIGNALS.iter().find(|(signal, _)| usize::try_from(*signal) == Ok(number));
        Some(known.map_or("a signal", |(_, name)| name))
    }

    /// Asks for an end, as a SIGTERM does.
    pub fn request(&self) {
        self.signal.store(SIGTERM.unsigned_abs() as usize, Ordering::Relaxed);
    }
}

/// The handlers, registered once a process.
struct Handlers {
    interrupt: Interrupt,
    /// Set: signals do what they do by default.
    default: Arc<AtomicBool>,
    /// Set by a first SIGINT: the second one ends the process.
    second: Arc<AtomicBool>,
    /// How many pieces of work are looking.
    holders: Mutex<usize>,
}

/// While held, signals end work in good order instead of the process.
///
/// Once a signal has come it stays requested for the process's life: work
/// that starts later ends at once.
pub struct Caught {
    interrupt: Interrupt,
    handlers: &'static Handlers,
}

impl Caught {
    /// What the work looks at.
    pub fn interrupt(&self) -> &Interrupt {
        &self.interrupt
    }
}

impl Drop for Caught {
    fn drop(&mut self) {
        let mut holders = lock(&self.handlers.holders);
        *holders -= 1;
        self.handlers.default.store(*holders == 0, Ordering::SeqCst);
    }
}

/// Takes signals until the answer is dropped.
///
/// # Errors
/// When the system refuses a handler.
pub fn catch() -> io::Result<Caught> {
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
    Ok(Caught { interrupt: handlers.interrupt.clone(), handlers })
}

fn register() -> io::Result<Handlers> {
    let handlers = Handlers {
        interrupt: Interrupt::new(),
        default: Arc::new(AtomicBool::new(true)),
        second: Arc::new(AtomicBool::new(false)),
        holders: Mutex::new(0),
    };
    // Actions of one signal run in the order they were registered: the
    // conditional end comes before what makes its condition true.
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
    fn holders_are_counted() {
        let (first, second) = (catch().unwrap(), catch().unwrap());
        drop(first);
        assert!(!second.handlers.default.load(Ordering::SeqCst));
    }
}
