//! What a cheaper heatmap gives away: a run measured against truth at several
//! strides, and other runs beside it.
//!
//! ```text
//! heatmaps, truth ──[gather]──> a slide's numbers at each setting
//!   scores ──[cost]──> core time         │
//!                                   [summary] ──> a row a setting
//!                                        ├──[tables]──> study.csv .md .json, lesions.csv
//!                                        └──[plot]────> roc, froc, tradeoff .svg .png
//! ```

mod cost;
pub mod detections_csv;
mod error;
mod files;
mod gather;
mod lesion_tables;
mod plot;
mod slide_truth;
mod summary;
mod tables;

use std::path::PathBuf;

use serde::Serialize;

use crate::config::{DetectionKey, SlideScore, StudyKeys};
use crate::metrics::coverage::Coverage;
use crate::metrics::detect::Detection;
use crate::metrics::froc::SlideHits;
use crate::metrics::lesions::Lesion;
use crate::run_dir::RunDir;
use crate::truth::SlideKind;

pub use error::StudyError;
pub use files::write;
pub(crate) use gather::detect;
pub use gather::gather;
pub use lesion_tables::LesionScored;
pub use plot::{Chart, Series, png, svg};
pub use summary::{Row, Study, summarise};

/// A run to take heatmaps from.
#[derive(Debug, Clone)]
pub struct HeatmapSource {
    /// What its rows are called.
    pub name: String,
    /// The run.
    pub run: RunDir,
    /// Strides to look at, each a multiple of the run's.
    pub strides: Vec<u32>,
}

/// What is to be studied.
#[derive(Debug, Clone)]
pub struct StudyRequest {
    /// The run in question first, then those beside it.
    pub sources: Vec<HeatmapSource>,
    /// Folder of truth.
    pub truth: PathBuf,
    /// The slides that count.
    pub slides: Vec<SlideKind>,
    /// Leave out slides without a heatmap instead of refusing.
    pub allow_missing: bool,
    /// Resolution of slides that do not state theirs, um per level-0 px.
    pub mpp: Option<f64>,
    /// `[study]`.
    pub keys: StudyKeys,
}

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

/// How detections are made.
pub(crate) fn describe_detection(keys: &StudyKeys) -> String {
    match keys.detection {
        DetectionKey::Regions => format!(
            "regions of points above {}",
            keys.detection_threshold.unwrap_or(gather::REGIONS_ABOVE)
        ),
        DetectionKey::Nms => format!(
            "maxima above {}, {} um apart",
            keys.detection_threshold.unwrap_or(gather::MAXIMA_ABOVE),
            keys.nms_radius_um
        ),
    }
}

/// How the study was made, for whoever reads it.
fn describe_rules(keys: &StudyKeys) -> String {
    let detection = describe_detection(keys);
    let score = match keys.slide_score {
        SlideScore::Forest => format!(
            "a random forest of {} trees over 30 features, {} folds, seed {}",
            keys.trees, keys.folds, keys.seed
        ),
        SlideScore::Max => "the slide's largest score".into(),
    };
    let itc = match keys.itc_um {
        0.0 => "all lesions count".to_owned(),
        um => format!("lesions below {um} um (isolated tumour cells) count neither way"),
    };
    format!(
        "Slide score: {score}. Detections: {detection}. Lesions: annotations within {} um are one; {itc}.",
        keys.merge_um
    )
}
