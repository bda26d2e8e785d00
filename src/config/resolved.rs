//! The values that follow from the model card, the template and defaults.

use serde::{Deserialize, Serialize};

use crate::geometry::plane::TargetMpp;
use crate::normalize::ColourEstimate;

/// Version of `run.toml`.
pub(crate) const RUN_VERSION: u32 = 1;

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
    pub target: Option<ColourEstimate>,
    /// Margin of the patches, px: the reach of the dense network. Absent if it is 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub margin: Option<u32>,
    /// SHA-256 of the fit that dense scores rest on: that of `calibration/fit.json`, or of the
    /// file that `predict.calibration` names. Absent if each slide is fitted to its own windows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fit_sha256: Option<String>,
}
