//! Exit codes, and which error has which.

use std::fmt;
use std::process::ExitCode;

use crate::colour_template::TemplateError;
use crate::config::ConfigError;
use crate::import::ImportError;
use crate::jobs::chain::ChainError;
use crate::jobs::grown::GrownError;
use crate::jobs::lookup::LookupError;
use crate::jobs::status::StatusError;
use crate::model::{DenseError, EngineError, ModelError};
use crate::predict::PredictError;
use crate::run_dir::SlidesError;
use crate::staged::StageError;
use crate::stitch::StitchError;
use crate::synth::SynthError;
use crate::throughput::io::IoError;

/// How a command ended. Never 99, 100 or above 125: Grid Engine and shells
/// give those a meaning of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// All of it is done.
    Done,
    /// The command line makes no sense.
    Usage,
    /// The configuration or model does.
    Configuration,
    /// The input cannot be used, or the output not be written.
    Input,
    /// Part of it is done; the rest was listed.
    Partial,
}

impl Exit {
    /// The process's exit code.
    pub fn code(self) -> ExitCode {
        ExitCode::from(match self {
            Self::Done => 0,
            Self::Usage => 2,
            Self::Configuration => 3,
            Self::Input => 4,
            Self::Partial => 5,
        })
    }

    /// Of several pieces of work: all failed is an input error, some failed
    /// is partial.
    pub fn of(done: usize, failed: usize) -> Self {
        match (done, failed) {
            (_, 0) => Self::Done,
            (0, _) => Self::Input,
            _ => Self::Partial,
        }
    }

    /// The worse of two stages' ends.
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Done, exit) | (exit, Self::Done) => exit,
            (a, b) if a == b => a,
            _ => Self::Partial,
        }
    }
}

/// What stopped a command.
#[derive(Debug)]
pub struct Failure {
    exit: Exit,
    message: String,
}

impl Failure {
    /// A failure with its exit code.
    pub fn new(exit: Exit, message: impl fmt::Display) -> Self {
        Self { exit, message: message.to_string() }
    }

    /// Its exit code.
    pub fn exit(&self) -> Exit {
        self.exit
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        let exit = match error {
            ConfigError::Write(_) | ConfigError::RunIsFile { .. } => Exit::Input,
            _ => Exit::Configuration,
        };
        Self::new(exit, error)
    }
}

impl From<PredictError> for Failure {
    fn from(error: PredictError) -> Self {
        let exit = match error {
            PredictError::Format(_) | PredictError::Stage(_) => Exit::Input,
            _ => Exit::Configuration,
        };
        Self::new(exit, error)
    }
}

impl From<IoError> for Failure {
    fn from(error: IoError) -> Self {
        let exit = match error {
            IoError::Tiling { .. } => Exit::Usage,
            IoError::Interrupted { .. } => Exit::Partial,
            _ => Exit::Input,
        };
        Self::new(exit, error)
    }
}

impl From<LookupError> for Failure {
    fn from(error: LookupError) -> Self {
        let exit = match error {
            LookupError::Task { .. } | LookupError::Slide { .. } => Exit::Usage,
            LookupError::Table { .. } | LookupError::Write(_) => Exit::Input,
        };
        Self::new(exit, error)
    }
}

impl From<ChainError> for Failure {
    fn from(error: ChainError) -> Self {
        let exit = match error {
            ChainError::Check { .. } => Exit::Configuration,
            _ => Exit::Input,
        };
        Self::new(exit, error)
    }
}

/// Errors that always mean the same.
macro_rules! exit_of {
    ($($error:ty => $exit:ident),+ $(,)?) => {$(
        impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                Self::new(Exit::$exit, error)
            }
        }
    )+};
}

exit_of! {
    GrownError => Input,
    ImportError => Input,
    SlidesError => Input,
    StageError => Input,
    StatusError => Input,
    StitchError => Input,
    SynthError => Input,
    TemplateError => Input,
    DenseError => Configuration,
    ModelError => Configuration,
    EngineError => Configuration,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_is_partial_and_none_is_input() {
        assert_eq!(Exit::of(3, 0), Exit::Done);
        assert_eq!(Exit::of(0, 0), Exit::Done);
        assert_eq!(Exit::of(0, 2), Exit::Input);
        assert_eq!(Exit::of(1, 2), Exit::Partial);
        assert_eq!(Exit::Done.and(Exit::Input), Exit::Input);
        assert_eq!(Exit::Partial.and(Exit::Input), Exit::Partial);
    }
}
