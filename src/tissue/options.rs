//! The settings of tissue detection, section `[tissue]` of a configuration, and its errors.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::Element;
use super::tile_grid::TileGrid;

/// How tissue detection decides which tiles are tissue.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TissueMethod {
    /// Colour or density against the slide's own glass, in a picture of fixed resolution.
    #[default]
    Stain,
    /// Hue and saturation both at or above their own Otsu thresholds: the paper's method.
    OtsuHs,
    /// Saturation at or above its Otsu threshold, for stains other than H&E too.
    OtsuS,
    /// Fixed thresholds: `saturation_threshold`, `grey_threshold` or both.
    Threshold,
    /// Every tile.
    All,
    /// A mask image given by the user.
    Mask,
}

impl TissueMethod {
    /// The method's name in configurations and file attributes.
    pub fn name(self) -> &'static str {
        match self {
            Self::Stain => "stain",
            Self::OtsuHs => "otsu-hs",
            Self::OtsuS => "otsu-s",
            Self::Threshold => "threshold",
            Self::All => "all",
            Self::Mask => "mask",
        }
    }

    /// Whether the method needs a thumbnail of one pixel per tile.
    pub fn needs_thumbnail(self) -> bool {
        matches!(self, Self::OtsuHs | Self::OtsuS | Self::Threshold)
    }
}

impl std::fmt::Display for TissueMethod {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// How tissue is found. The default is `stain` without clean-up.
///
/// The steps run in this order: median, thresholds, closing, minimum area, hole filling. A
/// step whose size is 0 is left out.
#[derive(Debug, Clone, PartialEq)]
pub struct TissueOptions {
    /// How tissue detection decides which tiles are tissue.
    pub method: TissueMethod,
    /// `stain` only: smallest colour of stain against the glass, above 0 and at most 2. The
    /// colour is the difference of the largest and the smallest optical density of the three
    /// channels. If unset, the noise of the slide's glass decides, between 0.015 and 0.06.
    pub stain_threshold: Option<f64>,
    /// `stain` only: a tile is tissue if at least this share of its area is stained, above 0
    /// and at most 1; default 0.05.
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
    /// `mask` only: a tile is tissue if at least this fraction of it is marked, above 0 and
    /// at most 1. The default, 0.5, keeps the total area about equal; a tile that is exactly
    /// half marked is tissue.
    pub mask_coverage: f64,
}

impl Default for TissueOptions {
    fn default() -> Self {
        Self {
            method: TissueMethod::Stain,
            stain_threshold: None,
            min_share: None,
            saturation_threshold: None,
            grey_threshold: None,
            median: 0,
            closing: 0,
            closing_element: Element::Square,
            min_area_tiles: 0,
            fill_holes_tiles: 0,
            mask_coverage: 0.5,
        }
    }
}

/// Default of `min_share`. A rim of tissue 12 um wide along a tile of 56 um is a fifth of the
/// tile; a single cell on the glass is less than the default.
const DEFAULT_MIN_SHARE: f64 = 0.05;

impl TissueOptions {
    /// Smallest stained share of a tissue tile: `min_share`, or its default.
    pub fn min_share(&self) -> f64 {
        self.min_share.unwrap_or(DEFAULT_MIN_SHARE)
    }

