//! Runs a program, counts its system calls and makes one of them fail, as a full or broken disk
//! does. Only for Linux on x86-64, by ptrace.

use std::collections::{BTreeMap, HashMap};
use std::ffi::c_long;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The fault of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The call is not made, and returns this error.
    Error(i32),
    /// Half of the bytes are written.
    Short,
    /// The call is not made, but returns success.
    Lost,
}

/// A kind of calls, all of them on files below a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// write, pwrite64, writev, pwritev.
    Write,
    /// fsync, fdatasync, sync_file_range, syncfs.
    Sync,
    /// rename, renameat, renameat2.
    Rename,
    /// truncate, ftruncate, fallocate.
    Size,
    /// Making a file or a folder.
    Make,
    /// close of a file opened for writing.
    Close,
    /// read, pread64, readv.
    Read,
    /// stat, access and their kin, by name.
    Look,
    /// Opening a file for reading, or a folder.
    Open,
    /// getdents64, which lists a folder.
    List,
}

/// How a program ended, and the calls that it made.
pub(crate) struct Traced {
    /// Exit code; `None` when a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) calls: BTreeMap<Kind, usize>,
}

/// Runs `command` to its end; the `number`th call (from 1, over all threads) of `kind`
/// on a file below `folder` has the fault.
///
/// # Errors
/// When it cannot be started or traced.
pub(crate) fn run(
    command: &mut Command,
    folder: &Path,
    fault: Option<(Kind, usize, Fault)>,
) -> io::Result<Traced> {
    let traceme = || match request(libc::PTRACE_TRACEME, 0, 0, 0) {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    };
    // SAFETY: it makes one system call, and allocates only when that fails.
    let child = unsafe { command.pre_exec(traceme) }.spawn()?;
    let main = i32::try_from(child.id()).expect("a process id");
    wait(main)?;
    let options = libc::PTRACE_O_TRACESYSGOOD
        | libc::PTRACE_O_TRACECLONE
        | libc::PTRACE_O_TRACEFORK
        | libc::PTRACE_O_TRACEVFORK
        | libc::PTRACE_O_EXITKILL;
    check(request(libc::PTRACE_SETOPTIONS, main, 0, options.into()))?;
    check(request(libc::PTRACE_SYSCALL, main, 0, 0))?;
    let mut tracer = Tracer { folder, fault, calls: BTreeMap::new(), answers: HashMap::new() };
    loop {
        let (thread, status) = wait(-1)?;
        if libc::WIFEXITED(status) || libc::WIFSIGNALED(status) {
            if thread == main {
                let code = libc::WIFEXITED(status).then(|| libc::WEXITSTATUS(status));
                return Ok(Traced { code, calls: tracer.calls });
            }
            continue;
        }
        let signal = match libc::WSTOPSIG(status) {
            stop if stop == libc::SIGTRAP | 0x80 => {
                tracer.call(thread);
                0
            }
            // Of ptrace itself: a new thread, and how that begins.
            libc::SIGTRAP | libc::SIGSTOP => 0,
            signal => signal,
        };
        // A thread that has just been killed cannot go on.
        request(libc::PTRACE_SYSCALL, thread, 0, signal.into());
    }
}

struct Tracer<'f> {
    folder: &'f Path,
    fault: Option<(Kind, usize, Fault)>,
    calls: BTreeMap<Kind, usize>,
    /// By thread: what the call that it is in is to return.
    answers: HashMap<i32, i64>,
}

