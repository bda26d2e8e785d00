//! A table of the features by which slides are classified.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;

use super::error::StepError;
use super::heatmaps::LoadedHeatmap;
use crate::metrics::features::{FeatureRules, NAMES, features};
use crate::truth::read_slide_list;

/// The features of one slide.
pub(crate) struct SlideFeatures {
    name: String,
    /// Whether the slide has tumor; `None` if unknown.
    tumor: Option<bool>,
    /// In the order of [`NAMES`].
    features: [f64; NAMES.len()],
}

/// [`SlideFeatures`] as an object of JSON.
#[derive(Serialize)]
pub(crate) struct NamedFeatures<'f> {
    name: &'f str,
    tumor: Option<bool>,
    features: BTreeMap<&'static str, f64>,
}

impl SlideFeatures {
    /// Computes the features of heatmaps. `slides` is the list of slides that says which of them
    /// have tumor.
    ///
    /// # Errors
    /// [`StepError`] if the list or a heatmap cannot be read.
    pub(crate) fn compute_all(
        heatmaps: impl IntoIterator<Item = Result<LoadedHeatmap, StepError>>,
        slides: Option<&Path>,
        rules: &FeatureRules,
    ) -> Result<Vec<Self>, StepError> {
        let kinds: BTreeMap<String, bool> = match slides {
            Some(list) => {
                let slides = read_slide_list(list)?;
                slides.into_iter().map(|slide| (slide.name, slide.is_tumor)).collect()
            }
            None => BTreeMap::new(),
        };
        heatmaps.into_iter().map(|heatmap| Ok(Self::compute(heatmap?, &kinds, rules))).collect()
    }

    /// Computes the features of a heatmap; `kinds` says which slides have tumor.
    fn compute(
        heatmap: LoadedHeatmap,
        kinds: &BTreeMap<String, bool>,
        rules: &FeatureRules,
    ) -> Self {
        let tumor = kinds.get(&heatmap.slide).copied();
        let features = features(heatmap.score.view(), rules);
        Self { name: heatmap.slide, tumor, features }
    }

    /// The features with their published names.
    pub(crate) fn named(&self) -> NamedFeatures<'_> {
        let features = NAMES.into_iter().zip(self.features).collect();
        NamedFeatures { name: &self.name, tumor: self.tumor, features }
    }
}

/// The table in the layout of the original code.
pub(crate) fn features_csv(slides: &[SlideFeatures]) -> String {
    let mut csv = format!(",name,tumor,{}\n", NAMES.join(","));
    for (index, SlideFeatures { name, tumor, features }) in slides.iter().enumerate() {
        let tumor = tumor.map_or("", |tumor| if tumor { "1" } else { "0" });
        let values: Vec<String> = features.iter().map(f64::to_string).collect();
        csv += &format!("{index},{name},{tumor},{}\n", values.join(","));
    }
    csv
}
