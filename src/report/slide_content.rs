//! What the files of one slide are made from, and what they show.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::layers::GridLayer;
use super::picture::Origin;
use super::truth_shapes::Shapes;
use crate::config::StudyKeys;
use crate::geometry::CoordinateOrigin;
use crate::run_dir::{RunDir, SlideRecord};

/// The files of one slide, and what they are made from.
pub(super) struct SlideFiles<'a> {
    pub(super) run: &'a RunDir,
    pub(super) record: &'a SlideRecord,
    /// Folder that the files are written to.
    pub(super) folder: PathBuf,
    /// Name of that folder.
    pub(super) id: String,
    /// `[study]` of the configuration: how detections are made, and which annotations are lesions.
    pub(super) keys: &'a StudyKeys,
    /// Where a file of truth begins to count that leaves this open.
    pub(super) origin: CoordinateOrigin,
    /// The slide's file in the truth folder.
    pub(super) truth: Option<PathBuf>,
    /// The slide's file of detections, written by a study.
    pub(super) detections: Option<PathBuf>,
}

/// Summary of what the files of a slide show.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct DrawnSummary {
    /// Where the picture comes from.
    pub(super) origin: Origin,
    /// Largest score of the heatmap.
    pub(super) max: Option<f32>,
    /// Number of lattice points with a score.
    pub(super) scored: u64,
    /// Number of detections; `None` without a heatmap.
    pub(super) detections: Option<usize>,
    /// Whether truth is drawn.
    pub(super) has_truth: bool,
    /// What is missing or shown incompletely, and why.
    pub(super) notes: Vec<String>,
    /// Whether one of the notes is about a file that cannot be read.
    pub(super) damaged: bool,
}

/// The data that `layers.js` passes to the page.
#[derive(Serialize, Default)]
pub(super) struct SlideLayers {
    /// Width and height of the slide, level-0 px.
    pub(super) size: Option<[f64; 2]>,
    /// Micrometres per level-0 px.
    pub(super) mpp: Option<f64>,
    /// Width and height of the area that `slide.jpg` shows, level-0 px.
    pub(super) picture: Option<[f64; 2]>,
    pub(super) heat: Option<GridLayer>,
    /// Values of [`tissue`](super::slide_parts::tissue).
    pub(super) tissue: Option<GridLayer>,
    /// Score, x and y of each detection; x and y in level-0 px.
    pub(super) detections: Vec<[f64; 3]>,
    pub(super) truth: Option<Shapes>,
    pub(super) notes: Vec<String>,
}
