//! The keys that change results, and the hashes of their values.
//!
//! Each section is destructured field by field, so that a new key does not compile until its
//! author decides whether it changes results. The hashes are stored in every file, so the
//! names, the text of the values and the order must not change.

use serde::Serialize;

use super::file::{Config, ModelKeys};
use super::normalize::NormalizeKeys;
use super::predict::{Method, PredictKeys};
use super::resolved::Resolved;
use super::tiling::TilingKeys;
use super::tissue::TissueKeys;
use crate::model::Precision;
use crate::normalize::{ColourEstimate, LabStatistics, Stains};
use crate::sha256::sha256_of_pairs;

/// The results that a key changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Affects {
    /// The key changes patches, and therefore scores.
    Patches,
    /// The key changes scores only.
    Scores,
    /// The key changes scores that are not computed in f32. Scores in f32 keep the hash that
    /// they had before the key existed.
    LessThanF32,
    /// The key changes scores of the method `cascade`. Scores of other methods keep the hash that
    /// they had before the key existed.
    Cascade,
}

/// The key of the fit, which a run may get after its configuration was written.
pub(super) const FIT_KEY: &str = "resolved.fit_sha256";

/// A key that changes results.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ResultKey {
    /// `section.key`
    pub(super) name: &'static str,
    /// The value as TOML text.
    pub(super) value: String,
    affects: Affects,
}

/// All keys of a run that change results, sorted by name. Engine, threads, paths and
/// `[cluster]` are left out because they may differ between machines, `[slides]` because its
/// settings may be added later, `[stitch]` and `[study]` because patches and scores do not
/// depend on them.
#[derive(Debug)]
pub(super) struct ResultKeys {
    keys: Vec<ResultKey>,
    method: Method,
    precision: Precision,
}