impl Tracer<'_> {
    /// At the beginning or the end of a call.
    fn call(&mut self, thread: i32) {
        // SAFETY: plain numbers, for which zeros are valid.
        let mut registers: libc::user_regs_struct = unsafe { std::mem::zeroed() };
        if request(libc::PTRACE_GETREGS, thread, 0, (&raw mut registers) as c_long) == -1 {
            return;
        }
        // At its beginning the kernel says that a call does not exist; so it does at the
        // end of one that was not made, which has an answer.
        let begins = registers.rax.cast_signed() == -i64::from(libc::ENOSYS);
        if !begins || self.answers.contains_key(&thread) {
            if let Some(answer) = self.answers.remove(&thread) {
                registers.rax = answer.cast_unsigned();
                request(libc::PTRACE_SETREGS, thread, 0, (&raw mut registers) as c_long);
            }
            return;
        }
        let Some(kind) = self.kind(thread, &registers) else { return };
        let number = self.calls.entry(kind).or_default();
        *number += 1;
        let Some((_, _, fault)) = self.fault.filter(|of| (of.0, of.1) == (kind, *number)) else {
            return;
        };
        match fault {
            Fault::Short => registers.rdx = (registers.rdx / 2).max(1),
            Fault::Error(_) | Fault::Lost => registers.orig_rax = u64::MAX,
        }
        match fault {
            Fault::Short => {}
            Fault::Error(number) => drop(self.answers.insert(thread, -i64::from(number))),
            Fault::Lost => {
                let writes = kind == Kind::Write;
                let answer = if writes { registers.rdx.cast_signed() } else { 0 };
                self.answers.insert(thread, answer);
            }
        }
        request(libc::PTRACE_SETREGS, thread, 0, (&raw mut registers) as c_long);
    }

    fn kind(&self, thread: i32, registers: &libc::user_regs_struct) -> Option<Kind> {
        let call = registers.orig_rax.cast_signed();
        let kind = match call {
            libc::SYS_write | libc::SYS_pwrite64 | libc::SYS_writev | libc::SYS_pwritev => {
                Kind::Write
            }
            libc::SYS_fsync
            | libc::SYS_fdatasync
            | libc::SYS_sync_file_range
            | libc::SYS_syncfs => Kind::Sync,
            libc::SYS_rename | libc::SYS_renameat | libc::SYS_renameat2 => Kind::Rename,
            libc::SYS_ftruncate | libc::SYS_fallocate => Kind::Size,
            libc::SYS_mkdir | libc::SYS_mkdirat => Kind::Make,
            libc::SYS_openat if registers.rdx & CREATES != 0 => Kind::Make,
            libc::SYS_open if registers.rsi & CREATES != 0 => Kind::Make,
            libc::SYS_close => Kind::Close,
            libc::SYS_read | libc::SYS_pread64 | libc::SYS_readv => Kind::Read,
            libc::SYS_statx
            | libc::SYS_newfstatat
            | libc::SYS_faccessat
            | libc::SYS_faccessat2
            | libc::SYS_stat
            | libc::SYS_lstat
            | libc::SYS_access => Kind::Look,
            libc::SYS_openat | libc::SYS_open => Kind::Open,
            libc::SYS_getdents64 => Kind::List,
            _ => return None,
        };
        let proc = PathBuf::from(format!("/proc/{thread}"));
        let opened = || std::fs::read_link(proc.join(format!("fd/{}", registers.rdi))).ok();
        let within = match kind {
            Kind::Rename | Kind::Make | Kind::Look | Kind::Open => {
                let at_end = [
                    libc::SYS_rename,
                    libc::SYS_mkdir,
                    libc::SYS_open,
                    libc::SYS_stat,
                    libc::SYS_lstat,
                    libc::SYS_access,
                ]
                .contains(&call);
                let path = text(&proc, if at_end { registers.rdi } else { registers.rsi })?;
                // Relative to the working folder, which is the one above. Without a name the
                // call is about an open file.
                let is_relative = path.is_relative() && !path.as_os_str().is_empty();
                path.starts_with(self.folder) || is_relative
            }
            Kind::Close => {
                let flags = std::fs::read_to_string(proc.join(format!("fdinfo/{}", registers.rdi)));
                let flags = flags.ok()?;
                let flags = flags.lines().find_map(|line| line.strip_prefix("flags:"))?;
                let mode = u32::from_str_radix(flags.trim(), 8).ok()? & 3;
                mode != 0 && opened()?.starts_with(self.folder)
            }
            _ => opened()?.starts_with(self.folder),
        };
        within.then_some(kind)
    }
}

/// Flag of open that makes files.
const CREATES: u64 = libc::O_CREAT as u64;

/// A NUL-terminated text at `address` of a process.
fn text(proc: &Path, address: u64) -> Option<PathBuf> {
    use std::os::unix::ffi::OsStringExt;
    use std::os::unix::fs::FileExt;
    let memory = std::fs::File::open(proc.join("mem")).ok()?;
    let mut bytes = vec![0; 4096];
    let read = memory.read_at(&mut bytes, address).ok()?;
    let end = bytes[..read].iter().position(|&byte| byte == 0)?;
    bytes.truncate(end);
    Some(std::ffi::OsString::from_vec(bytes).into())
}

fn request(what: u32, thread: i32, address: c_long, data: c_long) -> c_long {
    // SAFETY: the requests made here read numbers from, or write one registers struct
    // to, live memory that `data` points to; errors are returned.
    unsafe { libc::ptrace(what, thread, address, data) }
}

fn check(answer: c_long) -> io::Result<()> {
    if answer == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Waits for a child of this very thread; other tests have children of their own.
fn wait(process: i32) -> io::Result<(i32, i32)> {
    let mut status = 0;
    // SAFETY: the pointer is to a live variable.
    let thread =
        unsafe { libc::waitpid(process, &raw mut status, libc::__WALL | libc::__WNOTHREAD) };
    if thread == -1 { Err(io::Error::last_os_error()) } else { Ok((thread, status)) }
}
