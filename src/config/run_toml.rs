//! The configuration of a run: it is written once as `run.toml`, and later commands are checked
//! against it.

use std::collections::BTreeSet;
use std::path::Path;

use super::error::{self, ConfigError};
use super::predict::{Method, PredictKeys};
use super::resolved::RUN_VERSION;
use super::result_keys::{FIT_KEY, ResultKeys};
use super::run_config::RunConfig;
use crate::geometry::Tiling;
use crate::regular_file::{self, TEXT_BYTES};
use crate::staged;

impl RunConfig {
    /// Reads `run.toml`.
    ///
    /// # Errors
    /// `ConfigError::NoRun` if there is no `run.toml`; otherwise as for reading a configuration.
    pub fn read(run: &Path) -> Result<Self, ConfigError> {
        let path = run.join("run.toml");
        let text = match regular_file::read_to_string(&path, TEXT_BYTES) {
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
        let run_config: Self = toml::from_str(&text).map_err(|e| error::unreadable(&origin, &e))?;
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
    /// `ConfigError::Differs` that lists the keys whose values differ.
    pub fn settle(&self, run: &Path) -> Result<(), ConfigError> {
        let settled = self.settled(run)?;
        match Self::read(run) {
            Ok(existing) if existing.to_toml() == settled.to_toml() => Ok(()),
            _ => settled.write(run),
        }
    }

    /// What `run.toml` holds once [`RunConfig::settle`] has been called.
    ///
    /// # Errors
    /// `ConfigError::Differs` that lists the keys whose values differ.
    pub(crate) fn settled(&self, run: &Path) -> Result<Self, ConfigError> {
        let mut existing = match Self::read(run) {
            Err(ConfigError::NoRun { .. }) => return Ok(self.clone()),
            existing => existing?,
        };
        let is_tissue = |line: &String| line.trim_start().starts_with("tissue.");
        let mut differences = existing.differences(self);
        if differences.iter().all(is_tissue) && !has_patches(run) {
            // Only masks may have been made so far, and they can be made again.
            existing.config.tissue = self.config.tissue.clone();
            differences.clear();
        }
        if !differences.is_empty() {
            let differences = differences.join("\n");
            return Err(ConfigError::Differs { run: run.to_owned(), differences });
        }
        existing.config.slides.add(&self.config.slides);
        Ok(existing)
    }

    /// Writes `run.toml`.
    ///
    /// # Errors
    /// `ConfigError::Write` if the file cannot be written.
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

    pub(crate) fn try_tiling(&self, origin: &str) -> Result<Tiling, ConfigError> {
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
        // The run may have got a fit since, unless another one is named.
        let keeps_fit =
            given.config.predict.calibration.is_none() && self.config.predict.calibration.is_none();
        let is_compared = |name: &str| {
            let is_kept = keeps_audit_share && name.starts_with("predict.audit_")
                || keeps_fit && name == FIT_KEY;
            !is_kept
        };
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
    /// of `run`, and so are its fit unless this configuration names one, and its `audit_share` unless this configuration sets a key of audits.
    #[must_use]
    pub fn continuing(mut self, run: Self) -> Self {
        if run.keeps_audit_share(&self) {
            self.config.predict.audit_share = run.config.predict.audit_share;
        }
        if self.config.predict.calibration.is_none() {
            self.resolved.fit_sha256 = run.resolved.fit_sha256;
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
