//! The values of a run that follow from the network and the template.

use std::path::Path;

use thiserror::Error;

use crate::colour_template::{self, TemplateError};
use crate::config::{
    Config, ConfigError, Method, NormalizeKeys, RUN_VERSION, Resolved, RunConfig, Slides, TargetMpp,
};
use crate::model::{
    DenseCost, DenseError, FitFile, FitFileError, Model, ModelError, card_sha256, dense_cost,
    densify,
};
use crate::normalize::ColourEstimate;

/// Largest margin of a patch, px; DenseNet-121 needs 1,021 px.
const MARGIN_LIMIT_PX: u32 = 2048;

/// Memory for the maps of a dense run that is assumed before the engine is known; every engine has
/// at least this much.
const ASSUMED_MAP_BYTES: u64 = 450_000_000;

/// How many times fewer multiplications than single windows `method = "auto"` expects of
/// exact dense runs. Windows that overlap share layers too.
const AUTO_DENSE_GAIN: f64 = 2.0;

/// The same for a screen, which also costs the windows of its fit, refinement and audit.
const AUTO_CASCADE_GAIN: f64 = 4.0;

/// The values of a run cannot be determined.
#[derive(Debug, Error)]
pub enum ResolveError {
    /// The configuration is invalid, or contradicts the model card.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The template of `[normalize]` cannot be used.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// The model cannot be used.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The fit that the configuration names cannot be used.
    #[error(transparent)]
    Fit(#[from] FitFileError),
    /// The network has no dense form.
    #[error("{origin}: predict.method is {method}: {source}")]
    Dense {
        /// The file, or where else the text came from.
        origin: String,
        /// The method.
        method: &'static str,
        /// What is wrong.
        source: Box<DenseError>,
    },
    /// Scores of the dense network depend on pixels too far from their windows.
    #[error(
        "{origin}: predict.method is {method}: outputs of this network's dense run depend on pixels up to {reach_px} px beyond the window, expected at most {limit_px} px: patches would be mostly margin; use method = \"window\""
    )]
    Reach {
        /// The file, or where else the text came from.
        origin: String,
        /// The method.
        method: &'static str,
        /// The reach of the dense network, px.
        reach_px: u32,
        /// The largest reach that is allowed, px.
        limit_px: u32,
    },
}

