//! Exit codes, and the exit code of each kind of error.

use std::fmt;
use std::process::ExitCode;

use crate::colour_template::TemplateError;
use crate::config::ConfigError;
use crate::import::ImportError;
use crate::jobs::chain::ChainError;
use crate::jobs::kept_keys::KeptKeysError;
use crate::jobs::lookup::LookupError;
use crate::jobs::outcome::{OutcomeKind, Undone};
use crate::jobs::state_error::StateError;
use crate::jobs::submitted::SubmittedError;
use crate::model::{DenseError, EngineError, ModelError};
use crate::predict::PredictError;
use crate::resolve::ResolveError;
use crate::run_dir::SlidesError;
use crate::slide_inputs::InputsError;
use crate::staged::StageError;
use crate::stages::estimate::EstimateError;
use crate::stages::failure_kind::FailureKind;
use crate::stages::predict::PredictStageError;
use crate::stages::removal::RemovalError;
use crate::stages::rerun::RerunError;
use crate::stages::submit::SubmitError;
use crate::stages::{Completion, StageEnd, StagesError};
use crate::stitch::StitchError;
use crate::study::steps::StepError;
use crate::synth::SynthError;
use crate::throughput::io::IoError;

/// How a command ended. The exit codes 99, 100 and those above 125 are never used, because Grid
/// Engine and shells give them special meanings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Everything is done.
    Done,
    /// The program has a bug.
    Bug,
    /// The arguments are invalid.
    Usage,
    /// The configuration or the model is invalid.
    Configuration,
    /// The input cannot be used, or the output cannot be written.
    Input,
    /// A part is done; what is missing was listed.
    Partial,
}

impl Exit {
    /// The process's exit code.
    pub(crate) fn code(self) -> ExitCode {
        ExitCode::from(self.number())
    }

    /// The process's exit code as a number.
    pub(super) fn number(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Bug => 1,
            Self::Usage => 2,
            Self::Configuration => 3,
            Self::Input => 4,
            Self::Partial => 5,
        }
    }

    /// The kind of end that an exit code alone tells.
    fn kind(self) -> OutcomeKind {
        match self {
            Self::Done => OutcomeKind::Done,
            Self::Bug => OutcomeKind::Bug,
            Self::Usage => OutcomeKind::Usage,
            Self::Configuration => OutcomeKind::Configuration,
            Self::Input => OutcomeKind::Input,
            Self::Partial => OutcomeKind::Partial,
        }
    }

    /// The end of two stages together: if one is done, that of the other; if they ended in
    /// different ways, [`Exit::Partial`].
    pub(crate) fn worst(self, other: Self) -> Self {
        match (self, other) {
            (Self::Done, exit) | (exit, Self::Done) => exit,
            (a, b) if a == b => a,
            _ => Self::Partial,
        }
    }
}

impl From<OutcomeKind> for Exit {
    fn from(kind: OutcomeKind) -> Self {
        match kind {
            OutcomeKind::Done => Self::Done,
            OutcomeKind::Bug => Self::Bug,
            OutcomeKind::Usage => Self::Usage,
            OutcomeKind::Configuration | OutcomeKind::NoEngine => Self::Configuration,
            OutcomeKind::Input
            | OutcomeKind::Damaged
            | OutcomeKind::Memory
            | OutcomeKind::DiskFull => Self::Input,
            OutcomeKind::Partial | OutcomeKind::Interrupted => Self::Partial,
        }
    }
}

/// How a command ended that did not stop at a failure.
#[derive(Debug)]
pub(crate) struct CommandEnd {
    /// The kind of the end, which gives the exit code.
    pub(super) kind: OutcomeKind,
    /// The items that are not done, or only in part.
    pub(super) undone: Vec<Undone>,
}

impl From<Exit> for CommandEnd {
    fn from(exit: Exit) -> Self {
        Self { kind: exit.kind(), undone: Vec::new() }
    }
}

impl From<StageEnd> for CommandEnd {
    fn from(end: StageEnd) -> Self {
        Self { kind: end.kind(), undone: end.undone }
    }
}

/// The reason why a command stopped.
#[derive(Debug)]
pub(crate) struct Failure {
    kind: OutcomeKind,
    message: String,
}

impl Failure {
    /// A failure with its exit code.
    pub(crate) fn new(exit: Exit, message: impl fmt::Display) -> Self {
        Self { kind: exit.kind(), message: message.to_string() }
    }

    /// A failure that has a kind, with the exit code of that kind.
    fn from_kind(error: &(impl FailureKind + fmt::Display)) -> Self {
        Self { kind: error.kind(), message: error.to_string() }
    }

