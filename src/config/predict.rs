//! The section `[predict]`: how lattice points are scored.

use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::violation::Violation;
use crate::model::{EngineChoice, Precision};

/// Fewest slides over which the dense network is fitted, since slides are left out to judge the fit.
pub(crate) const MIN_FIT_SLIDES: usize = 4;

/// `[predict]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PredictKeys {
    /// Distance between neighbouring lattice points, working px.
    pub stride: u32,
    /// How lattice points get their scores.
    pub method: Method,
    /// The library that runs the network: `auto`, `tract`, `ort` or `openvino`.
    pub engine: EngineChoice,
    /// Number type that the network computes in; only `openvino` offers less than f32.
    pub precision: Precision,
    /// Largest difference that a sampled window's score may have from its score in f32.
    pub precision_tolerance: f64,
    /// Whether scores of lower precision are accepted whatever the difference.
    pub precision_force: bool,
    /// Number of workers; if absent, a number that suits the machine is chosen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threads: Option<usize>,
    /// Windows per run of the network; if absent, the engine decides.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch: Option<usize>,
    /// Whether overlapping windows share the first layers of the network.
    pub share: bool,
    /// Minutes between saves of the part file; 0 = no saves.
    pub checkpoint_min: f64,
    /// Path of the library libonnxruntime.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ort_library: Option<PathBuf>,
    /// Path of the library libopenvino_c.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub openvino_library: Option<PathBuf>,
    /// Memory for the maps of dense runs, of all workers together, MB; if absent, what keeps the
    /// process below a gigabyte.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dense_map_mb: Option<u32>,
    /// Largest root mean square difference that dense scores may have from exact scores.
    pub dense_tolerance: f64,
    /// Whether dense scores are accepted whatever the difference.
    pub dense_force: bool,
    /// `cascade`: points whose screened score of the positive class is at least this get exact
    /// scores.
    pub refine_above: f64,
    /// `cascade`: points whose screened score of the positive class is at least this keep the
    /// screened score, where the screen's error cannot hide an exact score below 0.5; 1 = no
    /// such points.
    pub refine_below: f64,
    /// `cascade`: largest share of a slide's points that the screen may have missed, at 95 %
    /// confidence. The audit draws as many points as this bound needs and scores them exactly.
    pub audit_bound: f64,
    /// `cascade`, in runs made before `audit_bound`: share of the points ruled out by the screen
    /// that is scored exactly; no bound has to hold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audit_share: Option<f64>,
    /// A fit of the network's head that `slidegrid calibrate` made in another run: the path of
    /// its `fit.json`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calibration: Option<PathBuf>,
}

/// Default of [`PredictKeys::audit_bound`].
const AUDIT_BOUND: f64 = 0.0033;

impl Default for PredictKeys {
    fn default() -> Self {
        Self {
            stride: 16,
            method: Method::Window,
            engine: EngineChoice::Auto,
            precision: Precision::F32,
            precision_tolerance: 0.05,
            precision_force: false,
            threads: None,
            batch: None,
            share: true,
            checkpoint_min: 10.0,
            ort_library: None,
            openvino_library: None,
            dense_map_mb: None,
            dense_tolerance: 0.05,
            dense_force: false,
            refine_above: 0.1,
            refine_below: 1.0,
            audit_bound: AUDIT_BOUND,
            audit_share: None,
            calibration: None,
        }
    }
}

impl PredictKeys {
    /// The first value that breaks a rule.
    pub(super) fn violation(&self) -> Option<Violation> {
        for (key, share) in [
            ("predict.dense_tolerance", self.dense_tolerance),
            ("predict.precision_tolerance", self.precision_tolerance),
            ("predict.refine_above", self.refine_above),
            ("predict.refine_below", self.refine_below),
            ("predict.audit_bound", self.audit_bound),
            ("predict.audit_share", self.audit_share.unwrap_or(0.0)),
        ] {
            if !(0.0..=1.0).contains(&share) {
                return Some(Violation::new(key, share.to_string(), "0 to 1"));
            }
        }
        if self.audit_bound <= 0.0 {
            let rule = "above 0: a bound of 0 needs exact scores of all points; method = \"window\" gives them";
            return Some(Violation::new("predict.audit_bound", self.audit_bound.to_string(), rule));
        }
        if self.precision != Precision::F32 && self.engine != EngineChoice::OpenVino {
            let found = format!("{} with engine = \"{}\"", self.precision, self.engine);
            let rule = "engine = \"openvino\" with it: the other engines compute in f32";
            return Some(Violation::new("predict.precision", found, rule));
        }
        let minutes = self.checkpoint_min;
        (!(0.0..=1e6).contains(&minutes)).then(|| {
            let rule = "minutes, at least 0 and at most a million";
            Violation::new("predict.checkpoint_min", minutes.to_string(), rule)
        })
    }
}

/// How lattice points get their scores.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// The network runs once for each window.
    Window,
    /// The dense network scores all points of a patch in one run.
    Dense,
    /// A cheap screen scores all points; those that the screen does not rule out get exact scores.
    Cascade,
    /// The one of the other methods that suits the network; a run has that one.
    Auto,
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
    /// Whether the network runs over whole images.
    pub(crate) fn runs_dense(self) -> bool {
        matches!(self, Self::Dense | Self::Cascade)
    }

    /// The word for the method in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Window => "window",
            Self::Dense => "dense",
            Self::Cascade => "cascade",
            Self::Auto => "auto",
        }
    }
}
