//! What the heatmaps of one setting show, slide by slide.

use serde::Serialize;

use crate::metrics::coverage::Coverage;
use crate::metrics::detect::Detection;
use crate::metrics::froc::SlideHits;
use crate::metrics::lesions::Lesion;

/// Where a setting's core time comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum CostSource {
    /// Added up from the run's score files.
    Measured,
    /// The run's core time, by the windows that the coarser stride needs.
    Scaled,
}

/// Why a slide has points without a score.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unscored {
    /// They lie in no tissue tile.
    OutsideTissue,
    /// The slide has no tissue tile.
    NoTissue,
    /// Groups or patches of the slide have no scores, or the points lie in no tissue tile.
    Incomplete,
}

impl Unscored {
    /// Why a lesion was missed of which nothing was scored.
    pub fn explanation(self) -> &'static str {
        match self {
            Self::OutsideTissue => "not scored: outside the tissue that was found",
            Self::NoTissue => "not scored: no tissue was found on the slide",
            Self::Incomplete => {
                "not scored: in a group or patch without scores, or outside the tissue that was found"
            }
        }
    }
}

/// One slide at one setting.
#[derive(Debug, Clone)]
pub struct SlideOutcome {
    /// The slide.
    pub name: String,
    /// Whether it has tumour.
    pub is_tumor: bool,
    /// Points scored.
    pub windows: u64,
    /// Core time; `None` when a score file is missing.
    pub core_s: Option<f64>,
    /// Largest score, 0 without any.
    pub max: f64,
    /// See [`crate::metrics::features`].
    pub features: [f64; 30],
    /// Level-0 px.
    pub detections: Vec<Detection>,
    /// What they hit.
    pub hits: SlideHits,
    /// Its lesions, as those of `hits`.
    pub lesions: Vec<Lesion>,
    /// How much of each was scored.
    pub coverage: Vec<Coverage>,
    /// Why the rest was not.
    pub unscored: Unscored,
    /// Sum of absolute differences from the finest map, at its points, each
    /// compared with the nearest point of this one; number of them.
    pub deviation: (f64, u64),
}

/// One setting: a source at a stride.
#[derive(Debug, Clone)]
pub struct SettingOutcome {
    /// The source's name.
    pub source: String,
    /// `window`, `dense` or `cascade`, as its heatmaps say.
    pub method: String,
    /// Working px.
    pub stride_px: u32,
    /// Where core times come from.
    pub cost: CostSource,
    /// In the order of the list of slides.
    pub slides: Vec<SlideOutcome>,
}

impl SettingOutcome {
    /// `window-16`: for files and legends.
    pub fn label(&self) -> String {
        format!("{}-{}", self.source, self.stride_px)
    }
}
