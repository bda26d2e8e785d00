//! The numbers of each slide at one setting.

use serde::Serialize;

use crate::metrics::coverage::Coverage;
use crate::metrics::detect::Detection;
use crate::metrics::froc::SlideHits;
use crate::metrics::lesions::Lesion;

/// Where a setting's core time comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum CostSource {
    /// The sum over the run's score files.
    Measured,
    /// The run's core time, multiplied by the share of windows that the coarser stride needs.
    Scaled,
}

/// Why some lattice points of a slide have no score.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unscored {
    /// The points do not lie in tissue tiles.
    OutsideTissue,
    /// The slide has no tissue tile.
    NoTissue,
    /// Groups or patches of the slide have no scores, or the points do not lie in tissue tiles.
    Incomplete,
}

impl Unscored {
    /// The reason for missing a lesion of which nothing was scored, as a phrase.
    pub(crate) fn explanation(self) -> &'static str {
        match self {
            Self::OutsideTissue => "not scored: outside the tissue that was found",
            Self::NoTissue => "not scored: no tissue was found on the slide",
            Self::Incomplete => {
                "not scored: in a group or patch without scores, or outside the tissue that was found"
            }
        }
    }
}

/// The numbers of one slide at one setting.
#[derive(Debug, Clone)]
pub(crate) struct SlideOutcome {
    /// Name of the slide.
    pub name: String,
    /// Whether the slide has tumor.
    pub is_tumor: bool,
    /// Number of lattice points scored.
    pub windows: u64,
    /// Core time, seconds; `None` if a score file is missing.
    pub core_s: Option<f64>,
    /// Largest score of the heatmap; 0 if nothing was scored.
    pub max: f64,
    /// Features of the heatmap, see [`crate::metrics::features`].
    pub features: [f64; 30],
    /// Detections, with x and y in level-0 px.
    pub detections: Vec<Detection>,
    /// Which lesions the detections hit.
    pub hits: SlideHits,
    /// The slide's lesions, in the order of `hits`.
    pub lesions: Vec<Lesion>,
    /// How much of each lesion was scored, in the same order.
    pub coverage: Vec<Coverage>,
    /// Why some points have no score.
    pub unscored: Unscored,
    /// Difference from the finest heatmap: each point of the finest heatmap is compared with
    /// the nearest point of this one. Sum of the absolute differences, and number of points.
    pub deviation: (f64, u64),
}

/// The numbers of all slides at one setting: a source at a stride.
#[derive(Debug, Clone)]
pub(crate) struct SettingOutcome {
    /// The source's name.
    pub source: String,
    /// Method of the heatmaps: `window`, `dense` or `cascade`.
    pub method: String,
    /// Stride, working px.
    pub stride_px: u32,
    /// Where core times come from.
    pub cost: CostSource,
    /// The slides, in the order of the list of slides.
    pub slides: Vec<SlideOutcome>,
}

impl SettingOutcome {
    /// The setting's name in files and messages, for example `window-16`.
    pub(crate) fn label(&self) -> String {
        format!("{}-{}", self.source, self.stride_px)
    }
}
