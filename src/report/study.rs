//! Reads the results that `slidegrid study` wrote into the run.

use std::path::Path;

use serde::Deserialize;

use super::ReportError;
use crate::metrics::interval::Interval;

/// The curves of a study: file name without `.svg`, and what the curve shows.
pub(super) const CURVES: [(&str, &str); 3] = [
    ("roc", "ROC curves of the slide scores"),
    ("froc", "FROC curves of the detections"),
    ("tradeoff", "AUC and FROC score over core-hours per slide"),
];

/// `study.json`, as far as the report shows it.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct ShownStudy {
    pub(super) slides: usize,
    pub(super) tumor_slides: usize,
    pub(super) rules: String,
    pub(super) settings: Vec<Setting>,
    /// Each curve as SVG, and what it shows.
    #[serde(skip)]
    pub(super) curves: Vec<(String, &'static str)>,
}

/// One setting: a row of the study's table.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Setting {
    pub(super) source: String,
    pub(super) stride_px: u32,
    pub(super) auc: f64,
    pub(super) auc_interval_95: Interval,
    pub(super) auc_change: f64,
    pub(super) froc_score: Option<f64>,
    pub(super) froc_interval_95: Option<Interval>,
    pub(super) lesions: usize,
    pub(super) lesions_hit: usize,
    pub(super) false_positives: usize,
    pub(super) windows: u64,
    pub(super) core_hours: Option<f64>,
    pub(super) saving: Option<f64>,
    pub(super) slides: Vec<ShownSlide>,
    /// Empty in studies of early versions.
    #[serde(default)]
    pub(super) coverage: Vec<ShownLesion>,
}

/// How much of a lesion was scored, and whether the lesion was hit.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct ShownLesion {
    pub(super) slide: String,
    pub(super) lesion: usize,
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) major_axis_um: f64,
    pub(super) is_itc: bool,
    pub(super) points: u64,
    pub(super) scored: u64,
    pub(super) share: Option<f64>,
    pub(super) score: Option<f64>,
    pub(super) reason: Option<String>,
}

/// The result of a setting for one slide.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct ShownSlide {
    pub(super) name: String,
    pub(super) is_tumor: bool,
    pub(super) score: f64,
    pub(super) lesions: usize,
    pub(super) lesions_hit: usize,
    pub(super) false_positives: usize,
}

impl ShownStudy {
    /// Reads the folder `study/`; `None` if it holds no study.
    pub(super) fn read(folder: &Path) -> Result<Option<Self>, ReportError> {
        let path = folder.join("study.json");
        let Ok(text) = std::fs::read(&path) else { return Ok(None) };
        let mut study: Self = serde_json::from_slice(&text).map_err(|e| ReportError::Content {
            problem: format!("not a study: {e}; run `slidegrid study` again, or delete the file"),
            path,
        })?;
        for (name, shows) in CURVES {
            let svg = std::fs::read_to_string(folder.join(format!("{name}.svg")));
            study.curves.extend(svg.ok().map(|svg| (svg, shows)));
        }
        Ok(Some(study))
    }

    /// Folder with the detections of the first setting, which is the finest, relative to `study/`.
    pub(super) fn detections(&self) -> Option<String> {
        let first = self.settings.first()?;
        Some(format!("detections/{}-{}", first.source, first.stride_px))
    }

    /// The result of the finest setting for a slide.
    pub(super) fn slide_result(&self, name: &str) -> Option<&ShownSlide> {
        self.settings.first()?.slides.iter().find(|slide| slide.name == name)
    }
}
