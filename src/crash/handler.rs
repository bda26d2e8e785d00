//! Handlers of the signals that a crash raises.

use std::io;
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::OnceLock;

use libc::{c_int, c_void, siginfo_t};

use super::death::{Death, SIGNALS};
use super::{call, restart};

/// What the signals did before, in the order of [`SIGNALS`].
static BEFORE: OnceLock<Vec<libc::sigaction>> = OnceLock::new();

/// Handles the crashes of this process from now on, and ends calls that take too long.
///
/// # Errors
/// [`io::Error`] if the system refuses a handler.
pub(crate) fn handle_crashes() -> io::Result<()> {
    if BEFORE.get().is_some() {
        return Ok(());
    }
    let before = SIGNALS.map(disposition).into_iter().collect::<io::Result<Vec<_>>>()?;
    if BEFORE.set(before).is_err() {
        return Ok(());
    }
    // SAFETY: an all-zero sigaction is a valid one, with an empty mask.
    let mut action: libc::sigaction = unsafe { MaybeUninit::zeroed().assume_init() };
    let handler: extern "C" fn(c_int, *mut siginfo_t, *mut c_void) = on_crash;
    action.sa_sigaction = handler as *const () as usize;
    // A stack that overflows has no room for the handler; Rust's threads have another one.
    action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
    for signal in SIGNALS {
        // SAFETY: the handler calls only functions that are safe in a signal handler.
        if unsafe { libc::sigaction(signal, &raw const action, ptr::null_mut()) } != 0 {
            return Err(io::Error::last_os_error());
        }
    }
    call::watch_calls()
}

fn disposition(signal: c_int) -> io::Result<libc::sigaction> {
    let mut found = MaybeUninit::zeroed();
    // SAFETY: with a null pointer for the new action, only `found` is written.
    match unsafe { libc::sigaction(signal, ptr::null(), found.as_mut_ptr()) } {
        // SAFETY: the call has filled it.
        0 => Ok(unsafe { found.assume_init() }),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Starts the process anew if a slide is being read; otherwise does what the signal did before.
extern "C" fn on_crash(signal: c_int, info: *mut siginfo_t, _context: *mut c_void) {
    restart::restart(Death::by_signal(signal));
    // SAFETY: the system passes a valid pointer.
    let is_fault = unsafe { (*info).si_code } > 0;
    let before = SIGNALS.iter().position(|known| *known == signal);
    let before = before.and_then(|index| BEFORE.get()?.get(index));
    // SAFETY: sigaction, pthread_sigmask and raise are safe in a signal handler; `before` is an
    // action that the system has given.
    unsafe {
        if let Some(before) = before {
            libc::sigaction(signal, before, ptr::null_mut());
        } else {
            libc::signal(signal, libc::SIG_DFL);
        }
        // After a fault, the instruction is repeated and raises the signal again.
        if !is_fault {
            restart::unblock(signal);
            libc::raise(signal);
        }
    }
}
