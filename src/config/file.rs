//! The configuration file and the rules between its keys.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::cluster::ClusterKeys;
use super::error::{self, ConfigError};
use super::normalize::NormalizeKeys;
use super::predict::PredictKeys;
use super::ranges;
use super::slides::Slides;
use super::stitch::StitchKeys;
use super::study::StudyKeys;
use super::tiling::TilingKeys;
use super::tissue::TissueKeys;
use super::violation::Violation;
use crate::geometry::plane::TargetMpp;
use crate::regular_file::{self, SETTINGS_BYTES};

/// A whole configuration file.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// `[slides]`: settings of single slides.
    pub slides: Slides,
    /// `[tissue]`: how tissue is found.
    pub tissue: TissueKeys,
    /// `[tiling]`: how slides are cut into patches.
    pub tiling: TilingKeys,
    /// `[model]`: the network.
    pub model: ModelKeys,
    /// `[normalize]`: how colours are normalised.
    #[serde(skip_serializing_if = "NormalizeKeys::is_default")]
    pub normalize: NormalizeKeys,
    /// `[predict]`: how lattice points are scored.
    pub predict: PredictKeys,
    /// `[stitch]`: which files are written for a heatmap.
    pub stitch: StitchKeys,
    /// `[cluster]`: what jobs ask of a scheduler.
    pub cluster: ClusterKeys,
    /// `[study]`: how heatmaps are measured against truth.
    pub study: StudyKeys,
}

/// `[model]`
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ModelKeys {
    /// Path of the model card (`model.toml`) or of a WSInfer `config.json`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub card: Option<PathBuf>,
    /// Resolution of the working plane in place of the card's, um per px or `"level0"`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mpp: Option<TargetMpp>,
    /// Whether slides may be enlarged more than 8 times to reach `mpp`.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub mpp_force: bool,
}

/// Keys whose default has changed since earlier versions, as (section, key).
const CHANGED_DEFAULTS: [(&str, &str); 1] = [("tissue", "method")];

impl ClusterKeys {
    /// Parses the keys of `[cluster]` alone, after setting each `cluster.key=value` of
    /// `overrides`. Settings of other sections are ignored. Messages name the text by `origin`.
    ///
    /// # Errors
    /// [`ConfigError`] that names the key, what was found and what was expected.
    pub fn parse(text: &str, origin: &str, overrides: &[String]) -> Result<Self, ConfigError> {
        let keys: toml::Table = toml::from_str(text).map_err(|e| error::unreadable(origin, &e))?;
        let mut table = toml::Table::from_iter([("cluster".to_owned(), keys.into())]);
        for item in overrides.iter().filter(|item| item.trim_start().starts_with("cluster.")) {
            apply(&mut table, item)?;
        }
        let keys = table.remove("cluster").expect("it was inserted above");
        keys.try_into().map_err(|e| error::unreadable(origin, &e))
    }
}

impl Config {
    /// Reads and validates a configuration file. Paths in the file are relative to the file;
    /// `overrides` are `section.key=value` and win over the file.
    ///
    /// # Errors
    /// `ConfigError` that names the file, the key, what was found and what was expected.
    pub fn read(path: &Path, overrides: &[String]) -> Result<Self, ConfigError> {
        let text = regular_file::read_to_string(path, SETTINGS_BYTES)
            .map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        let base = path.parent().unwrap_or(Path::new("."));
        Self::parse(&text, &path.display().to_string(), base, overrides)
    }

