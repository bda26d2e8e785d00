//! The errors of schedulers.

use thiserror::Error;

/// Why a scheduler cannot be used.
#[derive(Debug, Error)]
pub enum SchedulerError {
    /// A program of the scheduler cannot be started.
    #[error(
        "{program}: cannot run the program: {source}; is {scheduler} installed here, and its folder on PATH?"
    )]
    Start {
        /// The program.
        program: String,
        /// The scheduler of the program.
        scheduler: &'static str,
        /// The system's error.
        source: std::io::Error,
    },
    /// A program of the scheduler failed.
    #[error("{call} ended with {status}: {printed}")]
    Refused {
        /// The command line.
        call: String,
        /// Exit code or signal.
        status: String,
        /// The output of the program.
        printed: String,
        /// Whether the reason is a limit on submitted jobs.
        full: bool,
    },
    /// The job may be in the queue or not: the answer to its submission was lost.
    #[error(
        "{call}: {problem}; the job may be in the queue, so look there before you submit it again"
    )]
    Lost {
        /// The command line.
        call: String,
        /// What happened to the answer.
        problem: String,
    },
    /// The output of a program is not as expected.
    #[error("{call} printed {printed:?}, expected {expected}")]
    Answer {
        /// The command line.
        call: String,
        /// The output of the program, or its start.
        printed: String,
        /// The expected output.
        expected: &'static str,
    },
}

impl SchedulerError {
    /// The error for output that is not as expected.
    pub(in crate::jobs) fn answer(call: &str, printed: &str, expected: &'static str) -> Self {
        let printed = printed.chars().take(200).collect();
        Self::Answer { call: call.to_owned(), printed, expected }
    }

    /// A short form of the message, for warnings.
    pub fn in_short(&self) -> String {
        let program = |call: &str| call.split(' ').next().unwrap_or_default().to_owned();
        match self {
            Self::Start { program, source, .. } => format!("cannot run {program} ({source})"),
            Self::Refused { call, printed, .. } => {
                let last = printed.lines().last().unwrap_or_default();
                format!("{} does not answer ({last})", program(call))
            }
            Self::Lost { call, problem } => format!("{}: {problem}", program(call)),
            Self::Answer { call, printed, expected } => {
                format!("{} printed {printed:?}, expected {expected}", program(call))
            }
        }
    }
}
