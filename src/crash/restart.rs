//! [`Watch`]: what a process needs to start again without the slide that it dies of.

use std::env;
use std::ffi::{CString, OsStr, c_char};
use std::fs::File;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering};

use libc::c_int;

use super::death::Death;

/// Environment variable with the deaths of this process before it started again: a note and a
/// path per death, each a line of its own.
const VARIABLE: &str = "SLIDEGRID_DIED_OF";

/// Longest value of [`VARIABLE`]; the system accepts 128 KiB. A process that has died of more
/// slides than fit does not start again.
const LONGEST: usize = 100_000;

/// Largest number of open files that are closed in the new process.
const OPEN_FILES: RawFd = 4096;

/// The plan of the slide that is being read; null if there is none, or more than one.
static CURRENT: AtomicPtr<Plan> = AtomicPtr::new(ptr::null_mut());

/// Whether a thread is replacing the process.
static RESTARTING: AtomicBool = AtomicBool::new(false);

/// Number of [`Watch`] values that are held.
static HELD: std::sync::Mutex<usize> = std::sync::Mutex::new(0);

/// How this process died before it started again, if it died while it read `path` under a watch
/// without a marker.
pub(crate) fn death_of(path: &Path) -> Option<Death> {
    let notes = env::var_os(VARIABLE)?.into_vec();
    let mut lines = notes.split(|byte| *byte == b'\n');
    while let (Some(note), Some(died_of)) = (lines.next(), lines.next()) {
        if Path::new(OsStr::from_bytes(died_of)) == path {
            return Death::of_note(&String::from_utf8_lossy(note));
        }
    }
    None
}

/// While this value is held, a crash of the process starts it again.
///
/// With two values at the same time, it would not be known of which slide the process died, and a
/// crash ends it as usual.
#[derive(Debug)]
pub(crate) struct Watch {
    plan: *mut Plan,
}

// SAFETY: the plan is not changed, and freed by the only owner.
unsafe impl Send for Watch {}

impl Watch {
    /// Watches over the reading of the slide at `path`. The note of a death goes to the end of
    /// `marker`; without one, the new process finds it with [`death_of`].
    pub(crate) fn start(path: &Path, marker: Option<File>) -> Self {
        let plan =
            Plan::new(path, marker).map_or(ptr::null_mut(), |plan| Box::into_raw(Box::new(plan)));
        let mut held = HELD.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        *held += 1;
        CURRENT.store(if *held == 1 { plan } else { ptr::null_mut() }, Ordering::SeqCst);
        Self { plan }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut held = HELD.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        *held -= 1;
        CURRENT.store(ptr::null_mut(), Ordering::SeqCst);
        drop(held);
        if !self.plan.is_null() && !RESTARTING.load(Ordering::SeqCst) {
            // SAFETY: the pointer is from Box::into_raw, nothing else refers to it any more.
            drop(unsafe { Box::from_raw(self.plan) });
        }
    }
}

/// All that a restart needs, made while the process is sound: a signal handler cannot allocate.
struct Plan {
    process: libc::pid_t,
    program: CString,
    arguments: Strings,
    /// The environment of the new process for each death, in the order of [`Death::ALL`]; one
    /// for all deaths if there is a marker.
    environments: Vec<Strings>,
    marker: Option<File>,
    /// The line on stderr.
    message: Vec<u8>,
}

/// Strings, and the null-terminated array of pointers to them.
struct Strings {
    pointers: Vec<*const c_char>,
    /// Holds what the pointers point to.
    _strings: Vec<CString>,
}

impl Strings {
    fn new(strings: Vec<CString>) -> Self {
        let ends = [ptr::null()];
        let pointers = strings.iter().map(|text| text.as_ptr()).chain(ends).collect();
        Self { pointers, _strings: strings }
    }
}

impl Plan {
    /// `None` if the process cannot start again.
    fn new(path: &Path, marker: Option<File>) -> Option<Self> {
        let program = CString::new(env::current_exe().ok()?.into_os_string().into_vec()).ok()?;
        let arguments = env::args_os().map(|text| CString::new(text.into_vec()).ok());
        let arguments = Strings::new(arguments.collect::<Option<_>>()?);
        let environments = match marker {
            Some(_) => vec![Strings::new(environment(None)?)],
            None => Death::ALL
                .iter()
                .map(|death| Some(Strings::new(environment(Some(notes_with(*death, path)?))?)))
                .collect::<Option<_>>()?,
        };
        let message = format!(
            "warning: {}: the program dies while it reads this slide; it starts again\n",
            path.display()
        );
        // SAFETY: getpid has no preconditions.
        let process = unsafe { libc::getpid() };
        let message = message.into_bytes();
        Some(Self { process, program, arguments, environments, marker, message })
    }

