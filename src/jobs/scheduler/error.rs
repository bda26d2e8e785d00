//! Why a scheduler cannot be used.

use thiserror::Error;

/// Why a scheduler cannot be used.
#[derive(Debug, Error)]
pub enum SchedulerError {
    /// A program cannot be started.
    #[error(
        "{program}: cannot run it: {source}; is {scheduler} installed here, and its folder on PATH?"
    )]
    Start {
        /// The program.
        program: String,
        /// The scheduler it belongs to.
        scheduler: &'static str,
        /// Why the system did not start it.
        source: std::io::Error,
    },
    /// A program failed.
    #[error("{call} ended with {status}: {printed}")]
    Refused {
        /// The command line.
        call: String,
        /// Exit code or signal.
        status: String,
        /// What it printed.
        printed: String,
        /// Whether a limit on submitted jobs is the reason.
        full: bool,
    },
    /// A program printed something unexpected.
    #[error("{call} said {printed:?}, expected {expected}")]
    Answer {
        /// The command line.
        call: String,
        /// What it printed, or the start of it.
        printed: String,
        /// What was expected.
        expected: &'static str,
    },
}

impl SchedulerError {
    /// Of a program whose answer makes no sense.
    pub(super) fn answer(call: &str, printed: &str, expected: &'static str) -> Self {
        let printed = printed.chars().take(200).collect();
        Self::Answer { call: call.to_owned(), printed, expected }
    }

    /// The program, and in a few words what is wrong with it.
    pub fn in_short(&self) -> String {
        let program = |call: &str| call.split(' ').next().unwrap_or_default().to_owned();
        match self {
            Self::Start { program, source, .. } => format!("cannot run {program} ({source})"),
            Self::Refused { call, printed, .. } => {
                let last = printed.lines().last().unwrap_or_default();
                format!("{} does not answer ({last})", program(call))
            }
            Self::Answer { call, printed, expected } => {
                format!("{} said {printed:?}, expected {expected}", program(call))
            }
        }
    }
}
