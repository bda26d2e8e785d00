//! How windows are scored.

use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::model::{EngineChoice, Precision};

/// `[predict]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PredictKeys {
    /// Distance between scored points, working px.
    pub stride: u32,
    /// How lattice points get their scores.
    pub method: Method,
    /// `auto`, `tract`, `ort` or `openvino`.
    pub engine: EngineChoice,
    /// What the network computes in; less than f32 with `openvino` alone.
    pub precision: Precision,
    /// Largest difference of a sampled window's score from that in f32.
    pub precision_tolerance: f64,
    /// Take scores of less precision whatever they differ.
    pub precision_force: bool,
    /// Workers; the machine decides when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threads: Option<usize>,
    /// Windows a run of the network; the engine decides when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch: Option<usize>,
    /// Whether single windows share their first layers where they overlap.
    pub share: bool,
    /// Minutes between saves of what is scored of a group; 0 = none.
    pub checkpoint_min: f64,
    /// libonnxruntime to load.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ort_library: Option<PathBuf>,
    /// libopenvino_c to load.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub openvino_library: Option<PathBuf>,
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
    /// `cascade`: largest share of a slide's points that may have been missed, at 95 %
    /// confidence; as many points left alone as that takes are scored exactly all the
    /// same.
    pub audit_bound: f64,
    /// What there was before `audit_bound`: a share of the points left alone is scored
    /// exactly all the same, and no bound has to be held.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audit_share: Option<f64>,
}

/// [`PredictKeys::audit_bound`] where nothing else is said.
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
            dense_tolerance: 0.05,
            dense_force: false,
            refine_above: 0.1,
            refine_below: 1.0,
            audit_bound: AUDIT_BOUND,
            audit_share: None,
        }
    }
}

impl PredictKeys {
    /// A value that breaks a rule: key, value, rule.
    pub(super) fn fault(&self) -> Option<(&'static str, String, &'static str)> {
        if self.threads == Some(0) || self.batch == Some(0) {
            let rule = "at least 1, or nothing";
            return Some(("predict.threads or predict.batch", "0".into(), rule));
        }
        for (key, share) in [
            ("predict.dense_tolerance", self.dense_tolerance),
            ("predict.precision_tolerance", self.precision_tolerance),
            ("predict.refine_above", self.refine_above),
            ("predict.refine_below", self.refine_below),
            ("predict.audit_bound", self.audit_bound),
            ("predict.audit_share", self.audit_share.unwrap_or(0.0)),
        ] {
            if !(0.0..=1.0).contains(&share) {
                return Some((key, share.to_string(), "0 to 1"));
            }
        }
        if self.audit_bound <= 0.0 {
            let rule = "above 0: no audit of fewer than all points holds a bound of 0; method = \"window\" does";
            return Some(("predict.audit_bound", self.audit_bound.to_string(), rule));
        }
        if self.precision != Precision::F32 && self.engine != EngineChoice::OpenVino {
            let found = format!("{} with engine = \"{}\"", self.precision, self.engine);
            let rule = "engine = \"openvino\" with it: the other engines compute in f32";
            return Some(("predict.precision", found, rule));
        }
        let minutes = self.checkpoint_min;
        (!(minutes.is_finite() && minutes >= 0.0))
            .then(|| ("predict.checkpoint_min", minutes.to_string(), "minutes, at least 0"))
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
