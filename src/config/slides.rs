//! The section `[slides]`: settings of single slides.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Method;
use super::tissue::TissueKeys;
use super::violation::Violation;
use crate::geometry::CoordinateOrigin;
use crate::tissue::TissueMethod;

/// `[slides]`
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Slides {
    /// Resolution of slides whose files state none, um per level-0 px.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mpp: Option<f64>,
    /// Where coordinates begin in GeoJSON, which leaves this open; default `bounds`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<CoordinateOrigin>,
    /// Resolution by slide name, um per level-0 px; wins over the slide's file.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub mpp_of: BTreeMap<String, f64>,
    /// Tissue settings by slide name; they win over `[tissue]`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub tissue_of: BTreeMap<String, SlideTissue>,
    /// File of truth by slide name; for `study` and the report.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub truth_of: BTreeMap<String, PathBuf>,
    /// Whether a slide has tumor, by slide name, in the words of a list of slides (`tumor`,
    /// `normal`); for `study` and the report.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub label_of: BTreeMap<String, String>,
    /// Method by slide name; wins over `predict.method`. Only `window` is allowed.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub method_of: BTreeMap<String, Method>,
}

/// Tissue settings of one slide: `[slides.tissue_of.NAME]`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SlideTissue {
    /// Tissue method; if absent, `mask` where a mask is given, and otherwise that of `[tissue]`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<TissueMethod>,
    /// Path of the mask image, or of a folder with `<slide>.png`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mask: Option<PathBuf>,
    /// `stain_threshold` of method `stain`, or `saturation_threshold` of method `threshold`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f64>,
}

impl Slides {
    /// Adds other settings, which win over the existing ones.
    pub fn add(&mut self, other: &Self) {
        self.mpp = other.mpp.or(self.mpp);
        self.origin = other.origin.or(self.origin);
        self.mpp_of.extend(other.mpp_of.clone());
        self.tissue_of.extend(other.tissue_of.clone());
        self.truth_of.extend(other.truth_of.clone());
        self.label_of.extend(other.label_of.clone());
        self.method_of.extend(other.method_of.clone());
    }

    /// Removes the settings of slides; returns whether there were any.
    pub fn forget(&mut self, names: &[&str]) -> bool {
        let before = self.clone();
        for &name in names {
            self.mpp_of.remove(name);
            self.tissue_of.remove(name);
            self.truth_of.remove(name);
            self.label_of.remove(name);
            self.method_of.remove(name);
        }
        *self != before
    }

    /// Where coordinates begin in formats that leave this open.
    pub fn origin(&self) -> CoordinateOrigin {
        self.origin.unwrap_or_default()
    }

    /// Tissue settings of a slide: its own, and those of the run for the rest.
    pub fn tissue(&self, name: &str, run: &TissueKeys) -> TissueKeys {
        self.tissue_of.get(name).map_or_else(|| run.clone(), |own| own.over(run))
    }

    /// The slide's own tissue settings on one line, such as `method = "otsu-s"`; empty if the
    /// slide has none.
    pub fn tissue_settings(&self, name: &str) -> String {
        let Some(own) = self.tissue_of.get(name) else { return String::new() };
        let lines = toml::to_string(own).expect("settings are plain values");
        lines.trim().replace('\n', ", ")
    }

    /// Makes all paths absolute; relative paths are relative to `base`.
    pub(super) fn make_paths_absolute(&mut self, base: &Path) {
        let masks = self.tissue_of.values_mut().filter_map(|own| own.mask.as_mut());
        for path in masks.chain(self.truth_of.values_mut()) {
            let joined = base.join(&path);
            *path = std::path::absolute(&joined).unwrap_or(joined);
        }
    }

    /// The first value that breaks a rule.
    pub(super) fn violation(&self, run: &TissueKeys) -> Option<Violation> {
        for mpp in self.mpp.iter().chain(self.mpp_of.values()) {
            if !(mpp.is_finite() && *mpp > 0.0) {
                let expected = "micrometres per pixel above 0".to_owned();
                return Some(Violation::new("slides.mpp", mpp.to_string(), expected));
            }
        }
        if let Some((name, other)) = self.method_of.iter().find(|(_, m)| **m != Method::Window) {
            let expected = "\"window\", the only method for single slides".to_owned();
            return Some(Violation::new(
                format!("slides.method_of.{name}"),
                format!("{:?}", other.name()),
                expected,
            ));
        }
        self.tissue_of.iter().find_map(|(name, own)| {
            let problem = own.violation(run)?;
            Some(Violation::new(
                format!("slides.tissue_of.{name}"),
                self.tissue_settings(name),
                problem,
            ))
        })
    }
}