    /// Leaves the note and replaces the process. Returns if that cannot be done. Calls only
    /// functions that are safe in a signal handler.
    fn restart(&self, death: Death) {
        let note = death.note().as_bytes();
        let environment = match &self.marker {
            Some(marker) => {
                // Without a note, the new process would die of the same slide, and so on.
                if !write_all(marker.as_raw_fd(), note) {
                    return;
                }
                self.environments.first()
            }
            None => Death::ALL
                .iter()
                .position(|known| *known == death)
                .and_then(|index| self.environments.get(index)),
        };
        let Some(environment) = environment else { return };
        write_all(libc::STDERR_FILENO, &self.message);
        for file in 3..OPEN_FILES {
            // SAFETY: marks a file to be closed by execve; for a number without a file, this
            // fails without effect.
            unsafe { libc::fcntl(file, libc::F_SETFD, libc::FD_CLOEXEC) };
        }
        super::death::SIGNALS.into_iter().for_each(unblock);
        // SAFETY: all pointers are to null-terminated strings and arrays that `self` holds.
        unsafe {
            libc::execve(
                self.program.as_ptr(),
                self.arguments.pointers.as_ptr(),
                environment.pointers.as_ptr(),
            );
        }
    }
}

/// The notes of earlier deaths and this one; `None` if they are too long.
fn notes_with(death: Death, path: &Path) -> Option<Vec<u8>> {
    let mut notes = env::var_os(VARIABLE).unwrap_or_default().into_vec();
    notes.extend_from_slice(death.note().as_bytes());
    notes.extend_from_slice(path.as_os_str().as_bytes());
    notes.push(b'\n');
    (notes.len() <= LONGEST).then_some(notes)
}

/// The environment of this process, with the notes in place of earlier ones.
fn environment(notes: Option<Vec<u8>>) -> Option<Vec<CString>> {
    let kept = env::vars_os().filter(|(name, _)| notes.is_none() || name != VARIABLE);
    let pair = |name: &[u8], value: &[u8]| CString::new([name, b"=", value].concat()).ok();
    let mut found = kept
        .map(|(name, value)| pair(name.as_bytes(), value.as_bytes()))
        .collect::<Option<Vec<_>>>()?;
    if let Some(notes) = notes {
        found.push(pair(VARIABLE.as_bytes(), &notes)?);
    }
    Some(found)
}

/// Replaces this process because it dies of the slide that it reads. Returns if no slide is read,
/// or if the process cannot start again. Safe in a signal handler.
pub(super) fn restart(death: Death) {
    if RESTARTING.swap(true, Ordering::SeqCst) {
        // Another thread is at it. What this one does must not end the process before.
        // SAFETY: sleep is safe in a signal handler.
        unsafe { libc::sleep(10) };
        return;
    }
    let plan = CURRENT.load(Ordering::SeqCst);
    // SAFETY: a plan is freed only after it is no longer the current one, and not while the
    // process is being replaced.
    if let Some(plan) = unsafe { plan.as_ref() }
        // SAFETY: getpid has no preconditions. A child between fork and exec is not replaced.
        && unsafe { libc::getpid() } == plan.process
    {
        plan.restart(death);
    }
    RESTARTING.store(false, Ordering::SeqCst);
}

/// Writes all bytes; `false` if the system does not take them.
fn write_all(file: RawFd, mut bytes: &[u8]) -> bool {
    while !bytes.is_empty() {
        // SAFETY: the pointer and the length are those of a slice; write is safe in a handler.
        let written = unsafe { libc::write(file, bytes.as_ptr().cast(), bytes.len()) };
        match usize::try_from(written) {
            Ok(written) if written > 0 => bytes = &bytes[written..],
            _ => return false,
        }
    }
    true
}

/// Lets the signal reach this thread. A handler blocks its own signal.
pub(super) fn unblock(signal: c_int) {
    // SAFETY: the set is initialised by sigemptyset; all calls are safe in a signal handler.
    unsafe {
        let mut set = std::mem::MaybeUninit::zeroed();
        libc::sigemptyset(set.as_mut_ptr());
        libc::sigaddset(set.as_mut_ptr(), signal);
        libc::pthread_sigmask(libc::SIG_UNBLOCK, set.as_ptr(), ptr::null_mut());
    }
}
