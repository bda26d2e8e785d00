//! The layout of `run.toml`: the section `[resolved]`, then the sections of a configuration.

use serde::{Deserialize, Serialize};

use super::{
    ClusterKeys, Config, ModelKeys, NormalizeKeys, PredictKeys, Resolved, RunConfig, Slides,
    StitchKeys, StudyKeys, TilingKeys,
};
use crate::tissue::TissueOptions;

/// A [`RunConfig`] in the layout of `run.toml`. The sections are listed again here because
/// serde's `flatten` would lose the line numbers in error messages and take longer to compile.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RunFile {
    resolved: Resolved,
    #[serde(default)]
    slides: Slides,
    #[serde(default)]
    tissue: TissueOptions,
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
