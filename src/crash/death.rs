//! The ways in which a process dies inside a library, and the notes that it leaves.

use std::fmt;

use libc::{SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGSYS, SIGTRAP, c_int};

use super::limit::limit;

/// How a process died, or why it had to be replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Death {
    /// The library ended the process: SIGABRT, or SIGTRAP, which GLib raises.
    Abort,
    /// Memory was used that is not there: SIGSEGV or SIGBUS. A stack that overflows is one of them.
    Memory,
    /// Another deadly signal of the processor or the system.
    Fault,
    /// A call took longer than [`limit`] and was computing.
    Busy,
    /// A call took longer than [`limit`] and was waiting for data.
    Waiting,
}

/// The signals that a library's crash raises.
pub(super) const SIGNALS: [c_int; 7] = [SIGABRT, SIGTRAP, SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGSYS];

impl Death {
    pub(super) const ALL: [Self; 5] =
        [Self::Abort, Self::Memory, Self::Fault, Self::Busy, Self::Waiting];

    pub(super) fn by_signal(signal: c_int) -> Self {
        match signal {
            SIGABRT | SIGTRAP => Self::Abort,
            SIGSEGV | SIGBUS => Self::Memory,
            _ => Self::Fault,
        }
    }

    /// The line that a dying process leaves.
    pub(crate) fn note(self) -> &'static str {
        match self {
            Self::Abort => "died: abort\n",
            Self::Memory => "died: memory fault\n",
            Self::Fault => "died: fault\n",
            Self::Busy => "hung: busy\n",
            Self::Waiting => "hung: waiting\n",
        }
    }

    /// The death that a line states; `None` for other lines.
    pub(crate) fn of_note(line: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|death| death.note().trim_end() == line.trim_end())
    }
}

/// A clause for a message.
impl fmt::Display for Death {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let limit_s = limit().as_secs();
        match self {
            Self::Abort => f.write_str("a library ended the program (SIGABRT or SIGTRAP)"),
            Self::Memory => f.write_str("a library crashed (SIGSEGV or SIGBUS)"),
            Self::Fault => f.write_str("a library crashed (SIGILL, SIGFPE or SIGSYS)"),
            Self::Busy => {
                write!(f, "a library computed for more than {limit_s} s on one read")
            }
            Self::Waiting => write!(f, "one read waited for more than {limit_s} s for data"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_read_as_it_was_left() {
        for death in Death::ALL {
            assert_eq!(Death::of_note(death.note()), Some(death));
        }
        assert_eq!(Death::of_note("died"), None);
    }
}
