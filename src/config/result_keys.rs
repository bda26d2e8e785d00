//! The keys that decide results, and the hashes taken over them.
//!
//! Every section is taken apart field by field, so that a new key does not compile
//! until somebody has said whether it decides results. The hashes are stored in every
//! file: a name, a value's text and the order must stay what they are.

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::{Config, Method, ModelKeys, NormalizeKeys, PredictKeys, Resolved, TilingKeys};
use crate::model::{ModelCard, Precision};
use crate::normalize::{Estimate, LabStatistics, Stains};
use crate::tissue::TissueOptions;

/// What a key decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Decides {
    /// Patches, and with them scores.
    Patches,
    /// Scores alone.
    Scores,
    /// Scores that are not computed in f32: those in f32 have the hash they had before
    /// there was less.
    LessThanF32,
    /// Scores of the method `cascade`: those of the other methods have the hash they had
    /// before these keys.
    Cascade,
}

/// A key that decides results.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ResultKey {
    /// `section.key`
    pub(super) name: &'static str,
    /// The value as TOML has it.
    pub(super) value: String,
    decides: Decides,
}

/// All keys of a run that decide results, sorted by name: neither the engine, threads,
/// paths and cluster, which differ between machines, nor `[slides]`, `[stitch]` and
/// `[study]`.
#[derive(Debug)]
pub(super) struct ResultKeys {
    keys: Vec<ResultKey>,
    method: Method,
    precision: Precision,
}

impl ResultKeys {
    pub(super) fn new(resolved: &Resolved, config: &Config) -> Self {
        let Config {
            // What single slides are may be completed when one of hundreds turns out to
            // lack its resolution; `split` refuses what contradicts patches that are there.
            slides: _,
            tissue,
            tiling,
            model,
            normalize,
            predict,
            stitch: _,
            cluster: _,
            study: _,
        } = config;
        let (method, precision) = (predict.method, predict.precision);
        let mut keys = Self { keys: Vec::new(), method, precision };
        keys.add_resolved(resolved);
        keys.add_tissue(tissue);
        keys.add_tiling(tiling);
        keys.add_model(model);
        keys.add_normalize(normalize);
        keys.add_predict(predict);
        keys.keys.sort_by_key(|key| key.name);
        keys
    }

    /// The keys, sorted by name.
    pub(super) fn iter(&self) -> impl Iterator<Item = &ResultKey> {
        self.keys.iter()
    }

    /// The value of a key as TOML has it; `None` where it has none.
    pub(super) fn value(&self, name: &str) -> Option<&str> {
        self.iter().find(|key| key.name == name).map(|key| key.value.as_str())
    }

    /// Hash over what patches depend on.
    pub(super) fn patches_sha256(&self) -> String {
        self.sha256(|decides| decides == Decides::Patches)
    }

    /// Hash over what scores depend on.
    pub(super) fn scores_sha256(&self) -> String {
        self.sha256(|decides| match decides {
            Decides::Patches | Decides::Scores => true,
            Decides::LessThanF32 => self.precision != Precision::F32,
            Decides::Cascade => self.method == Method::Cascade,
        })
    }

    fn sha256(&self, counts: impl Fn(Decides) -> bool) -> String {
        let keys = self.iter().filter(|key| counts(key.decides));
        sha256(keys.map(|key| (key.name, key.value.as_str())))
    }

    fn add(&mut self, decides: Decides, name: &'static str, value: impl Serialize) {
        let value = toml::Value::try_from(value).expect("keys have plain values").to_string();
        self.keys.push(ResultKey { name, value, decides });
    }

    fn add_some(&mut self, decides: Decides, name: &'static str, value: Option<impl Serialize>) {
        if let Some(value) = value {
            self.add(decides, name, value);
        }
    }

    fn add_resolved(&mut self, resolved: &Resolved) {
        let Resolved {
            version: _,
            writer: _,
            window,
            mpp,
            model_sha256,
            card_sha256,
            target,
            margin,
        } = resolved;
        self.add(Decides::Patches, "resolved.window", window);
        self.add(Decides::Patches, "resolved.mpp", mpp);
        self.add(Decides::Scores, "resolved.model_sha256", model_sha256);
        self.add(Decides::Scores, "resolved.card_sha256", card_sha256);
        self.add_some(Decides::Patches, "resolved.margin", *margin);
        if let Some(target) = target {
            self.add_target(target);
        }
    }

    /// Patches hold the slide's own colours: those it is given decide scores alone.
    fn add_target(&mut self, target: &Estimate) {
        self.add(Decides::Scores, "resolved.target.method", target.method().name());
        match target {
            Estimate::Reinhard(LabStatistics { mean, std }) => {
                self.add(Decides::Scores, "resolved.target.mean", mean);
                self.add(Decides::Scores, "resolved.target.std", std);
            }
            Estimate::Macenko(stains) => self.add_stains(stains),
            Estimate::Vahadane { luminosity, stains } => {
                self.add(Decides::Scores, "resolved.target.luminosity", luminosity);
                self.add_stains(stains);
            }
        }
    }

