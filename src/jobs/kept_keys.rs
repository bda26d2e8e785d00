//! The section `[cluster]` as last given, kept in `jobs/cluster.toml` for the jobs and commands
//! that follow. Unlike the rest of `run.toml`, its keys may change from command to command.

use thiserror::Error;

use crate::config::{ClusterKeys, ConfigError};
use crate::run_dir::RunDir;
use crate::staged::{self, StageError};

/// Why the kept keys cannot be used.
#[derive(Debug, Error)]
pub(crate) enum KeptKeysError {
    /// The file, or a key of the command line, is invalid.
    #[error("{0}; give --config to write the file again")]
    Content(ConfigError),
    /// The file cannot be read or written.
    #[error(transparent)]
    Write(#[from] StageError),
}

/// Reads the kept keys, with `set` (`cluster.KEY=VALUE`) in the place of single ones. `None` if
/// none are kept.
///
/// # Errors
/// [`KeptKeysError`], also if the file may be there and cannot be read.
pub(crate) fn read(run: &RunDir, set: &[String]) -> Result<Option<ClusterKeys>, KeptKeysError> {
    let path = run.cluster_toml();
    let Some(text) = staged::read_if_there(&path)? else { return Ok(None) };
    let text = String::from_utf8_lossy(&text);
    let keys = ClusterKeys::parse(&text, &path.display().to_string(), set);
    keys.map(Some).map_err(KeptKeysError::Content)
}

/// Writes the keys, unless the file has them already.
///
/// # Errors
/// [`KeptKeysError::Write`].
pub(crate) fn write(run: &RunDir, keys: &ClusterKeys) -> Result<(), KeptKeysError> {
    let path = run.cluster_toml();
    let text = toml::to_string(keys).expect("the keys are plain values");
    let text = format!("# [cluster] as last given; the jobs of this run request this.\n{text}");
    if std::fs::read_to_string(&path).ok().as_ref() != Some(&text) {
        staged::write(&path, text.as_bytes())?;
    }
    Ok(())
}
