//! `[tissue]`: how tissue is found.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::tissue::{Element, TissueError, TissueMethod, TissueOptions};

/// The `[tissue]` section. The default is `stain` without clean-up.
///
/// The steps run in this order: median, thresholds, closing, minimum area, hole filling. A
/// step whose size is 0 is left out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TissueKeys {
    /// How tissue detection decides which tiles are tissue.
    pub method: TissueMethod,
    /// `stain` only: smallest colour of stain against the glass, above 0 and at most 2. The
    /// colour is the difference of the largest and the smallest optical density of the three
    /// channels. If unset, the noise of the slide's glass decides, between 0.015 and 0.06.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stain_threshold: Option<f64>,
    /// `stain` only: a tile is tissue if at least this share of its area is stained, above 0
    /// and at most 1; default 0.05.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_share: Option<f64>,
    /// `threshold` only: tissue has at least this saturation, 0..=255. CLAM and
    /// WSInfer use 8.
    pub saturation_threshold: Option<u8>,
    /// `threshold` only: tissue has at most this grey value, 0..=255.
    pub grey_threshold: Option<u8>,
    /// Side of the median filter in tiles, odd; 0 = none. The filter smooths the channels
    /// before their thresholds are computed; with `stain` and `mask` it smooths the tiles.
    pub median: usize,
    /// Side of the closing in tiles, odd; 0 = none.
    pub closing: usize,
    /// Shape of the closing's structuring element.
    pub closing_element: Element,
    /// Tissue of fewer 8-connected tiles than this is dropped; 0 = keep all.
    pub min_area_tiles: usize,
    /// Enclosed holes of at most this many tiles become tissue; 0 = none.
    pub fill_holes_tiles: usize,
    /// `mask` only: the mask image, or a folder of `<slide>.png`.
    pub mask: Option<PathBuf>,
    /// `mask` only: a tile is tissue if at least this fraction of it is marked, above 0 and
    /// at most 1. The default, 0.5, keeps the total area about equal; a tile that is exactly
    /// half marked is tissue.
    pub mask_coverage: f64,
}

impl Default for TissueKeys {
    fn default() -> Self {
        let TissueOptions {
            method,
            stain_threshold,
            min_share,
            saturation_threshold,
            grey_threshold,
            median,
            closing,
            closing_element,
            min_area_tiles,
            fill_holes_tiles,
            mask_coverage,
        } = TissueOptions::default();
        Self {
            method,
            stain_threshold,
            min_share,
            saturation_threshold,
            grey_threshold,
            median,
            closing,
            closing_element,
            min_area_tiles,
            fill_holes_tiles,
            mask: None,
            mask_coverage,
        }
    }
}

impl TissueKeys {
    /// These keys as options of tissue detection, without the mask image, which the caller reads.
    pub fn options(&self) -> TissueOptions {
        TissueOptions {
            method: self.method,
            stain_threshold: self.stain_threshold,
            min_share: self.min_share,
            saturation_threshold: self.saturation_threshold,
            grey_threshold: self.grey_threshold,
            median: self.median,
            closing: self.closing,
            closing_element: self.closing_element,
            min_area_tiles: self.min_area_tiles,
            fill_holes_tiles: self.fill_holes_tiles,
            mask_coverage: self.mask_coverage,
        }
    }

    /// Checks the values and their combination.
    ///
    /// # Errors
    /// The same as those of [`TissueOptions::check`].
    pub fn check(&self) -> Result<(), TissueError> {
        self.options().check()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_section_is_the_default() {
        let keys: TissueKeys = toml::from_str("").unwrap();
        assert_eq!(keys, TissueKeys::default());
        assert_eq!(keys.options(), TissueOptions::default());
        keys.check().unwrap();
    }

    #[test]
    fn errors_name_the_setting_that_cannot_work() {
        let refused = |toml: &str| {
            toml::from_str::<TissueKeys>(toml).unwrap().check().unwrap_err().to_string()
        };
        assert!(refused("median = 4").contains("tissue.median is 4"));
        assert!(refused("closing = 2").contains("use 3"));
        assert!(refused("mask_coverage = 0.0").contains("above 0"));
        assert!(refused("mask_coverage = nan").contains("above 0"));
        assert!(refused("method = 'threshold'").contains("saturation_threshold"));
        assert!(refused("saturation_threshold = 8").contains("\"stain\""));
        assert!(refused("stain_threshold = 0.0").contains("tissue.stain_threshold is 0;"));
        assert!(refused("min_share = 1.1").contains("at most 1"));
        assert!(refused("method = 'otsu-s'\nmin_share = 0.1").contains("\"otsu-s\""));
        assert!(toml::from_str::<TissueKeys>("medain = 3").is_err());
        assert!(toml::from_str::<TissueKeys>("method = 'otsu'").is_err());
    }
}
