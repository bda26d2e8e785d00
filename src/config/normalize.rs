//! `[normalize]`: what is done about colour.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::normalize::Method;

/// `[normalize]`
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NormalizeKeys {
    /// How stains are normalised.
    pub method: NormalizeMethod,
    /// A picture to look like, or stains that `slidegrid normalize fit` wrote.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub template: Option<PathBuf>,
    /// Where stains are estimated.
    pub scope: Scope,
    /// What becomes of a patch whose stains cannot be told.
    pub on_failure: OnFailure,
    /// Whether the slide's own colour profile is applied.
    pub icc: bool,
}

impl NormalizeKeys {
    /// Whether nothing is to be done about colour: the section is then left out
    /// of `run.toml`.
    pub(super) fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Whether a patch may come to depend on what was measured of its slide.
    pub fn needs_slide_estimate(&self) -> bool {
        let asked = self.scope == Scope::Slide || self.on_failure == OnFailure::SlideEstimate;
        asked && self.method != NormalizeMethod::None
    }

    /// Key, value and rule of what breaks one.
    pub(super) fn fault(&self) -> Option<(&'static str, String, &'static str)> {
        match (self.method.method(), &self.template) {
            (Some(method), None) => Some((
                "normalize.template",
                format!("missing, with method = \"{method}\""),
                "a picture to look like (PNG, JPEG, TIFF), or the file that `slidegrid normalize fit` writes",
            )),
            (None, Some(template)) => Some((
                "normalize.template",
                format!("{:?}, with method = \"none\"", template.display()),
                "a method that uses it: reinhard, macenko or vahadane",
            )),
            _ => None,
        }
    }
}

/// How stains are normalised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NormalizeMethod {
    /// Not at all.
    #[default]
    None,
    /// [`Method::Reinhard`].
    Reinhard,
    /// [`Method::Macenko`].
    Macenko,
    /// [`Method::Vahadane`].
    Vahadane,
}

impl NormalizeMethod {
    /// The method, if there is one.
    pub fn method(self) -> Option<Method> {
        match self {
            Self::None => None,
            Self::Reinhard => Some(Method::Reinhard),
            Self::Macenko => Some(Method::Macenko),
            Self::Vahadane => Some(Method::Vahadane),
        }
    }
}

/// Where stains are estimated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// Once a slide, by `split`, from all its tissue.
    #[default]
    Slide,
    /// For each patch, from its own pixels: as the paper.
    Patch,
}

impl Scope {
    /// As written in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Slide => "slide",
            Self::Patch => "patch",
        }
    }
}

/// What becomes of a patch whose stains cannot be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnFailure {
    /// The slide's estimate is used; where there is none, as `fail`.
    #[default]
    SlideEstimate,
    /// It is scored as it is.
    Raw,
    /// It is not scored.
    Fail,
}

impl OnFailure {
    /// As written in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::SlideEstimate => "slide-estimate",
            Self::Raw => "raw",
            Self::Fail => "fail",
        }
    }
}
