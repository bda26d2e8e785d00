//! The configuration file: raw text in, validated values out.
//!
//! Everything after this module sees only [`Config`], whose values obey the
//! rules between keys. A key nobody knows is an error that suggests the
//! nearest known one.

mod cluster;
mod error;
mod normalize;
mod resolve;
mod stitch;
mod study;
mod tiling;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::tissue::TissueOptions;

pub use crate::geometry::plane::TargetMpp;
pub use cluster::{ClusterKeys, Resources, SchedulerKind, Stage, StageKeys, SubmitFrom};
pub use error::ConfigError;
pub use normalize::{NormalizeKeys, NormalizeMethod, OnFailure, Scope};
pub(crate) use resolve::card_sha256;
pub use resolve::{Resolved, RunConfig};
pub use stitch::StitchKeys;
pub use study::{DetectionKey, SlideScore, StudyKeys};
pub use tiling::{CompressionKey, Coords, TilingKeys};

/// A whole configuration file.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// What is known of the slides.
    pub slides: Slides,
    /// How tissue is found.
    pub tissue: TissueOptions,
    /// How slides are cut.
    pub tiling: TilingKeys,
    /// The network.
    pub model: ModelKeys,
    /// What is done about colour.
    #[serde(skip_serializing_if = "NormalizeKeys::is_default")]
    pub normalize: NormalizeKeys,
    /// How windows are scored.
    pub predict: PredictKeys,
    /// What heatmaps are written.
    pub stitch: StitchKeys,
    /// What is asked of a scheduler.
    pub cluster: ClusterKeys,
    /// How results are measured against truth.
    pub study: StudyKeys,
}

/// `[slides]`
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Slides {
    /// Resolution of slides that state none, um per level-0 px.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mpp: Option<f64>,
    /// Resolution by slide name, um per level-0 px; wins over the file.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub mpp_of: BTreeMap<String, f64>,
}

/// `[model]`
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ModelKeys {
    /// Model card (`model.toml`) or WSInfer `config.json`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub card: Option<PathBuf>,
    /// Resolution to work at instead of the card's, um per px or `"level0"`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mpp: Option<TargetMpp>,
}

/// `[predict]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PredictKeys {
    /// Distance between scored points, working px.
    pub stride: u32,
    /// How lattice points get their scores.
    pub method: Method,
    /// `auto`, `tract` or `ort`.
    pub engine: crate::model::EngineChoice,
    /// Workers; the machine decides when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threads: Option<usize>,
    /// Windows a run of the network; the engine decides when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch: Option<usize>,
    /// Minutes between saves of what is scored of a group; 0 = none.
    pub checkpoint_min: f64,
    /// libonnxruntime to load.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ort_library: Option<PathBuf>,
    /// Largest root mean square difference of dense scores from those of single
    /// windows.
    pub dense_tolerance: f64,
    /// Take dense scores whatever they differ.
    pub dense_force: bool,
    /// `cascade`: screened scores of the positive class from here on are scored
    /// exactly.
    pub refine_above: f64,
    /// `cascade`: screened scores of the positive class from here on are left as they
    /// are where the screen cannot err by so much that they are below 0.5; 1 = none.
    pub refine_below: f64,
    /// `cascade`: share of the points left alone that is scored exactly all the
    /// same, to see what was missed.
    pub audit_share: f64,
}

impl Default for PredictKeys {
    fn default() -> Self {
        Self {
            stride: 16,
            method: Method::Window,
            engine: crate::model::EngineChoice::Auto,
            threads: None,
            batch: None,
            checkpoint_min: 10.0,
            ort_library: None,
            dense_tolerance: 0.05,
            dense_force: false,
            refine_above: 0.1,
            refine_below: 1.0,
            audit_share: 0.002,
        }
    }
}

/// How lattice points get their scores.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// One network run per window.
    Window,
    /// The network rewritten to score a whole patch in one run.
    Dense,
    /// Dense scores everywhere, single windows where they matter.
    Cascade,
}

impl FromStr for Method {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let methods = [Self::Window, Self::Dense, Self::Cascade];
        let known = methods.into_iter().find(|method| method.name() == text);
        known.ok_or_else(|| format!("method {text:?} is not one of window, dense, cascade"))
    }
}

impl Method {
    /// As written in score files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Window => "window",
            Self::Dense => "dense",
            Self::Cascade => "cascade",
        }
    }
}

