//! Signals that ask the program to stop: the scheduler's warning before the time limit or
//! before a preemption, and Ctrl-C.
//!
//! A handler only stores the signal's number. The work checks that number between batches,
//! saves its results and stops. While no [`SignalGuard`] is held, signals have their default effect.
//!
//! A step that takes longer than the time left, such as one run of a slow network or one call of
//! a library, is not waited for: [`overdue`] ends the process.

mod overdue;
mod request;

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use signal_hook::consts::SIGINT;
use signal_hook::flag;

pub(crate) use overdue::{on_end, with_last_save};
pub(crate) use request::Interrupt;
use request::SIGNALS;

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
    // process at once.
    for (signal, _) in SIGNALS {
        flag::register_conditional_default(signal, Arc::clone(&handlers.default))?;
        if signal == SIGINT {
            flag::register_conditional_default(signal, Arc::clone(&handlers.second))?;
            flag::register(signal, Arc::clone(&handlers.second))?;
        }
        let number = signal.unsigned_abs() as usize;
        flag::register_usize(signal, Arc::clone(handlers.interrupt.cell()), number)?;
    }
    overdue::watch(&handlers.interrupt, &SIGNALS.map(|(signal, _)| signal))?;
    Ok(handlers)
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_stay_handled_until_the_last_holder_is_dropped() {
        let (first, second) = (catch_signals().unwrap(), catch_signals().unwrap());
        drop(first);
        assert!(!second.handlers.default.load(Ordering::SeqCst));
    }
}
