//! What can be wrong with a configuration.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// What is wrong with a configuration, and what to do.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{}: cannot read the configuration: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Not TOML, an unknown key or a value of the wrong type.
    #[error("{origin}: {detail}")]
    Syntax {
        /// The file, or where else the text came from.
        origin: String,
        /// The parser's words, with line and suggestion.
        detail: String,
    },
    /// A value that breaks a rule.
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
    /// `--set` without `section.key=value`.
    #[error("--set {found}: expected section.key=value, for example --set predict.stride=64")]
    Override {
        /// The argument.
        found: String,
    },
    /// A run directory without `run.toml`, and no configuration given.
    #[error("{}: no run.toml here; give --config FILE for a new run, or the directory of an existing one", run.display())]
    NoRun {
        /// The run directory.
        run: PathBuf,
    },
    /// A file where a run directory should be.
    #[error("{}: is a file, expected a run directory or a path where there is nothing yet; give another one with --run", run.display())]
    RunIsFile {
        /// The file.
        run: PathBuf,
    },
    /// The run was made with other settings.
    #[error("{}: this run was made with another configuration:\n{differences}\nuse the settings of the run (leave --config out), or another run directory", run.display())]
    Differs {
        /// The run directory.
        run: PathBuf,
        /// One line a key: what the run has and what was given.
        differences: String,
    },
    /// A format this version does not know.
    #[error("{}: run.toml has version {found}, this slidegrid reads version {expected}; use the slidegrid that made the run", run.display())]
    Version {
        /// The run directory.
        run: PathBuf,
        /// The version found.
        found: u32,
        /// The version known.
        expected: u32,
    },
    /// Neither a card nor a window size.
    #[error(
        "{origin}: no model: set [model] card = \"path/to/model.toml\" (`slidegrid synth` writes two to try), or [tiling] window to split without one"
    )]
    NoModel {
        /// The file, or where else the text came from.
        origin: String,
    },
    /// Sizes that do not make a tiling.
    #[error("{origin}: [tiling]: {source}")]
    Tiling {
        /// The file, or where else the text came from.
        origin: String,
        /// What is wrong.
        source: crate::geometry::tiling::TilingError,
    },
    /// Settings of the tissue search that contradict each other.
    #[error("{origin}: {source}")]
    Tissue {
        /// The file, or where else the text came from.
        origin: String,
        /// What is wrong.
        source: crate::tissue::TissueError,
    },
    /// The template of `[normalize]` cannot be used.
    #[error(transparent)]
    Template(#[from] crate::colour_template::TemplateError),
    /// The model cannot be used.
    #[error(transparent)]
    Model(#[from] crate::model::ModelError),
    /// The network has no dense form.
    #[error("{origin}: predict.method is {method}: {source}")]
    Dense {
        /// The file, or where else the text came from.
        origin: String,
        /// The method.
        method: &'static str,
        /// What is wrong.
        source: Box<crate::model::DenseError>,
    },
    /// A dense run that sees too far.
    #[error(
        "{origin}: predict.method is {method}: outputs of this network's dense run depend on pixels up to {reach_px} px beyond the window, expected at most {limit_px}: patches would be mostly margin; use method = \"window\""
    )]
    Reach {
        /// The file, or where else the text came from.
        origin: String,
        /// The method.
        method: &'static str,
        /// How far it sees.
        reach_px: u32,
        /// The limit.
        limit_px: u32,
    },
    /// `run.toml` could not be written.
    #[error(transparent)]
    Write(#[from] crate::staged::StageError),
}

/// A parse error, with the nearest known key when the key is unknown.
pub(super) fn unreadable(origin: &str, error: &toml::de::Error) -> ConfigError {
    let mut detail = error.to_string().trim_end().to_owned();
    if let Some(nearest) = suggestion(error.message()) {
        detail.push_str(&format!("\ndid you mean `{nearest}`?"));
    }
    ConfigError::Syntax { origin: origin.to_owned(), detail }
}

/// serde says: unknown field `strde`, expected one of `stride`, `method`.
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
