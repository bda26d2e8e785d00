//! What there is to do in a run, and what is asked of a scheduler for it.

use serde::{Deserialize, Serialize};

use crate::config::Stage;
use crate::number::GroupNumber;

/// The smallest thing that is done, or missing, of a run.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum WorkItem {
    /// Splitting a slide.
    Split(String),
    /// Scoring a group of a slide.
    Predict(String, GroupNumber),
    /// Stitching a slide.
    Stitch(String),
}

impl WorkItem {
    /// The stage it belongs to.
    pub fn stage(&self) -> Stage {
        match self {
            Self::Split(_) => Stage::Split,
            Self::Predict(..) => Stage::Predict,
            Self::Stitch(_) => Stage::Stitch,
        }
    }

    /// The slide it is about.
    pub fn slide(&self) -> &str {
        match self {
            Self::Split(slide) | Self::Predict(slide, _) | Self::Stitch(slide) => slide,
        }
    }

    /// The group, of `predict`.
    pub fn group(&self) -> Option<GroupNumber> {
        match self {
            Self::Predict(_, group) => Some(*group),
            Self::Split(_) | Self::Stitch(_) => None,
        }
    }
}

/// Memory and time asked for, where that is more than nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub struct Request {
    /// Memory of a task, MB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_mb: Option<u32>,
    /// Wall time of a task, minutes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_min: Option<u32>,
}

impl Request {
    /// As configured.
    pub const NONE: Self = Self { memory_mb: None, time_min: None };
}