    fn add_stains(&mut self, Stains { haematoxylin, eosin, strength }: &Stains) {
        self.add(Decides::Scores, "resolved.target.haematoxylin", haematoxylin);
        self.add(Decides::Scores, "resolved.target.eosin", eosin);
        self.add(Decides::Scores, "resolved.target.strength", strength);
    }

    fn add_tissue(&mut self, tissue: &TissueOptions) {
        let TissueOptions {
            method,
            stain_threshold,
            min_share,
            saturation_threshold,
            grey_threshold,
            median,
            closing,
            closing_element,
            min_area_tiles,
            fill_holes_tiles,
            mask,
            mask_coverage,
        } = tissue;
        self.add(Decides::Patches, "tissue.method", method);
        self.add_some(Decides::Patches, "tissue.stain_threshold", *stain_threshold);
        self.add_some(Decides::Patches, "tissue.min_share", *min_share);
        self.add_some(Decides::Patches, "tissue.saturation_threshold", *saturation_threshold);
        self.add_some(Decides::Patches, "tissue.grey_threshold", *grey_threshold);
        self.add(Decides::Patches, "tissue.median", median);
        self.add(Decides::Patches, "tissue.closing", closing);
        self.add(Decides::Patches, "tissue.closing_element", closing_element);
        self.add(Decides::Patches, "tissue.min_area_tiles", min_area_tiles);
        self.add(Decides::Patches, "tissue.fill_holes_tiles", fill_holes_tiles);
        self.add_some(Decides::Patches, "tissue.mask", mask.as_ref());
        self.add(Decides::Patches, "tissue.mask_coverage", mask_coverage);
    }

    fn add_tiling(&mut self, tiling: &TilingKeys) {
        let TilingKeys {
            tile,
            block,
            window,
            patches_per_group,
            group_memory_mb,
            compression,
            gzip_level,
            coords: _,
        } = tiling;
        self.add(Decides::Patches, "tiling.tile", tile);
        self.add(Decides::Patches, "tiling.block", block);
        self.add_some(Decides::Patches, "tiling.window", *window);
        self.add_some(Decides::Patches, "tiling.patches_per_group", *patches_per_group);
        self.add_some(Decides::Patches, "tiling.group_memory_mb", *group_memory_mb);
        self.add(Decides::Patches, "tiling.compression", compression);
        self.add(Decides::Patches, "tiling.gzip_level", gzip_level);
    }

    fn add_model(&mut self, ModelKeys { card: _, mpp }: &ModelKeys) {
        self.add_some(Decides::Patches, "model.mpp", *mpp);
    }

    fn add_normalize(&mut self, normalize: &NormalizeKeys) {
        if normalize.is_default() {
            return;
        }
        // What was measured of the template counts (`resolved.target`), not where it lies.
        let NormalizeKeys { method, template: _, scope, on_failure, icc } = normalize;
        self.add(Decides::Patches, "normalize.method", method);
        self.add(Decides::Scores, "normalize.scope", scope);
        self.add(Decides::Scores, "normalize.on_failure", on_failure);
        self.add(Decides::Patches, "normalize.icc", icc);
    }

    fn add_predict(&mut self, predict: &PredictKeys) {
        let PredictKeys {
            stride,
            method,
            engine: _,
            precision,
            precision_tolerance: _,
            precision_force: _,
            threads: _,
            batch: _,
            share: _,
            checkpoint_min: _,
            ort_library: _,
            openvino_library: _,
            dense_tolerance: _,
            dense_force: _,
            refine_above,
            refine_below,
            audit_bound,
            audit_share,
        } = predict;
        self.add(Decides::Scores, "predict.stride", stride);
        self.add(Decides::Scores, "predict.method", method);
        self.add(Decides::LessThanF32, "predict.precision", precision);
        self.add(Decides::Cascade, "predict.refine_above", refine_above);
        self.add(Decides::Cascade, "predict.refine_below", refine_below);
        match audit_share {
            // No bound is held, whatever it says.
            Some(share) => self.add(Decides::Cascade, "predict.audit_share", share),
            None => self.add(Decides::Cascade, "predict.audit_bound", audit_bound),
        }
    }
}

/// Hash over what a card says of pixels and classes: a card edited after scores were
/// made is another model, though the network is the same.
pub(crate) fn card_sha256(card: &ModelCard) -> String {
    let ModelCard {
        file: _,
        sha256: _,
        window_px,
        mpp: _,
        layout,
        range,
        mean,
        std,
        channels,
        classes,
        positive,
        activation,
        input: _,
        output: _,
    } = card;
    let pixels = format!("{window_px} {layout:?} {range:?} {mean:?} {std:?} {channels:?}");
    let classes = format!("{classes:?} {positive} {activation:?}");
    sha256([("pixels", pixels.as_str()), ("classes", classes.as_str())].into_iter())
}

/// SHA-256 of a line `key=value` each, lower-case hexadecimal.
fn sha256<'k>(pairs: impl Iterator<Item = (&'k str, &'k str)>) -> String {
    let mut sha = Sha256::new();
    for (key, value) in pairs {
        sha.update(format!("{key}={value}\n"));
    }
    sha.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