    /// Like [`Self::read`], for a run that may exist already. Where the default of a key has
    /// changed since the run was made, the run keeps the value in its `run.toml`, unless the
    /// file or `overrides` set the key.
    ///
    /// # Errors
    /// As for [`Config::read`].
    pub fn read_for(run: &Path, path: &Path, overrides: &[String]) -> Result<Self, ConfigError> {
        let table = |path: &Path| {
            regular_file::read_to_string(path, SETTINGS_BYTES)
                .ok()
                .and_then(|text| text.parse::<toml::Table>().ok())
        };
        let key = |table: &toml::Table, (section, name): (&str, &str)| {
            table.get(section).and_then(|section| section.get(name)).cloned()
        };
        let (run_toml, given) = (table(&run.join("run.toml")), table(path).unwrap_or_default());
        let kept = CHANGED_DEFAULTS.iter().filter_map(|&(section, name)| {
            let value = key(run_toml.as_ref()?, (section, name))?;
            let is_set = key(&given, (section, name)).is_some();
            (!is_set).then(|| format!("{section}.{name}={value}"))
        });
        let settings: Vec<String> = kept.chain(overrides.iter().cloned()).collect();
        Self::read(path, &settings)
    }

    /// Parses and validates the text of a configuration, after setting each
    /// `section.key=value` of `overrides`. Messages name the text by `origin`; relative paths
    /// are relative to `base`.
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
        config.make_paths_absolute(base);
        Ok(config)
    }

    fn validate(&self, origin: &str) -> Result<(), ConfigError> {
        let rule = |key: &str, found: String, expected: &str| {
            Err(ConfigError::value(origin, Violation::new(key, found, expected)))
        };
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
        let invalid = |found: Option<Violation>| match found {
            Some(violation) => Err(ConfigError::value(origin, violation)),
            None => Ok(()),
        };
        invalid(ranges::violation(&self.tiling, &self.predict, &self.study))?;
        invalid(self.predict.violation())?;
        self.tissue
            .check()
            .map_err(|source| ConfigError::Tissue { origin: origin.to_owned(), source })?;
        invalid(self.stitch.violation())?;
        invalid(self.normalize.violation())?;
        invalid(self.cluster.violation())?;
        invalid(self.study.violation())?;
        self.check_slides(origin)
    }

    /// Checks `[slides]`, for commands whose arguments add to this section.
    ///
    /// # Errors
    /// `ConfigError::Value` that names the key, what was found and what was expected.
    pub fn check_slides(&self, origin: &str) -> Result<(), ConfigError> {
        match self.slides.violation(&self.tissue) {
            None => Ok(()),
            Some(violation) => Err(ConfigError::value(origin, violation)),
        }
    }

    /// Makes all paths absolute; relative paths are relative to `base`.
    fn make_paths_absolute(&mut self, base: &Path) {
        let paths = [
            &mut self.model.card,
            &mut self.normalize.template,
            &mut self.predict.ort_library,
            &mut self.predict.calibration,
            &mut self.predict.openvino_library,
            &mut self.tissue.mask,
            &mut self.study.truth,
        ];
        for path in paths.into_iter().flatten() {
            let joined = base.join(&path);
            *path = std::path::absolute(&joined).unwrap_or(joined);
        }
        self.slides.make_paths_absolute(base);
    }
}

/// Sets `section.key=value` or `section.part.key=value` in a table. A value that is not TOML is
/// taken as a string.
pub(super) fn apply(table: &mut toml::Table, item: &str) -> Result<(), ConfigError> {
    let invalid = || ConfigError::Override { found: item.to_owned() };
    let (key, text) = item.split_once('=').ok_or_else(invalid)?;
    let (path, name) = key.trim().rsplit_once('.').ok_or_else(invalid)?;
    let text = text.trim();
    let value = toml::from_str::<toml::Table>(&format!("v = {text}"))
        .ok()
        .and_then(|mut parsed| parsed.remove("v"))
        .unwrap_or_else(|| toml::Value::String(text.to_owned()));
    let mut section = table;
    for part in path.split('.') {
        let inner = section.entry(part).or_insert_with(|| toml::Value::Table(toml::Table::new()));
        section = inner.as_table_mut().ok_or_else(invalid)?;
    }
    section.insert(name.to_owned(), value);
    Ok(())
}
