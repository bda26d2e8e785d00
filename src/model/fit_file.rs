//! `fit.json`: the head of a network, fitted to windows of many slides.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::dense::HeadFit;
use super::load::Model;
use crate::regular_file::{self, TEXT_BYTES};
use crate::sha256::sha256_of_bytes;

const FORMAT: &str = "slidegrid-fit";
const VERSION: u32 = 1;

/// A fit cannot be used.
#[derive(Debug, Error)]
#[error("{}: {problem}", path.display())]
pub struct FitFileError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong, and what to do.
    pub problem: String,
}

/// A head that was fitted to windows of many slides, and how well it does on slides that
/// were left out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FitFile {
    format: String,
    version: u32,
    writer: String,
    /// SHA-256 of the ONNX file of the network.
    pub(crate) model_sha256: String,
    /// Number type that the dense network computed in.
    pub(crate) precision: String,
    /// Distance between the outputs of the dense network, working px.
    pub(crate) stride_px: u32,
    /// The slides whose windows were fitted.
    pub(crate) slides: Vec<FitSlide>,
    pub(crate) judged: FitJudgement,
    /// Why the fit cannot be used as a screen; empty if it can.
    pub(crate) open: String,
    pub(crate) head: HeadFit,
}

/// The windows that a slide contributed to a fit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FitSlide {
    pub(crate) name: String,
    pub(crate) windows: u64,
    /// Windows among them with a score of at least 0.5.
    pub(crate) positives: u64,
}

/// How well a fit scores slides that were left out of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FitJudgement {
    /// Windows drawn by place.
    pub(crate) windows: u64,
    /// Windows chosen because a first fit scored them high, or was unsure.
    pub(crate) chosen: u64,
    /// Windows with a score of at least 0.5.
    pub(crate) positives: u64,
    /// Windows near the threshold or above it.
    pub(crate) near: u64,
    /// Root mean square difference of scores, on windows drawn by place.
    pub(crate) rms: f64,
    /// 99th percentile of the differences on the same windows.
    pub(crate) p99: f64,
    /// The screened score from which a cascade scores exactly.
    pub(crate) refine_above: f64,
    /// Positive windows with a screened score below that.
    pub(crate) lost: u64,
    /// Upper 95 % bound on the share of such windows among the positive ones.
    pub(crate) lost_bound: f64,
    /// Screened score that 99 of 100 positive windows reach; `None` without such windows.
    pub(crate) low_detection: Option<f64>,
}

/// A fit that was read from a file.
pub(crate) struct ReadFit {
    pub(crate) fit: FitFile,
    /// SHA-256 of the file.
    pub(crate) sha256: String,
}

impl FitFile {
    /// A fit of `model`'s head.
    pub(crate) fn new(
        model: &Model,
        precision: &str,
        stride_px: u32,
        judged: FitJudgement,
        head: HeadFit,
    ) -> Self {
        Self {
            format: FORMAT.to_owned(),
            version: VERSION,
            writer: concat!("slidegrid ", env!("CARGO_PKG_VERSION")).to_owned(),
            model_sha256: model.sha256.clone(),
            precision: precision.to_owned(),
            stride_px,
            slides: Vec::new(),
            judged,
            open: String::new(),
            head,
        }
    }

    /// The bytes of the file.
    pub(crate) fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec_pretty(self).expect("a fit is plain data")
    }

    /// Reads a fit of the network with hash `model_sha256`.
    ///
    /// # Errors
    /// [`FitFileError`] if the file cannot be read, is no fit, or is another network's.
    pub(crate) fn read(path: &Path, model_sha256: &str) -> Result<ReadFit, FitFileError> {
        let invalid = |problem: String| FitFileError { path: path.to_owned(), problem };
        let bytes = regular_file::read(path, TEXT_BYTES).map_err(|error| {
            invalid(format!(
                "cannot read the fit: {error}; `slidegrid calibrate --run RUN` makes one"
            ))
        })?;
        let fit: Self = serde_json::from_slice(&bytes).map_err(|error| {
            invalid(format!("not a fit that `slidegrid calibrate` wrote: {error}"))
        })?;
        if fit.format != FORMAT || fit.version != VERSION {
            let (format, version) = (&fit.format, fit.version);
            return Err(invalid(format!(
                "format {format}, version {version}; expected {FORMAT}, version {VERSION}"
            )));
        }
        if fit.model_sha256 != model_sha256 {
            return Err(invalid(format!(
                "a fit of the network with SHA-256 {}, the run's network has {model_sha256}; make a fit of this network with `slidegrid calibrate`",
                fit.model_sha256
            )));
        }
        Ok(ReadFit { sha256: sha256_of_bytes(&bytes), fit })
    }
}
