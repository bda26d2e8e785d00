//! The configuration file: reads its text and validates its values.
//!
//! All other modules see only [`Config`], whose values obey the rules for single keys and
//! between keys. An unknown key is an error that suggests the nearest known key.

mod cluster;
mod error;
mod file;
mod normalize;
mod predict;
mod ranges;
mod resolved;
mod result_keys;
mod run_config;
mod run_toml;
mod slides;
mod stitch;
mod study;
mod tiling;
mod tissue;
mod violation;

pub(crate) use crate::geometry::plane::TargetMpp;
pub(crate) use cluster::{ClusterKeys, SubmitFrom};
pub use cluster::{Resources, SchedulerKind, Stage};
pub(crate) use error::ConfigError;
pub use file::Config;
pub(crate) use normalize::{NormalizeKeys, OnFailure, Scope};
pub(crate) use predict::{MIN_FIT_SLIDES, Method, PredictKeys};
pub(crate) use ranges::{BATCH, STRIDE_PX, in_words};
pub(crate) use resolved::RUN_VERSION;
pub(crate) use resolved::Resolved;
pub use run_config::RunConfig;
pub(crate) use slides::{SlideTissue, Slides};
pub(crate) use study::{DetectionKey, SlideScore, StudyKeys};
pub(crate) use tiling::CompressionKey;

#[cfg(test)]
mod docs_tests;
#[cfg(test)]
mod hash_tests;
#[cfg(test)]
mod tests;
