//! The configuration file: reads its text and validates its values.
//!
//! All other modules see only [`Config`], whose values obey the rules for single keys and
//! between keys. An unknown key is an error that suggests the nearest known key.

mod cluster;
mod error;
mod file;
mod normalize;
mod predict;
mod resolved;
mod result_keys;
mod run_config;
mod run_toml;
mod slides;
mod stitch;
mod study;
mod tiling;
mod tissue;

pub use crate::geometry::plane::TargetMpp;
pub use cluster::{ClusterKeys, Resources, SchedulerKind, Stage, StageKeys, SubmitFrom};
pub use error::ConfigError;
pub use file::{Config, ModelKeys};
pub use normalize::{NormalizeKeys, NormalizeMethod, OnFailure, Scope};
pub use predict::{Method, PredictKeys};
pub(crate) use resolved::RUN_VERSION;
pub use resolved::Resolved;
pub use run_config::RunConfig;
pub use slides::{SlideTissue, Slides};
pub use stitch::StitchKeys;
pub use study::{DetectionKey, SlideScore, StudyKeys};
pub use tiling::{CompressionKey, Coords, TilingKeys};
pub use tissue::TissueKeys;

#[cfg(test)]
mod docs_tests;
#[cfg(test)]
mod hash_tests;
#[cfg(test)]
mod tests;
