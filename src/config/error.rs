//! Errors of reading and checking a configuration.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use super::violation::Violation;

/// A problem with a configuration or a `run.toml`.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{}: cannot read the configuration: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// The text is not TOML, or has an unknown key or a value of the wrong type.
    #[error("{origin}: {detail}")]
    Syntax {
        /// The file, or where else the text came from.
        origin: String,
        /// The parser's message with the line, and a suggestion for an unknown key.
        detail: String,
    },
    /// A value breaks a rule.
    #[error("{origin}: {key} is {found}, expected {expected}")]
    Value {
        /// The file, or where else the text came from.
        origin: String,
        /// `section.key`.
        key: String,
        /// The value.
        found: String,
        /// The rule.
        expected: String,
    },
    /// An argument of `--set` is not `section.key=value`.
    #[error("--set {found}: expected section.key=value, for example --set predict.stride=64")]
    Override {
        /// The argument.
        found: String,
    },
    /// The run directory has no `run.toml`, and no configuration was given.
    #[error("{}: no run.toml here; give --config FILE for a new run, or the directory of an existing one", run.display())]
    NoRun {
        /// The run directory.
        run: PathBuf,
    },
    /// The path of the run directory is that of a file.
    #[error("{}: is a file, expected a run directory or a path that does not exist yet; give another path with --run", run.display())]
    RunIsFile {
        /// The file.
        run: PathBuf,
    },
    /// The run was made with other settings.
    #[error("{}: this run was made with another configuration:\n{differences}\nuse the settings of the run (leave --config out), or another run directory", run.display())]
    Differs {
        /// The run directory.
        run: PathBuf,
        /// One line per key, with the run's value and the given value.
        differences: String,
    },
    /// The layout of `run.toml` is of another version.
    #[error("{}: run.toml has version {found}, this slidegrid reads version {expected}; use the slidegrid that made the run", run.display())]
    Version {
        /// The run directory.
        run: PathBuf,
        /// The version found.
        found: u32,
        /// The version that this program reads.
        expected: u32,
    },
    /// The configuration has neither a model card nor a window size.
    #[error(
        "{origin}: no model: set [model] card = \"path/to/model.toml\" (`slidegrid synth` writes two to try), or [tiling] window to split without one"
    )]
    NoModel {
        /// The file, or where else the text came from.
        origin: String,
    },
    /// The sizes of tile, block and window do not fit together.
    #[error("{origin}: [tiling]: {source}")]
    Tiling {
        /// The file, or where else the text came from.
        origin: String,
        /// What is wrong.
        source: crate::geometry::tiling::TilingError,
    },
    /// The settings of `[tissue]` contradict each other.
    #[error("{origin}: {source}")]
    Tissue {
        /// The file, or where else the text came from.
        origin: String,
        /// What is wrong.
        source: crate::tissue::TissueError,
    },
    /// `run.toml` cannot be written.
    #[error(transparent)]
    Write(#[from] crate::staged::StageError),
}

impl ConfigError {
    /// The error of a value in the text of `origin`.
    pub(super) fn value(origin: &str, violation: Violation) -> Self {
        let Violation { key, found, expected } = violation;
        Self::Value { origin: origin.to_owned(), key, found, expected }
    }
}

/// Turns a parse error into a [`ConfigError`]; if the key is unknown, adds the nearest known key.
pub(super) fn unreadable(origin: &str, error: &toml::de::Error) -> ConfigError {
    let mut detail = error.to_string().trim_end().to_owned();
    if let Some(nearest) = suggestion(error.message()) {
        detail.push_str(&format!("\ndid you mean `{nearest}`?"));
    }
    ConfigError::Syntax { origin: origin.to_owned(), detail }
}

/// The known key nearest to an unknown one. The keys are taken from serde's message, for
/// example: unknown field `strde`, expected one of `stride`, `method`.
fn suggestion(message: &str) -> Option<String> {
    let rest = message.strip_prefix("unknown field `")?;
    let mut quoted = rest.split('`').step_by(2);
    let unknown = quoted.next()?;
    quoted
        .map(|known| (strsim::jaro_winkler(unknown, known), known))
        .filter(|(similarity, _)| *similarity > 0.6)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, known)| known.to_owned())
}
