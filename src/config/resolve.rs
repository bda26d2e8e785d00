//! The configuration of a run: written once as `run.toml`, compared later.

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

/// Widest margin of a patch; DenseNet-121 needs 1,021 px.
const MARGIN_LIMIT_PX: u32 = 2048;

/// What the model card and defaults settle.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resolved {
    /// Version of this file's layout.
    pub version: u32,
    /// Program and version that wrote it.
    pub writer: String,
    /// Window side, working px.
    pub window: u32,
    /// Resolution worked at.
    pub mpp: TargetMpp,
    /// SHA-256 of the ONNX file; empty without a model.
    pub model_sha256: String,
    /// SHA-256 of what the model card says of pixels and classes.
    pub card_sha256: String,
    /// Colours that slides are given: what was measured of `normalize.template`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<Estimate>,
    /// What patches have around their blocks beyond half a window, px: how far a
    /// padded network's dense run sees the border of its image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub margin: Option<u32>,
}

/// A validated configuration together with what it resolves to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(from = "RunFile", into = "RunFile")]
pub struct RunConfig {
    /// Settled values.
    pub resolved: Resolved,
    /// The configuration, defaults filled in, paths absolute.
    pub config: Config,
}

impl RunConfig {
    /// Settles window and resolution from the model card or the file.
    ///
    /// # Errors
    /// [`ConfigError`] when neither gives a window, when they disagree, when
    /// the sizes do not make a tiling, or the template shows no stains.
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
                target: target_of(&config.normalize)?,
            },
            config,
        };
        run.tiling_checked(origin)?;
        Ok(run)
    }

    /// Reads `run.toml`.
    ///
    /// # Errors
    /// [`ConfigError::NoRun`] without one, otherwise as for reading a
    /// configuration.
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
        let read: Self =
            toml::from_str(&text).map_err(|e| super::error::unreadable(&origin, &e))?;
        if read.resolved.version != RUN_VERSION {
            return Err(ConfigError::Version {
                run: run.to_owned(),
                found: read.resolved.version,
                expected: RUN_VERSION,
            });
        }
        read.tiling_checked(&origin)?;
        Ok(read)
    }

    /// Writes `run.toml`, or checks that the one there agrees; what is new in
    /// `[slides]` is added to it.
    ///
    /// # Errors
    /// [`ConfigError::Differs`] listing the keys that disagree.
    pub fn settle(&self, run: &Path) -> Result<(), ConfigError> {
        match Self::read(run) {
            Err(ConfigError::NoRun { .. }) => self.write(run),
            Err(error) => Err(error),
            Ok(mut existing) => {
                let tissue_alone = |line: &String| line.trim_start().starts_with("tissue.");
                let mut differences = existing.differences(self);
                if differences.iter().all(tissue_alone) && !has_patches(run) {
                    // Masks were looked at and nothing is spent: they may be sought anew.
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
    /// [`ConfigError::Write`].
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
        self.tiling_checked("").expect("checked when the run was resolved")
    }

    fn tiling_checked(&self, origin: &str) -> Result<Tiling, ConfigError> {
        let keys = &self.config.tiling;
        Tiling::new(keys.tile, keys.block, self.resolved.window)
            .and_then(|tiling| tiling.with_margin(self.resolved.margin.unwrap_or(0)))
            .map_err(|source| ConfigError::Tiling { origin: origin.to_owned(), source })
    }

    /// Hash over what the patches depend on.
    pub fn patches_sha256(&self) -> String {
        self.result_keys().patches_sha256()
    }

    /// Hash over what the scores depend on.
    pub fn scores_sha256(&self) -> String {
        self.result_keys().scores_sha256()
    }

    fn result_keys(&self) -> ResultKeys {
        ResultKeys::new(&self.resolved, &self.config)
    }

    /// `key: the run has X, given Y` for each key that decides results.
    fn differences(&self, given: &Self) -> Vec<String> {
        let (ours, theirs) = (self.result_keys(), given.result_keys());
        let keeps_its_share = self.keeps_its_share(given);
        let compared = |name: &str| !(keeps_its_share && name.starts_with("predict.audit_"));
        let names: BTreeSet<&str> = ours.iter().chain(theirs.iter()).map(|key| key.name).collect();
        names
            .into_iter()
            .filter(|name| compared(name) && ours.value(name) != theirs.value(name))
            .map(|name| {
                let value = |keys: &ResultKeys| keys.value(name).unwrap_or("nothing").to_owned();
                format!("  {name}: the run has {}, given {}", value(&ours), value(&theirs))
            })
            .collect()
    }

    /// Whether this run was made when an audit was a share of points, and `given` says
    /// nothing of audits: the run goes on as it was made.
    fn keeps_its_share(&self, given: &Self) -> bool {
        let given = &given.config.predict;
        let says_nothing =
            given.audit_share.is_none() && given.audit_bound == PredictKeys::default().audit_bound;
        self.config.predict.audit_share.is_some() && says_nothing
    }

    /// This configuration as the run goes on with it: with what `run` knows of single
    /// slides, and with its share of audited points where that still holds.
    #[must_use]
    pub fn going_on_with(mut self, run: Self) -> Self {
        if run.keeps_its_share(&self) {
            self.config.predict.audit_share = run.config.predict.audit_share;
        }
        self.config.slides = run.config.slides;
        self
    }

    /// How the points of a slide get their scores: by the run's method, unless the slide
    /// was to be done afresh by another.
    pub fn method_of(&self, slide: &str) -> Method {
        let own = self.config.slides.method_of.get(slide);
        own.copied().unwrap_or(self.config.predict.method)
    }
}

/// Whether any slide of the run is split.
fn has_patches(run: &Path) -> bool {
    std::fs::read_dir(run.join("patches")).is_ok_and(|mut files| files.next().is_some())
}

/// What slides are to look like.
fn target_of(keys: &NormalizeKeys) -> Result<Option<Estimate>, ConfigError> {
    match (keys.method.method(), &keys.template) {
        (Some(method), Some(path)) => Ok(Some(colour_template::read(path, method, keys.icc)?)),
        _ => Ok(None),
    }
}

/// What a dense run needs around its windows.
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