/// Reads the model card and the template, and determines window, resolution, margin and
/// target colours. Messages name the configuration by `origin`.
///
/// # Errors
/// `ResolveError` if neither the card nor the configuration gives a window, if they
/// contradict each other, if the sizes do not fit together, if the network has no dense form
/// that the method needs, or if a file cannot be used.
pub fn resolve(mut config: Config, origin: &str) -> Result<RunConfig, ResolveError> {
    let model = config.model.card.as_deref().map(Model::load).transpose()?;
    if config.predict.method == Method::Auto {
        config.predict.method = suitable_method(&config, model.as_ref());
    }
    let window = window_px(&config, model.as_ref(), origin)?;
    let mpp = config.model.mpp.or(model.as_ref().map(|m| m.card.mpp)).unwrap_or(TargetMpp::Level0);
    let margin = model.as_ref().map(|model| margin_px(&config, model, origin)).transpose()?;
    let fit_sha256 = fit_sha256(&config, model.as_ref())?;
    let run = RunConfig {
        resolved: Resolved {
            fit_sha256,
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

/// The configuration of the run in `run`, written there if the run is new: that of `file`, or
/// else the run's own, changed by `overrides` (`section.key=value`) and with `slides` added.
/// The configuration of a run that exists must agree with it in all that decides results.
///
/// # Errors
/// [`ResolveError`] as for reading and resolving a configuration, and if the run was made with
/// another one.
pub(crate) fn settle(
    run: &Path,
    file: Option<&Path>,
    overrides: &[String],
    slides: &Slides,
) -> Result<RunConfig, ResolveError> {
    let config = given(run, file, overrides, slides)?;
    config.settle(run)?;
    Ok(config.continuing(RunConfig::read(run)?))
}

/// The configuration that [`settle`] returns, for a command that writes nothing.
///
/// # Errors
/// [`ResolveError`], as for [`settle`].
pub(crate) fn settle_dry(
    run: &Path,
    file: Option<&Path>,
    overrides: &[String],
    slides: &Slides,
) -> Result<RunConfig, ResolveError> {
    let config = given(run, file, overrides, slides)?;
    let settled = config.settled(run)?;
    Ok(config.continuing(settled))
}

/// The configuration that a command is given.
fn given(
    run: &Path,
    file: Option<&Path>,
    overrides: &[String],
    slides: &Slides,
) -> Result<RunConfig, ResolveError> {
    let mut config = match file {
        Some(file) => {
            let config = Config::read_for(run, file, overrides)?;
            resolve(config, &file.display().to_string())?
        }
        None => with_overrides(RunConfig::read(run)?, overrides)?,
    };
    config.config.slides.add(slides);
    config.config.check_slides("settings of slides on the command line")?;
    Ok(config)
}

fn with_overrides(config: RunConfig, overrides: &[String]) -> Result<RunConfig, ResolveError> {
    if overrides.is_empty() {
        return Ok(config);
    }
    let text = toml::to_string(&config.config).expect("a configuration is a plain table");
    let origin = "run.toml with --set";
    let changed = Config::parse(&text, origin, Path::new("/"), overrides)?;
    resolve(changed, origin)
}

/// Side of the window, working px.
fn window_px(config: &Config, model: Option<&Model>, origin: &str) -> Result<u32, ConfigError> {
    match (model.map(|model| model.card.window_px), config.tiling.window) {
        (Some(card), Some(file)) if card != file => Err(ConfigError::Value {
            origin: origin.to_owned(),
            key: "tiling.window".into(),
            found: file.to_string(),
            expected: format!("{card}, as the model card says, or nothing"),
        }),
        (Some(window), _) | (None, Some(window)) => Ok(window),
        (None, None) => Err(ConfigError::NoModel { origin: origin.to_owned() }),
    }
}

/// The colours that patches are given; `None` without normalisation.
fn target_estimate(keys: &NormalizeKeys) -> Result<Option<ColourEstimate>, TemplateError> {
    match (keys.method.method(), &keys.template) {
        (Some(method), Some(path)) => colour_template::read(path, method, keys.icc).map(Some),
        _ => Ok(None),
    }
}

/// Hash of the fit that the configuration names.
fn fit_sha256(config: &Config, model: Option<&Model>) -> Result<Option<String>, ResolveError> {
    let (Some(path), Some(model)) = (&config.predict.calibration, model) else { return Ok(None) };
    Ok(Some(FitFile::read(path, &model.sha256)?.sha256))
}

/// The method that suits the network: `dense` where dense scores are exact, `cascade` where
/// layers pad, and `window` where neither costs clearly less than single windows.
fn suitable_method(config: &Config, model: Option<&Model>) -> Method {
    let Some(model) = model else { return Method::Window };
    let Ok(network) = densify(model, config.predict.stride) else { return Method::Window };
    let block_px = config.tiling.tile.saturating_mul(config.tiling.block);
    let gain =
        dense_cost(model, &network, block_px, map_bytes(config)).map_or(0.0, |cost| cost.gain());
    if network.inexact.is_empty() && gain >= AUTO_DENSE_GAIN {
        Method::Dense
    } else if network.reach_px <= MARGIN_LIMIT_PX && gain >= AUTO_CASCADE_GAIN {
        Method::Cascade
    } else {
        Method::Window
    }
}

/// What dense runs of the run's network cost beside single windows; `None` for the method `window`,
/// and without a network that has a dense form.
pub(crate) fn dense_cost_of(run: &RunConfig) -> Option<DenseCost> {
    let keys = &run.config.predict;
    let card = run.config.model.card.as_deref().filter(|_| keys.method.runs_dense())?;
    let model = Model::load(card).ok()?;
    let network = densify(&model, keys.stride).ok()?;
    dense_cost(&model, &network, run.tiling().block_px(), map_bytes(&run.config)).ok()
}

/// Memory for the maps of dense runs, bytes.
fn map_bytes(config: &Config) -> u64 {
    config.predict.dense_map_mb.map_or(ASSUMED_MAP_BYTES, |mb| u64::from(mb) * 1_000_000)
}

/// The margin of patches that the method needs, px.
fn margin_px(config: &Config, model: &Model, origin: &str) -> Result<u32, ResolveError> {
    let method = config.predict.method;
    if method == Method::Window {
        return Ok(0);
    }
    let (origin, method) = (origin.to_owned(), method.name());
    match densify(model, config.predict.stride) {
        Ok(network) if network.reach_px <= MARGIN_LIMIT_PX => Ok(network.reach_px),
        Ok(network) => {
            let (reach_px, limit_px) = (network.reach_px, MARGIN_LIMIT_PX);
            Err(ResolveError::Reach { origin, method, reach_px, limit_px })
        }
        Err(source) => Err(ResolveError::Dense { origin, method, source: Box::new(source) }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The method of a run whose configuration says `auto`.
    fn method(text: &str) -> Method {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("configs/models");
        let text = format!("{text}\n[predict]\nmethod = \"auto\"\nstride = 16");
        let config = Config::parse(&text, "test", &folder, &[]).unwrap();
        resolve(config, "test").unwrap().config.predict.method
    }

    #[test]
    fn auto_becomes_the_method_that_suits_the_network() {
        let model = |name: &str| format!("[model]\ncard = \"{name}.toml\"");
        assert_eq!(method(&model("demo-valid")), Method::Dense);
        assert_eq!(method(&model("demo-padded")), Method::Cascade);
        assert_eq!(method("[tiling]\nwindow = 224"), Method::Window);
    }
}
