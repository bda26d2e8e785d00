//! The libraries with which jobs compute: those that the submitting shell would use.

use std::path::PathBuf;

use crate::config::{ClusterKeys, PredictKeys};
use crate::model::{EngineRequest, library_of_shell};
use crate::shell::quoted;
use crate::slide::openslide_of_shell;

/// Lines for job scripts that name the libraries of this shell by path. Some schedulers start jobs
/// without the shell's variables and environment; a task that does not find such a library fails
/// with that reason, in place of computing with another.
///
/// A library in a folder of the system is not named, because each machine has its own. Neither is
/// one whose variable is a key of `cluster.environment`.
pub(super) fn libraries_of_shell(predict: &PredictKeys, cluster: &ClusterKeys) -> Vec<String> {
    let wanted = EngineRequest {
        engine: predict.engine,
        ort_library: predict.ort_library.as_deref(),
        openvino_library: predict.openvino_library.as_deref(),
        ..EngineRequest::default()
    };
    let found = [library_of_shell(&wanted), openslide_of_shell()];
    let is_free = |(name, _): &(&str, PathBuf)| !cluster.environment.contains_key(*name);
    let libraries = found.into_iter().flatten().filter(is_free);
    libraries
        .map(|(name, path)| format!("export {name}={}", quoted(&path.to_string_lossy())))
        .collect()
}
