//! Deaths of the process inside a library that reads a slide, and calls of such a library that do
//! not return.
//!
//! A damaged slide can make a C library abort the process, crash it, or never return. No error can
//! be handled then, but one slide's failure must not be that of all others. While a slide is read,
//! a [`Watch`] holds what the process needs to leave a note and to start again: the handler of a
//! deadly signal appends [`Death::note`] to a marker file, or to an environment variable if there
//! is none, and replaces the process by a new one with the same arguments and the same process
//! number. The new process finds the note and treats that slide accordingly. A process that is
//! killed from outside (SIGKILL, SIGTERM, a reboot) leaves no note.
//!
//! Handlers are installed by the commands ([`handle_crashes`]), so programs that use the library
//! are not affected.

mod call;
mod death;
mod handler;
mod limit;
mod restart;

pub(crate) use call::LibraryCall;
pub(crate) use death::Death;
pub(crate) use handler::handle_crashes;
pub(crate) use limit::VARIABLE as LIMIT_VARIABLE;
pub(crate) use restart::{Watch, death_of};