    /// The kind of the failure, which gives the exit code.
    pub(super) fn kind(&self) -> OutcomeKind {
        self.kind
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// A failure with the exit code of input errors.
pub(super) fn input(error: impl std::fmt::Display) -> Failure {
    Failure::new(Exit::Input, error)
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

impl From<ResolveError> for Failure {
    fn from(error: ResolveError) -> Self {
        match error {
            ResolveError::Config(error) => error.into(),
            error => Self::new(Exit::Configuration, error),
        }
    }
}

impl From<Completion> for Exit {
    fn from(completion: Completion) -> Self {
        match completion {
            Completion::Done => Self::Done,
            Completion::Partial => Self::Partial,
            Completion::Failed => Self::Input,
        }
    }
}

impl From<InputsError> for Failure {
    fn from(error: InputsError) -> Self {
        let exit = match error {
            InputsError::UnknownMpp { .. } => Exit::Usage,
            _ => Exit::Input,
        };
        Self::new(exit, error)
    }
}

impl From<StagesError> for Failure {
    fn from(error: StagesError) -> Self {
        match error {
            StagesError::Config(error) => error.into(),
            StagesError::Lookup(error) => error.into(),
            StagesError::NoSlides { .. }
            | StagesError::NoTask { .. }
            | StagesError::NoSlide { .. } => Self::new(Exit::Usage, error),
            StagesError::SlideMethod { .. } | StagesError::HasScores { .. } => {
                Self::new(Exit::Configuration, error)
            }
            error => Self::new(Exit::Input, error),
        }
    }
}

impl From<PredictStageError> for Failure {
    fn from(error: PredictStageError) -> Self {
        match error {
            PredictStageError::Config(error) => error.into(),
            PredictStageError::Stages(error) => error.into(),
            error => Self::from_kind(&error),
        }
    }
}

impl From<RerunError> for Failure {
    fn from(error: RerunError) -> Self {
        match error {
            RerunError::Config(error) => error.into(),
            RerunError::Lookup(error) => error.into(),
            RerunError::Predict(error) => error.into(),
            RerunError::Incomplete { completion, .. } => Self::new(completion.into(), error),
            error => Self::new(Exit::Input, error),
        }
    }
}

impl From<EstimateError> for Failure {
    fn from(error: EstimateError) -> Self {
        match error {
            EstimateError::Lookup(error) => error.into(),
            EstimateError::Predict(error) => error.into(),
            error => Self::new(Exit::Input, error),
        }
    }
}

impl From<IoError> for Failure {
    fn from(error: IoError) -> Self {
        let exit = match error {
            IoError::Write(error) => return error.into(),
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

impl From<RemovalError> for Failure {
    fn from(error: RemovalError) -> Self {
        match error {
            RemovalError::Stages(error) => error.into(),
            error => Self::new(Exit::Input, error),
        }
    }
}

impl From<KeptKeysError> for Failure {
    fn from(error: KeptKeysError) -> Self {
        match error {
            KeptKeysError::Content(_) => Self::new(Exit::Configuration, error),
            KeptKeysError::Write(error) => error.into(),
        }
    }
}

impl From<SubmitError> for Failure {
    fn from(error: SubmitError) -> Self {
        match error {
            SubmitError::Stages(error) => error.into(),
            SubmitError::Keys(error) => error.into(),
            SubmitError::Chain(error) => error.into(),
            error => Self::new(Exit::Input, error),
        }
    }
}

/// Implements the conversion of errors that have a kind.
macro_rules! exit_by_kind {
    ($($error:ty),+ $(,)?) => {$(
        impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                Self::from_kind(&error)
            }
        }
    )+};
}

exit_by_kind! { EngineError, PredictError, StageError, StitchError }

/// Implements the conversion of errors that always have the same exit code.
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
    ImportError => Input,
    SlidesError => Input,
    StateError => Input,
    StepError => Input,
    SubmittedError => Input,
    SynthError => Input,
    TemplateError => Input,
    DenseError => Configuration,
    ModelError => Configuration,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exit_code_is_partial_if_some_items_failed_and_input_if_all_did() {
        let exit = |done, failed| Exit::from(Completion::from_counts(done, failed));
        assert_eq!(exit(3, 0), Exit::Done);
        assert_eq!(exit(0, 0), Exit::Done);
        assert_eq!(exit(0, 2), Exit::Input);
        assert_eq!(exit(1, 2), Exit::Partial);
        assert_eq!(Exit::Done.worst(Exit::Input), Exit::Input);
        assert_eq!(Exit::Partial.worst(Exit::Input), Exit::Partial);
    }
}