impl SlideTissue {
    /// The tissue settings of the run with these settings in their place.
    fn over(&self, run: &TissueKeys) -> TissueKeys {
        let mut options = run.clone();
        options.method = match (self.method, &self.mask) {
            (Some(method), _) => method,
            (None, Some(_)) => TissueMethod::Mask,
            (None, None) => run.method,
        };
        if options.method != run.method || self.threshold.is_some() {
            (options.saturation_threshold, options.grey_threshold) = (None, None);
            options.stain_threshold = None;
        }
        if options.method != TissueMethod::Stain {
            options.min_share = None;
        }
        options.mask = self.mask.clone().or(options.mask);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a cast to u8 saturates, and `violation` rejects numbers that are not whole"
        )]
        match options.method {
            TissueMethod::Stain => {
                options.stain_threshold = self.threshold.or(options.stain_threshold)
            }
            TissueMethod::Threshold => {
                let own = self.threshold.map(|threshold| threshold as u8);
                options.saturation_threshold = own.or(options.saturation_threshold);
            }
            _ => {}
        }
        options
    }

    /// What is expected in place of these settings; `None` if they are valid.
    fn violation(&self, run: &TissueKeys) -> Option<String> {
        let options = self.over(run);
        match (self.threshold, options.method) {
            (Some(value), TissueMethod::Threshold)
                if !(0.0..=255.0).contains(&value) || value.fract() != 0.0 =>
            {
                return Some("a saturation that is a whole number from 0 to 255".into());
            }
            (Some(_), TissueMethod::Stain | TissueMethod::Threshold) | (None, _) => {}
            (Some(_), method) => {
                return Some(format!("no threshold with method {method}, which uses none"));
            }
        }
        if self.mask.is_some() && options.method != TissueMethod::Mask {
            return Some(format!("no mask with method {}, which uses none", options.method));
        }
        if options.method == TissueMethod::Mask && options.mask.is_none() {
            return Some("a mask image, or a folder with <slide>.png".into());
        }
        options.check().err().map(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(text: &str) -> SlideTissue {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn tissue_settings_of_a_slide_win_over_those_of_the_run() {
        let run = TissueKeys { closing: 3, min_share: Some(0.2), ..TissueKeys::default() };
        let found = own("threshold = 0.04").over(&run);
        assert_eq!((found.method, found.stain_threshold), (TissueMethod::Stain, Some(0.04)));
        assert_eq!((found.closing, found.min_share), (3, Some(0.2)));
        let found = own("method = 'threshold'\nthreshold = 9").over(&run);
        assert_eq!(found.saturation_threshold, Some(9));
        assert_eq!((found.min_share, found.closing), (None, 3));
        let found = own("mask = '/m.png'").over(&run);
        assert_eq!((found.method, found.mask), (TissueMethod::Mask, Some("/m.png".into())));
        for settings in ["threshold = 0.04", "method = 'otsu-hs'", "mask = '/m'", "method = 'all'"]
        {
            assert_eq!(own(settings).violation(&run), None, "{settings}");
        }
    }

    #[test]
    fn contradicting_tissue_settings_are_errors() {
        let run = TissueKeys::default();
        let violation = |text: &str| own(text).violation(&run).unwrap();
        assert!(violation("method = 'otsu-s'\nthreshold = 3").contains("otsu-s"));
        assert!(violation("method = 'threshold'\nthreshold = 0.5").contains("whole number"));
        assert!(violation("method = 'threshold'").contains("saturation_threshold"));
        assert!(violation("method = 'mask'").contains("<slide>.png"));
        assert!(violation("method = 'all'\nmask = 'm.png'").contains("no mask with method all"));
        assert!(violation("threshold = 0.0").contains("stain_threshold"));
    }
}
