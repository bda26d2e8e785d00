//! The items of work in a run, and what a task requests from a scheduler for them.

use serde::{Deserialize, Serialize};

use crate::config::Stage;
use crate::number::GroupNumber;

/// The smallest piece of work of a run: it is done, or it is missing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum WorkItem {
    /// Splitting a slide.
    Split(String),
    /// Fitting the dense network over the slides.
    Calibrate,
    /// Scoring a group of a slide.
    Predict(String, GroupNumber),
    /// Stitching a slide.
    Stitch(String),
}

impl WorkItem {
    /// The stage of the item.
    pub fn stage(&self) -> Stage {
        match self {
            Self::Split(_) => Stage::Split,
            Self::Calibrate => Stage::Calibrate,
            Self::Predict(..) => Stage::Predict,
            Self::Stitch(_) => Stage::Stitch,
        }
    }

    /// Name of the slide; `None` for work over all slides.
    pub fn slide(&self) -> Option<&str> {
        match self {
            Self::Split(slide) | Self::Predict(slide, _) | Self::Stitch(slide) => Some(slide),
            Self::Calibrate => None,
        }
    }

    /// Number of the group, for `predict`.
    pub fn group(&self) -> Option<GroupNumber> {
        match self {
            Self::Predict(_, group) => Some(*group),
            Self::Split(_) | Self::Calibrate | Self::Stitch(_) => None,
        }
    }
}

/// Memory and time that a task requests; `None` for what is configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub struct Request {
    /// Memory per task, MB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_mb: Option<u32>,
    /// Wall time per task, minutes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_min: Option<u32>,
}

impl Request {
    /// A request for what is configured.
    pub const NONE: Self = Self { memory_mb: None, time_min: None };
}
