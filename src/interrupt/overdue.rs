//! Ends a process that still runs some seconds after a signal asked it to stop.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::low_level::pipe;

use super::request::Interrupt;

/// Exit code of a process that is ended here: partial.
const PARTIAL: i32 = 5;

/// How long the work has to stop by itself, and how long a last save may then take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Patience {
    stop: Duration,
    save: Duration,
}

impl Patience {
    /// Schedulers and people who send SIGTERM or SIGINT want the process to end now; the other
    /// signals are warnings, a minute or more ahead of the end.
    fn after(signal: i32) -> Self {
        let stop = if matches!(signal, SIGTERM | SIGINT) { 5 } else { 30 };
        Self { stop: Duration::from_secs(stop), save: Duration::from_secs(4) }
    }
}

/// A save that is made if the process has to be ended in the middle of its work.
type LastSave = &'static (dyn Fn() + Sync);

/// The saves of the work that is running. The lock is held while they run.
struct LastSaves(Mutex<Vec<LastSave>>);

static LAST_SAVES: LastSaves = LastSaves(Mutex::new(Vec::new()));

impl LastSaves {
    fn lock(&self) -> MutexGuard<'_, Vec<LastSave>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn during<T>(&self, save: &(dyn Fn() + Sync), work: impl FnOnce() -> T) -> T {
        /// Removes the save when the work returns or unwinds.
        struct Removal<'s>(&'s LastSaves, LastSave);
        impl Drop for Removal<'_> {
            fn drop(&mut self) {
                self.0.lock().retain(|save| !std::ptr::addr_eq(*save, self.1));
            }
        }
        // SAFETY: only the lifetime changes. The reference is removed before this function
        // returns or unwinds, under the lock that is held while the reference is used.
        let save = unsafe { std::mem::transmute::<&(dyn Fn() + Sync), LastSave>(save) };
        self.lock().push(save);
        let _removal = Removal(self, save);
        work()
    }

    fn run(&self) {
        for save in self.lock().iter() {
            save();
        }
    }
}

/// Prints the outcome of a process that is ended here.
static ON_END: OnceLock<fn()> = OnceLock::new();

/// Sets what is done right before a process is ended in the middle of its work.
pub(crate) fn on_end(print: fn()) {
    // A second call in one process would set the same function.
    let _ = ON_END.set(print);
}

/// Does `work`. If the process has to be ended meanwhile, `save` runs first, on another thread.
pub(crate) fn with_last_save<T>(save: &(dyn Fn() + Sync), work: impl FnOnce() -> T) -> T {
    LAST_SAVES.during(save, work)
}

/// Starts the thread that waits for one of `signals` and then ends the process.
pub(super) fn watch(interrupt: &Interrupt, signals: &[i32]) -> io::Result<()> {
    let (mut came, sender) = UnixStream::pair()?;
    for &signal in signals {
        pipe::register(signal, sender.try_clone()?)?;
    }
    let interrupt = interrupt.clone();
    let ends = move || {
        // The handlers keep the other end open for as long as the process lives.
        if came.read_exact(&mut [0]).is_ok() {
            end(&interrupt, &mut came);
        }
    };
    thread::Builder::new().name("signals".to_owned()).spawn(ends)?;
    Ok(())
}

/// Waits as long as the first signal allows, or a later one that is less patient; then ends the
/// process.
fn end(interrupt: &Interrupt, came: &mut UnixStream) {
    let mut patience = Patience::after(interrupt.number());
    let mut until = Instant::now() + patience.stop;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() || came.set_read_timeout(Some(left)).is_err() {
            break;
        }
        if came.read_exact(&mut [0]).is_ok() {
            let next = Patience::after(interrupt.number());
            until = until.min(Instant::now() + next.stop);
            patience = next;
        }
    }
    save_within(patience.save);
    let signal = interrupt.requested().unwrap_or("a signal");
    // A reader that is gone or stuck must not keep the process.
    let (done, printed) = mpsc::channel();
    thread::spawn(move || {
        let line = format!(
            "{signal}: ended in the middle of a step that takes long; what that step was making is not kept; run the same command again to go on"
        );
        // With eprintln, a log that cannot be written would be a panic.
        let _ = writeln!(io::stderr(), "{line}");
        if let Some(print) = ON_END.get() {
            print();
        }
        let _ = done.send(());
    });
    let _ = printed.recv_timeout(Duration::from_millis(500));
    // SAFETY: _exit ends the process without running anything of it. Files that were being
    // written have temporary names, and the next writer removes them.
    unsafe { libc::_exit(PARTIAL) }
}

fn save_within(limit: Duration) {
    let (done, saved) = mpsc::channel();
    thread::spawn(move || {
        LAST_SAVES.run();
        let _ = done.send(());
    });
    let _ = saved.recv_timeout(limit);
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn saves_are_made_while_their_work_runs_and_not_after() {
        let saves = LastSaves(Mutex::new(Vec::new()));
        let (outer, inner) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let count = |counter: &AtomicUsize| {
            counter.store(1 + counter.load(Ordering::SeqCst), Ordering::SeqCst)
        };
        saves.during(&|| count(&outer), || {
            saves.during(&|| count(&inner), || saves.run());
            saves.run();
        });
        saves.run();
        assert_eq!((outer.into_inner(), inner.into_inner()), (2, 1));
    }

    #[test]
    fn whoever_ends_a_job_waits_less_than_ten_seconds() {
        for signal in [SIGTERM, SIGINT] {
            let Patience { stop, save } = Patience::after(signal);
            assert!(stop + save < Duration::from_secs(10));
        }
    }
}