    /// Checks the values and their combination.
    ///
    /// # Errors
    /// [`TissueError`] that names the setting, its value and the values that it may have.
    pub fn check(&self) -> Result<(), TissueError> {
        for (setting, side) in [("median", self.median), ("closing", self.closing)] {
            if side > MOST_SIDE_TILES {
                return Err(TissueError::LargeSide { setting, side });
            }
            if side != 0 && side % 2 == 0 {
                return Err(TissueError::EvenSide { setting, side });
            }
        }
        if !(self.mask_coverage > 0.0 && self.mask_coverage <= 1.0) {
            return Err(TissueError::Coverage { found: self.mask_coverage });
        }
        for (setting, found, most) in
            [("stain_threshold", self.stain_threshold, 2.0), ("min_share", self.min_share, 1.0)]
        {
            if found.is_some_and(|value| !(value > 0.0 && value <= most)) {
                let found = found.unwrap_or_default();
                return Err(TissueError::Range { setting, found, most });
            }
        }
        let of_stain = self.stain_threshold.is_some() || self.min_share.is_some();
        if of_stain && self.method != TissueMethod::Stain {
            return Err(TissueError::UnusedStain { method: self.method });
        }
        let fixed = self.saturation_threshold.is_some() || self.grey_threshold.is_some();
        match self.method {
            TissueMethod::Threshold if !fixed => Err(TissueError::NoThreshold),
            TissueMethod::Threshold => Ok(()),
            method if fixed => Err(TissueError::UnusedThreshold { method }),
            _ => Ok(()),
        }
    }
}

/// Largest side of a neighbourhood, tiles.
const MOST_SIDE_TILES: usize = 101;

/// Why tissue detection cannot run.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum TissueError {
    /// The side of a neighbourhood is even, so it has no middle tile.
    #[error("tissue.{setting} is {side} tiles; it must be odd (0 leaves the step out): use {}", side + 1)]
    EvenSide {
        /// `median` or `closing`.
        setting: &'static str,
        /// The configured value.
        side: usize,
    },
    /// The side of a neighbourhood is larger than any tissue's parts.
    #[error("tissue.{setting} is {side} tiles; it must be at most {MOST_SIDE_TILES}")]
    LargeSide {
        /// `median` or `closing`.
        setting: &'static str,
        /// The configured value.
        side: usize,
    },
    /// A fraction outside its range.
    #[error("tissue.mask_coverage is {found}; it must be above 0 and at most 1")]
    Coverage {
        /// The configured value.
        found: f64,
    },
    /// A setting of `stain` outside its range.
    #[error("tissue.{setting} is {found}; it must be above 0 and at most {most}")]
    Range {
        /// `stain_threshold` or `min_share`.
        setting: &'static str,
        /// The configured value.
        found: f64,
        /// The largest value that the setting may have.
        most: f64,
    },
    /// A setting of `stain` with another method, which does not use it.
    #[error(
        "tissue.stain_threshold and tissue.min_share have no effect with tissue.method = \"{method}\"; remove them or use method = \"stain\""
    )]
    UnusedStain {
        /// The configured method.
        method: TissueMethod,
    },
    /// No thumbnail for a method that needs one.
    #[error("this tissue method needs a thumbnail of one pixel per tile, and none was given")]
    NoThumbnail,
    /// `threshold` without a threshold.
    #[error(
        "tissue.method = \"threshold\" needs tissue.saturation_threshold (0 to 255, often 8), tissue.grey_threshold (0 to 255, often 220) or both"
    )]
    NoThreshold,
    /// A setting of `threshold` with another method, which does not use it.
    #[error(
        "tissue.saturation_threshold and tissue.grey_threshold have no effect with tissue.method = \"{method}\"; remove them or use method = \"threshold\""
    )]
    UnusedThreshold {
        /// The configured method.
        method: TissueMethod,
    },
    /// `mask` without a mask image.
    #[error(
        "tissue.method = \"mask\" needs a mask image: set tissue.mask to the image, or to a folder of <slide>.png"
    )]
    NoMask,
    /// The mask image or the slide has no area.
    #[error(
        "the mask image has {rows} x {cols} pixels over {tiles_down} x {tiles_across} tiles; both need an area"
    )]
    EmptyMask {
        /// Height of the mask image, px.
        rows: usize,
        /// Width of the mask image, px.
        cols: usize,
        /// Height of the slide in tiles.
        tiles_down: f64,
        /// Width of the slide in tiles.
        tiles_across: f64,
    },
    /// The mask image and the slide have different numbers of tiles.
    #[error(
        "the mask image was laid over {} x {} tiles (rows x columns) but the slide has {} x {}",
        found.rows, found.cols, expected.rows, expected.cols
    )]
    MaskGrid {
        /// Rows and columns of tiles under the mask.
        found: TileGrid,
        /// Rows and columns of tiles of the slide.
        expected: TileGrid,
    },
    /// The thumbnail is not RGB.
    #[error("the thumbnail has {found} channels, expected 3 (RGB)")]
    Channels {
        /// Length of the last axis.
        found: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_stain_without_clean_up() {
        let options = TissueOptions::default();
        assert_eq!((options.method, options.min_share()), (TissueMethod::Stain, 0.05));
        assert_eq!(
            (options.median, options.closing, options.min_area_tiles, options.fill_holes_tiles),
            (0, 0, 0, 0)
        );
        options.check().unwrap();
    }

    #[test]
    fn method_names_are_their_configuration_names() {
        for method in [
            TissueMethod::Stain,
            TissueMethod::OtsuHs,
            TissueMethod::OtsuS,
            TissueMethod::Threshold,
            TissueMethod::All,
            TissueMethod::Mask,
        ] {
            let json = serde_json::to_value(method).unwrap();
            assert_eq!(json, method.name());
        }
    }
}
