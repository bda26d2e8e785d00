//! The configuration of a run: it is written once as `run.toml`, and later commands are checked
//! against it.

use std::collections::BTreeSet;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::result_keys::{ResultKeys, card_sha256};
use super::run_file::RunFile;
use super::{Config, ConfigError, Method, NormalizeKeys, PredictKeys};
use crate::geometry::Tiling;
use crate::geometry::plane::TargetMpp;
use crate::model::{Model, densify};
use crate::normalize::Estimate;
use crate::{colour_template, staged};

/// Version of `run.toml`.
const RUN_VERSION: u32 = 1;

/// Largest margin of a patch, px; DenseNet-121 needs 1,021 px.
const MARGIN_LIMIT_PX: u32 = 2048;

/// The values that follow from the model card, the template and defaults.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resolved {
    /// Version of this file's layout.
    pub version: u32,
    /// Program and version that wrote the file.
    pub writer: String,
    /// Side of the window, working px.
    pub window: u32,
    /// Resolution of the working plane.
    pub mpp: TargetMpp,
    /// SHA-256 of the ONNX file; empty without a model.
    pub model_sha256: String,
    /// SHA-256 of the entries of the model card on pixels and classes; empty without a model.
    pub card_sha256: String,
    /// The colours that patches are given, as measured on `normalize.template`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<Estimate>,
    /// Margin of the patches, px: the reach of the dense network. Absent if it is 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub margin: Option<u32>,
}

/// A validated configuration and the values that follow from it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(from = "RunFile", into = "RunFile")]
pub struct RunConfig {
    /// The values that follow from the model card, the template and defaults.
    pub resolved: Resolved,
    /// The configuration, with defaults filled in and absolute paths.
    pub config: Config,
}

impl RunConfig {
    /// Reads the model card and the template, and determines window, resolution, margin and
    /// target colours. Messages name the configuration by `origin`.
    ///
    /// # Errors
    /// [`ConfigError`] if neither the card nor the configuration gives a window, if they
    /// contradict each other, if the sizes do not fit together, if the network has no dense form
    /// that the method needs, or if a file cannot be used.
    pub fn resolve(config: Config, origin: &str) -> Result<Self, ConfigError> {
        let model = config.model.card.as_deref().map(Model::load).transpose()?;
        let card_window = model.as_ref().map(|m| m.card.window_px);
        let window = match (card_window, config.tiling.window) {
            (Some(card), Some(file)) if card != file => {
                return Err(ConfigError::Value {
                    origin: origin.to_owned(),
                    key: "tiling.window".into(),
                    found: file.to_string(),
                    expected: format!("{card}, as the model card says, or nothing"),
                });
            }
            (Some(window), _) | (None, Some(window)) => window,
            (None, None) => return Err(ConfigError::NoModel { origin: origin.to_owned() }),
        };
        let mpp =
            config.model.mpp.or(model.as_ref().map(|m| m.card.mpp)).unwrap_or(TargetMpp::Level0);
        let margin = model.as_ref().map(|model| margin_px(&config, model, origin)).transpose()?;
        let run = Self {
            resolved: Resolved {
                margin: margin.filter(|&margin_px| margin_px > 0),
                version: RUN_VERSION,
                writer: crate::version::WRITER.to_owned(),
                window,
                mpp,
                card_sha256: model.as_ref().map_or(String::new(), |m| card_sha256(&m.card)),
                model_sha256: model.map_or(String::new(), |m| m.sha256),
                target: target_estimate(&config.normalize)?,
            },
            config,
        };
        run.try_tiling(origin)?;
        Ok(run)
    }