impl ResultKeys {
    pub(super) fn new(resolved: &Resolved, config: &Config) -> Self {
        let Config {
            // Settings of single slides may be added later, for example when one of hundreds
            // of slides turns out to lack its resolution. `split` rejects settings that
            // contradict existing patches.
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

    /// The value of a key as TOML text; `None` if the key is not set.
    pub(super) fn value(&self, name: &str) -> Option<&str> {
        self.iter().find(|key| key.name == name).map(|key| key.value.as_str())
    }

    /// Hash of the keys that patches depend on.
    pub(super) fn patches_sha256(&self) -> String {
        self.sha256(|affects| affects == Affects::Patches)
    }

    /// Hash of the keys that scores depend on.
    pub(super) fn scores_sha256(&self) -> String {
        self.sha256(|affects| match affects {
            Affects::Patches | Affects::Scores => true,
            Affects::LessThanF32 => self.precision != Precision::F32,
            Affects::Cascade => self.method == Method::Cascade,
        })
    }

    fn sha256(&self, counts: impl Fn(Affects) -> bool) -> String {
        let keys = self.iter().filter(|key| counts(key.affects));
        sha256_of_pairs(keys.map(|key| (key.name, key.value.as_str())))
    }

    fn add(&mut self, affects: Affects, name: &'static str, value: impl Serialize) {
        let value = toml::Value::try_from(value).expect("keys have plain values").to_string();
        self.keys.push(ResultKey { name, value, affects });
    }

    fn add_some(&mut self, affects: Affects, name: &'static str, value: Option<impl Serialize>) {
        if let Some(value) = value {
            self.add(affects, name, value);
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
            fit_sha256,
        } = resolved;
        self.add(Affects::Patches, "resolved.window", window);
        self.add(Affects::Patches, "resolved.mpp", mpp);
        self.add(Affects::Scores, "resolved.model_sha256", model_sha256);
        self.add(Affects::Scores, "resolved.card_sha256", card_sha256);
        self.add_some(Affects::Patches, "resolved.margin", *margin);
        self.add_some(Affects::Scores, FIT_KEY, fit_sha256.as_ref());
        if let Some(target) = target {
            self.add_target(target);
        }
    }

    /// The target colours change scores only, because patches keep the slide's own colours.
    fn add_target(&mut self, target: &ColourEstimate) {
        self.add(Affects::Scores, "resolved.target.method", target.method().name());
        match target {
            ColourEstimate::Reinhard(LabStatistics { mean, std }) => {
                self.add(Affects::Scores, "resolved.target.mean", mean);
                self.add(Affects::Scores, "resolved.target.std", std);
            }
            ColourEstimate::Macenko(stains) => self.add_stains(stains),
            ColourEstimate::Vahadane { luminosity, stains } => {
                self.add(Affects::Scores, "resolved.target.luminosity", luminosity);
                self.add_stains(stains);
            }
        }
    }

    fn add_stains(&mut self, Stains { haematoxylin, eosin, strength }: &Stains) {
        self.add(Affects::Scores, "resolved.target.haematoxylin", haematoxylin);
        self.add(Affects::Scores, "resolved.target.eosin", eosin);
        self.add(Affects::Scores, "resolved.target.strength", strength);
    }

    fn add_tissue(&mut self, tissue: &TissueKeys) {
        let TissueKeys {
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
        self.add(Affects::Patches, "tissue.method", method);
        self.add_some(Affects::Patches, "tissue.stain_threshold", *stain_threshold);
        self.add_some(Affects::Patches, "tissue.min_share", *min_share);
        self.add_some(Affects::Patches, "tissue.saturation_threshold", *saturation_threshold);
        self.add_some(Affects::Patches, "tissue.grey_threshold", *grey_threshold);
        self.add(Affects::Patches, "tissue.median", median);
        self.add(Affects::Patches, "tissue.closing", closing);
        self.add(Affects::Patches, "tissue.closing_element", closing_element);
        self.add(Affects::Patches, "tissue.min_area_tiles", min_area_tiles);
        self.add(Affects::Patches, "tissue.fill_holes_tiles", fill_holes_tiles);
        self.add_some(Affects::Patches, "tissue.mask", mask.as_ref());
        self.add(Affects::Patches, "tissue.mask_coverage", mask_coverage);
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
        self.add(Affects::Patches, "tiling.tile", tile);
        self.add(Affects::Patches, "tiling.block", block);
        self.add_some(Affects::Patches, "tiling.window", *window);
        self.add_some(Affects::Patches, "tiling.patches_per_group", *patches_per_group);
        self.add_some(Affects::Patches, "tiling.group_memory_mb", *group_memory_mb);
        self.add(Affects::Patches, "tiling.compression", compression);
        self.add(Affects::Patches, "tiling.gzip_level", gzip_level);
    }

    fn add_model(&mut self, ModelKeys { card: _, mpp, mpp_force: _ }: &ModelKeys) {
        self.add_some(Affects::Patches, "model.mpp", *mpp);
    }

    fn add_normalize(&mut self, normalize: &NormalizeKeys) {
        if normalize.is_default() {
            return;
        }
        // Results depend on the colours measured on the template (`resolved.target`), not on its
        // path.
        let NormalizeKeys { method, template: _, scope, on_failure, icc } = normalize;
        self.add(Affects::Patches, "normalize.method", method);
        self.add(Affects::Scores, "normalize.scope", scope);
        self.add(Affects::Scores, "normalize.on_failure", on_failure);
        self.add(Affects::Patches, "normalize.icc", icc);
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
            dense_map_mb: _,
            dense_tolerance: _,
            dense_force: _,
            refine_above,
            refine_below,
            audit_bound,
            audit_share,
            // Results depend on what the file holds (`resolved.fit_sha256`).
            calibration: _,
        } = predict;
        self.add(Affects::Scores, "predict.stride", stride);
        self.add(Affects::Scores, "predict.method", method);
        self.add(Affects::LessThanF32, "predict.precision", precision);
        self.add(Affects::Cascade, "predict.refine_above", refine_above);
        self.add(Affects::Cascade, "predict.refine_below", refine_below);
        match audit_share {
            // The bound has no effect beside a share.
            Some(share) => self.add(Affects::Cascade, "predict.audit_share", share),
            None => self.add(Affects::Cascade, "predict.audit_bound", audit_bound),
        }
    }
}