impl Config {
    /// Reads and validates a file; paths in it are relative to the file.
    ///
    /// # Errors
    /// [`ConfigError`] naming the file, the key, what was found and expected.
    pub fn read(path: &Path, overrides: &[String]) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        let base = path.parent().unwrap_or(Path::new("."));
        Self::parse(&text, &path.display().to_string(), base, overrides)
    }

    /// Validates `text`, called `origin` in messages, after setting
    /// `section.key=value` for each of `overrides`.
    ///
    /// # Errors
    /// As for [`Config::read`].
    pub fn parse(
        text: &str,
        origin: &str,
        base: &Path,
        overrides: &[String],
    ) -> Result<Self, ConfigError> {
        let mut config: Self = toml::from_str(text).map_err(|e| error::unreadable(origin, &e))?;
        if !overrides.is_empty() {
            let mut table: toml::Table =
                toml::from_str(text).map_err(|e| error::unreadable(origin, &e))?;
            for item in overrides {
                apply(&mut table, item)?;
            }
            let joined = toml::to_string(&table).expect("a table just parsed can be written");
            config = toml::from_str(&joined).map_err(|e| error::unreadable("--set", &e))?;
        }
        config.validate(origin)?;
        config.anchor(base);
        Ok(config)
    }

    fn validate(&self, origin: &str) -> Result<(), ConfigError> {
        let rule = |key: &str, found: String, expected: &str| {
            Err(ConfigError::Value {
                origin: origin.to_owned(),
                key: key.to_owned(),
                found,
                expected: expected.to_owned(),
            })
        };
        let at_least_one = [
            ("tiling.tile", self.tiling.tile),
            ("tiling.block", self.tiling.block),
            ("tiling.patches_per_group", self.tiling.patches_per_group.unwrap_or(1)),
            ("tiling.group_memory_mb", self.tiling.group_memory_mb.unwrap_or(1)),
            ("predict.stride", self.predict.stride),
        ];
        for (key, value) in at_least_one {
            if value == 0 {
                return rule(key, "0".into(), "at least 1");
            }
        }
        if self.tiling.patches_per_group.is_some() && self.tiling.group_memory_mb.is_some() {
            return rule(
                "tiling.group_memory_mb",
                "a value".into(),
                "either patches_per_group or group_memory_mb, not both",
            );
        }
        if !(1..=9).contains(&self.tiling.gzip_level) {
            return rule("tiling.gzip_level", self.tiling.gzip_level.to_string(), "1 to 9");
        }
        if self.predict.threads == Some(0) || self.predict.batch == Some(0) {
            return rule("predict.threads or predict.batch", "0".into(), "at least 1, or nothing");
        }
        for (key, share) in [
            ("predict.dense_tolerance", self.predict.dense_tolerance),
            ("predict.refine_above", self.predict.refine_above),
            ("predict.refine_below", self.predict.refine_below),
            ("predict.audit_share", self.predict.audit_share),
        ] {
            if !(0.0..=1.0).contains(&share) {
                return rule(key, share.to_string(), "0 to 1");
            }
        }
        let minutes = self.predict.checkpoint_min;
        if !(minutes.is_finite() && minutes >= 0.0) {
            return rule("predict.checkpoint_min", minutes.to_string(), "minutes, at least 0");
        }
        self.tissue
            .check()
            .map_err(|source| ConfigError::Tissue { origin: origin.to_owned(), source })?;
        if let Some((key, found, expected)) = self.stitch.fault() {
            return rule(key, found, &expected);
        }
        if let Some((key, found, expected)) = self.normalize.fault() {
            return rule(key, found, expected);
        }
        if let Some((key, found, expected)) = self.cluster.fault() {
            return rule(&key, found, expected);
        }
        if let Some((key, found, expected)) = self.study.fault() {
            return rule(key, found, expected);
        }
        let given = self.slides.mpp.iter().chain(self.slides.mpp_of.values());
        for mpp in given {
            if !(mpp.is_finite() && *mpp > 0.0) {
                return rule("slides.mpp", mpp.to_string(), "micrometres per pixel above 0");
            }
        }
        Ok(())
    }

    fn anchor(&mut self, base: &Path) {
        let paths = [
            &mut self.model.card,
            &mut self.normalize.template,
            &mut self.predict.ort_library,
            &mut self.tissue.mask,
            &mut self.study.truth,
        ];
        for path in paths.into_iter().flatten() {
            let joined = base.join(&path);
            *path = std::path::absolute(&joined).unwrap_or(joined);
        }
    }
}

/// Sets `section.key=value`, or `section.part.key=value`; the value is TOML, or else a plain string.
fn apply(table: &mut toml::Table, item: &str) -> Result<(), ConfigError> {
    let wrong = || ConfigError::Override { found: item.to_owned() };
    let (key, text) = item.split_once('=').ok_or_else(wrong)?;
    let (path, name) = key.trim().rsplit_once('.').ok_or_else(wrong)?;
    let text = text.trim();
    let value = toml::from_str::<toml::Table>(&format!("v = {text}"))
        .ok()
        .and_then(|mut parsed| parsed.remove("v"))
        .unwrap_or_else(|| toml::Value::String(text.to_owned()));
    let mut section = table;
    for part in path.split('.') {
        let inner = section.entry(part).or_insert_with(|| toml::Value::Table(toml::Table::new()));
        section = inner.as_table_mut().ok_or_else(wrong)?;
    }
    section.insert(name.to_owned(), value);
    Ok(())
}

#[cfg(test)]
mod tests;