    /// Reads `run.toml`.
    ///
    /// # Errors
    /// [`ConfigError::NoRun`] if there is no `run.toml`; otherwise as for reading a configuration.
    pub fn read(run: &Path) -> Result<Self, ConfigError> {
        let path = run.join("run.toml");
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                return Err(ConfigError::NoRun { run: run.to_owned() });
            }
            Err(e) if e.kind() == std::io::ErrorKind::NotADirectory => {
                return Err(ConfigError::RunIsFile { run: run.to_owned() });
            }
            Err(source) => return Err(ConfigError::Read { path, source }),
        };
        let origin = path.display().to_string();
        let run_config: Self =
            toml::from_str(&text).map_err(|e| super::error::unreadable(&origin, &e))?;
        if run_config.resolved.version != RUN_VERSION {
            return Err(ConfigError::Version {
                run: run.to_owned(),
                found: run_config.resolved.version,
                expected: RUN_VERSION,
            });
        }
        run_config.try_tiling(&origin)?;
        Ok(run_config)
    }

    /// Writes `run.toml`, or checks that the existing one agrees with this configuration. New
    /// settings of `[slides]` are added to the existing file, and `[tissue]` may change as long
    /// as no slide is split.
    ///
    /// # Errors
    /// [`ConfigError::Differs`] that lists the keys whose values differ.
    pub fn settle(&self, run: &Path) -> Result<(), ConfigError> {
        match Self::read(run) {
            Err(ConfigError::NoRun { .. }) => self.write(run),
            Err(error) => Err(error),
            Ok(mut existing) => {
                let is_tissue = |line: &String| line.trim_start().starts_with("tissue.");
                let mut differences = existing.differences(self);
                if differences.iter().all(is_tissue) && !has_patches(run) {
                    // Only masks may have been made so far, and they can be made again.
                    existing.config.tissue = self.config.tissue.clone();
                    if !std::mem::take(&mut differences).is_empty() {
                        existing.write(run)?;
                    }
                }
                if differences.is_empty() {
                    let known = existing.config.slides.clone();
                    let slides = &mut existing.config.slides;
                    slides.add(&self.config.slides);
                    return if *slides == known { Ok(()) } else { existing.write(run) };
                }
                Err(ConfigError::Differs {
                    run: run.to_owned(),
                    differences: differences.join("\n"),
                })
            }
        }
    }

    /// Writes `run.toml`.
    ///
    /// # Errors
    /// [`ConfigError::Write`] if the file cannot be written.
    pub fn write(&self, run: &Path) -> Result<(), ConfigError> {
        let text = self.to_toml();
        let text = format!("# Written by slidegrid; do not edit: results rest on it.\n{text}");
        Ok(staged::write(&run.join("run.toml"), text.as_bytes())?)
    }

    fn to_toml(&self) -> String {
        toml::to_string(self).expect("a configuration is a table of plain values")
    }

    /// The tiling of this run.
    pub fn tiling(&self) -> Tiling {
        self.try_tiling("").expect("checked when the run was resolved")
    }

    fn try_tiling(&self, origin: &str) -> Result<Tiling, ConfigError> {
        let keys = &self.config.tiling;
        Tiling::new(keys.tile, keys.block, self.resolved.window)
            .and_then(|tiling| tiling.with_margin(self.resolved.margin.unwrap_or(0)))
            .map_err(|source| ConfigError::Tiling { origin: origin.to_owned(), source })
    }

    /// Hash of the settings that patches depend on, SHA-256 as hexadecimal digits.
    pub fn patches_sha256(&self) -> String {
        self.result_keys().patches_sha256()
    }

    /// Hash of the settings that scores depend on, SHA-256 as hexadecimal digits.
    pub fn scores_sha256(&self) -> String {
        self.result_keys().scores_sha256()
    }

    fn result_keys(&self) -> ResultKeys {
        ResultKeys::new(&self.resolved, &self.config)
    }

    /// One line, `key: the run has X, given Y`, for each key that changes results and differs.
    fn differences(&self, given: &Self) -> Vec<String> {
        let (ours, theirs) = (self.result_keys(), given.result_keys());
        let keeps_audit_share = self.keeps_audit_share(given);
        let is_compared = |name: &str| !(keeps_audit_share && name.starts_with("predict.audit_"));
        let names: BTreeSet<&str> = ours.iter().chain(theirs.iter()).map(|key| key.name).collect();
        names
            .into_iter()
            .filter(|name| is_compared(name) && ours.value(name) != theirs.value(name))
            .map(|name| {
                let value = |keys: &ResultKeys| keys.value(name).unwrap_or("nothing").to_owned();
                format!("  {name}: the run has {}, given {}", value(&ours), value(&theirs))
            })
            .collect()
    }

    /// Whether this run has an `audit_share` and `given` sets no key of audits. The run then
    /// keeps its share.
    fn keeps_audit_share(&self, given: &Self) -> bool {
        let given = &given.config.predict;
        let has_defaults =
            given.audit_share.is_none() && given.audit_bound == PredictKeys::default().audit_bound;
        self.config.predict.audit_share.is_some() && has_defaults
    }

    /// This configuration for continuing an existing run: the settings of single slides are those
    /// of `run`, and so is its `audit_share` unless this configuration sets a key of audits.
    #[must_use]
    pub fn continuing(mut self, run: Self) -> Self {
        if run.keeps_audit_share(&self) {
            self.config.predict.audit_share = run.config.predict.audit_share;
        }
        self.config.slides = run.config.slides;
        self
    }

    /// The method for a slide: its own, set by `slidegrid redo` for example, or that of the run.
    pub fn method_of(&self, slide: &str) -> Method {
        let own = self.config.slides.method_of.get(slide);
        own.copied().unwrap_or(self.config.predict.method)
    }
}

/// Whether a slide of the run is split.
fn has_patches(run: &Path) -> bool {
    std::fs::read_dir(run.join("patches")).is_ok_and(|mut files| files.next().is_some())
}

/// The colours that patches are given; `None` without normalisation.
fn target_estimate(keys: &NormalizeKeys) -> Result<Option<Estimate>, ConfigError> {
    match (keys.method.method(), &keys.template) {
        (Some(method), Some(path)) => Ok(Some(colour_template::read(path, method, keys.icc)?)),
        _ => Ok(None),
    }
}

/// The margin of patches that the method needs, px.
fn margin_px(config: &Config, model: &Model, origin: &str) -> Result<u32, ConfigError> {
    let method = config.predict.method;
    if method == Method::Window {
        return Ok(0);
    }
    let (origin, method) = (origin.to_owned(), method.name());
    match densify(model, config.predict.stride) {
        Ok(network) if network.reach_px <= MARGIN_LIMIT_PX => Ok(network.reach_px),
        Ok(network) => {
            let (reach_px, limit_px) = (network.reach_px, MARGIN_LIMIT_PX);
            Err(ConfigError::Reach { origin, method, reach_px, limit_px })
        }
        Err(source) => Err(ConfigError::Dense { origin, method, source: Box::new(source) }),
    }
}
