//! The kind of each error of a stage, for the exit code of a command and the log of a task.

use std::io;

use crate::export::ExportError;
use crate::export::npy::NpyError;
use crate::export::png::PngError;
use crate::hdf5_file::FormatError;
use crate::jobs::outcome::OutcomeKind;
use crate::model::EngineError;
use crate::predict::PredictError;
use crate::split::SplitError;
use crate::staged::StageError;
use crate::stitch::StitchError;

/// An error with a kind.
pub(crate) trait FailureKind {
    /// The kind of the failure.
    fn kind(&self) -> OutcomeKind;
}

impl FailureKind for io::Error {
    fn kind(&self) -> OutcomeKind {
        match self.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => OutcomeKind::DiskFull,
            io::ErrorKind::OutOfMemory => OutcomeKind::Memory,
            _ => OutcomeKind::Input,
        }
    }
}

impl FailureKind for StageError {
    fn kind(&self) -> OutcomeKind {
        FailureKind::kind(&self.source)
    }
}

impl FailureKind for FormatError {
    fn kind(&self) -> OutcomeKind {
        match self {
            Self::Stage(error) => error.kind(),
            error if error.is_damage() => OutcomeKind::Damaged,
            _ => OutcomeKind::Input,
        }
    }
}

impl FailureKind for EngineError {
    fn kind(&self) -> OutcomeKind {
        match self {
            Self::NoOrt { .. }
            | Self::OrtLibrary { .. }
            | Self::NoOpenVino { .. }
            | Self::OpenVinoLibrary { .. } => OutcomeKind::NoEngine,
            _ => OutcomeKind::Configuration,
        }
    }
}

impl FailureKind for PredictError {
    fn kind(&self) -> OutcomeKind {
        match self {
            Self::Format(error) => error.kind(),
            Self::Stage(error) => error.kind(),
            Self::Damaged(_) => OutcomeKind::Damaged,
            Self::Engine { source, .. } => source.kind(),
            _ => OutcomeKind::Configuration,
        }
    }
}

impl FailureKind for PngError {
    fn kind(&self) -> OutcomeKind {
        match self {
            Self::Stage(error) => error.kind(),
            _ => OutcomeKind::Input,
        }
    }
}

impl FailureKind for NpyError {
    fn kind(&self) -> OutcomeKind {
        match self {
            Self::Stage(error) => error.kind(),
            _ => OutcomeKind::Input,
        }
    }
}

impl FailureKind for ExportError {
    fn kind(&self) -> OutcomeKind {
        match self {
            Self::Format(error) => error.kind(),
            Self::Stage(error) => error.kind(),
            _ => OutcomeKind::Input,
        }
    }
}

impl FailureKind for StitchError {
    fn kind(&self) -> OutcomeKind {
        match self {
            Self::Damaged { .. } => OutcomeKind::Damaged,
            Self::Format(error) => error.kind(),
            Self::Stage(error) => error.kind(),
            Self::Export(error) => error.kind(),
            Self::Npy(error) => error.kind(),
            Self::Picture(error) => error.kind(),
            _ => OutcomeKind::Input,
        }
    }
}

impl FailureKind for SplitError {
    fn kind(&self) -> OutcomeKind {
        match self {
            Self::Interrupted { .. } => OutcomeKind::Interrupted,
            Self::Patches(error) => error.kind(),
            Self::Write(error) => error.kind(),
            Self::Picture(error) => error.kind(),
            _ => OutcomeKind::Input,
        }
    }
}
