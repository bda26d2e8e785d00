//! [`LibraryCall`]: a call of a library that must not take for ever.

use std::collections::HashMap;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::death::Death;
use super::limit::limit;
use super::restart;

/// A call that is running.
struct Running {
    since: Instant,
    /// The clock of the calling thread's computing time, and what it showed.
    computing: Option<(libc::clockid_t, Duration)>,
}

/// A call of a library, from its start until this value is dropped.
#[derive(Debug)]
pub(crate) struct LibraryCall {
    number: u64,
}

/// The number of the next call, and the calls that are running.
static CALLS: Mutex<Option<(u64, HashMap<u64, Running>)>> = Mutex::new(None);

fn calls() -> MutexGuard<'static, Option<(u64, HashMap<u64, Running>)>> {
    CALLS.lock().unwrap_or_else(PoisonError::into_inner)
}

impl LibraryCall {
    /// The calling thread calls a library now.
    pub(crate) fn start() -> Self {
        let running = Running::start();
        let mut calls = calls();
        let (next, found) = calls.get_or_insert_default();
        let number = *next;
        *next += 1;
        found.insert(number, running);
        Self { number }
    }
}

impl Drop for LibraryCall {
    fn drop(&mut self) {
        if let Some((_, running)) = calls().as_mut() {
            running.remove(&self.number);
        }
    }
}

/// Starts the thread that ends calls which take longer than [`limit`], and the process with them.
pub(super) fn watch_calls() -> io::Result<()> {
    let watch = || {
        loop {
            thread::sleep((limit() / 4).min(Duration::from_secs(5)));
            if let Some(death) = overdue(limit()) {
                restart::restart(death);
            }
        }
    };
    thread::Builder::new().name("read limit".to_owned()).spawn(watch).map(drop)
}

/// What the oldest call does, if it takes longer than `limit`.
fn overdue(limit: Duration) -> Option<Death> {
    let calls = calls();
    let (_, running) = calls.as_ref()?;
    running.values().min_by_key(|call| call.since)?.overdue(limit)
}

impl Running {
    fn start() -> Self {
        Self { since: Instant::now(), computing: computing_of_this_thread() }
    }

    fn overdue(&self, limit: Duration) -> Option<Death> {
        let taken = self.since.elapsed();
        if taken <= limit {
            return None;
        }
        let (clock, before) = self.computing.unzip();
        let now = clock.and_then(time_of);
        let computed = now.zip(before).and_then(|(now, before)| now.checked_sub(before));
        // On a machine with too many processes, a thread that computes has a small share.
        let is_busy = computed.is_some_and(|computed| 10 * computed > taken);
        Some(if is_busy { Death::Busy } else { Death::Waiting })
    }
}

#[cfg(target_os = "linux")]
fn computing_of_this_thread() -> Option<(libc::clockid_t, Duration)> {
    let mut clock = 0;
    // SAFETY: the thread is this one, and `clock` is valid for one write.
    let found = unsafe { libc::pthread_getcpuclockid(libc::pthread_self(), &raw mut clock) };
    if found != 0 {
        return None;
    }
    Some((clock, time_of(clock)?))
}

#[cfg(not(target_os = "linux"))]
fn computing_of_this_thread() -> Option<(libc::clockid_t, Duration)> {
    None
}

/// What a clock shows; `None` for that of a thread that has ended.
fn time_of(clock: libc::clockid_t) -> Option<Duration> {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is valid for one write.
    if unsafe { libc::clock_gettime(clock, &raw mut time) } != 0 {
        return None;
    }
    Some(Duration::new(time.tv_sec.try_into().ok()?, time.tv_nsec.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_that_computes_is_told_from_one_that_waits() {
        let limit = Duration::from_millis(300);
        let computing = Running::start();
        while computing.since.elapsed() <= limit {
            std::hint::black_box(limit);
        }
        assert_eq!(computing.overdue(Duration::from_secs(3600)), None);
        // On a machine that is busy with other things, less of the time is spent computing.
        if cfg!(target_os = "linux") && computing.overdue(limit) != Some(Death::Busy) {
            let (clock, before) = computing.computing.unwrap();
            assert!(10 * (time_of(clock).unwrap() - before) <= computing.since.elapsed());
        }
        let waiting = Running::start();
        thread::sleep(2 * limit);
        assert_eq!(waiting.overdue(limit), Some(Death::Waiting));
    }
}
