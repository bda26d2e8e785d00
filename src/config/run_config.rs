//! The configuration of a run, and the layout of `run.toml`.

use serde::{Deserialize, Serialize};

use super::cluster::ClusterKeys;
use super::file::{Config, ModelKeys};
use super::normalize::NormalizeKeys;
use super::predict::PredictKeys;
use super::resolved::Resolved;
use super::slides::Slides;
use super::stitch::StitchKeys;
use super::study::StudyKeys;
use super::tiling::TilingKeys;
use super::tissue::TissueKeys;

/// A validated configuration and the values that follow from it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(from = "RunFile", into = "RunFile")]
pub struct RunConfig {
    /// The values that follow from the model card, the template and defaults.
    pub resolved: Resolved,
    /// The configuration, with defaults filled in and absolute paths.
    pub config: Config,
}

/// A [`RunConfig`] in the layout of `run.toml`. The sections are listed again here because
/// serde's `flatten` would lose the line numbers in error messages and take longer to compile.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RunFile {
    resolved: Resolved,
    #[serde(default)]
    slides: Slides,
    #[serde(default)]
    tissue: TissueKeys,
    #[serde(default)]
    tiling: TilingKeys,
    #[serde(default)]
    model: ModelKeys,
    #[serde(default, skip_serializing_if = "NormalizeKeys::is_default")]
    normalize: NormalizeKeys,
    #[serde(default)]
    predict: PredictKeys,
    #[serde(default)]
    stitch: StitchKeys,
    #[serde(default)]
    cluster: ClusterKeys,
    #[serde(default)]
    study: StudyKeys,
}

impl From<RunConfig> for RunFile {
    fn from(RunConfig { resolved, config }: RunConfig) -> Self {
        let Config { slides, tissue, tiling, model, normalize, predict, stitch, cluster, study } =
            config;
        Self { resolved, slides, tissue, tiling, model, normalize, predict, stitch, cluster, study }
    }
}

impl From<RunFile> for RunConfig {
    fn from(file: RunFile) -> Self {
        let RunFile {
            resolved,
            slides,
            tissue,
            tiling,
            model,
            normalize,
            predict,
            stitch,
            cluster,
            study,
        } = file;
        let config =
            Config { slides, tissue, tiling, model, normalize, predict, stitch, cluster, study };
        Self { resolved, config }
    }
}
