//! The section `[normalize]`: how colours are normalised.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::violation::Violation;
use crate::normalize::ColourMethod;

/// `[normalize]`
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NormalizeKeys {
    /// Method of stain normalisation.
    pub method: NormalizeMethod,
    /// The template of the colours: a picture, or a file of stains that `slidegrid normalize fit`
    /// wrote.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub template: Option<PathBuf>,
    /// Where stains are estimated.
    pub scope: Scope,
    /// What is done with a patch whose stains cannot be determined.
    pub on_failure: OnFailure,
    /// Whether the slide's own colour profile is applied.
    pub icc: bool,
}

impl NormalizeKeys {
    /// Whether colours are left as they are; `run.toml` then has no section `[normalize]`.
    pub(super) fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Whether a patch may need the estimate of its whole slide.
    pub fn needs_slide_estimate(&self) -> bool {
        let uses_slide = self.scope == Scope::Slide || self.on_failure == OnFailure::SlideEstimate;
        uses_slide && self.method != NormalizeMethod::None
    }

    /// The first value that breaks a rule.
    pub(super) fn violation(&self) -> Option<Violation> {
        match (self.method.method(), &self.template) {
            (Some(method), None) => Some(Violation::new(
                "normalize.template",
                format!("missing, with method = \"{method}\""),
                "a picture with the colours to match (PNG, JPEG, TIFF), or a file that `slidegrid normalize fit` wrote",
            )),
            (None, Some(template)) => Some(Violation::new(
                "normalize.template",
                format!("{:?}, with method = \"none\"", template.display()),
                "a method that uses it: reinhard, macenko or vahadane",
            )),
            _ => None,
        }
    }
}

/// Method of stain normalisation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NormalizeMethod {
    /// Stains are not normalised.
    #[default]
    None,
    /// [`ColourMethod::Reinhard`].
    Reinhard,
    /// [`ColourMethod::Macenko`].
    Macenko,
    /// [`ColourMethod::Vahadane`].
    Vahadane,
}

impl NormalizeMethod {
    /// The method, or `None` if stains are not normalised.
    pub fn method(self) -> Option<ColourMethod> {
        match self {
            Self::None => None,
            Self::Reinhard => Some(ColourMethod::Reinhard),
            Self::Macenko => Some(ColourMethod::Macenko),
            Self::Vahadane => Some(ColourMethod::Vahadane),
        }
    }
}

/// Where stains are estimated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// Stains are estimated once per slide, by `split`, from all its tissue.
    #[default]
    Slide,
    /// Stains are estimated for each patch from its own pixels, as in the paper.
    Patch,
}

impl Scope {
    /// The word for the scope in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Slide => "slide",
            Self::Patch => "patch",
        }
    }
}

/// What is done with a patch whose stains cannot be determined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnFailure {
    /// The slide's estimate is used; if there is none, the patch is not scored.
    #[default]
    SlideEstimate,
    /// The patch is scored with its colours unchanged.
    Raw,
    /// The patch is not scored.
    Fail,
}

impl OnFailure {
    /// The word for the choice in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::SlideEstimate => "slide-estimate",
            Self::Raw => "raw",
            Self::Fail => "fail",
        }
    }
}
