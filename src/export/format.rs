//! The export formats of heatmaps and the rules for GeoJSON objects.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::geometry::CoordinateOrigin;
use crate::metrics::detect::Neighbourhood;

/// A format in which other programs open a heatmap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ExportFormat {
    /// An overlay for ASAP: a BigTIFF that covers the whole slide.
    Asap,
    /// The scores as OME-TIFF.
    OmeTiff,
    /// The scores as OME-Zarr 0.5.
    OmeZarr,
    /// Objects for QuPath, as gzipped GeoJSON.
    Geojson,
    /// A table with WSInfer's columns.
    Csv,
    /// Coloured DeepZoom tiles for web viewers.
    Deepzoom,
}

impl ExportFormat {
    /// All formats.
    pub const ALL: [Self; 6] =
        [Self::Asap, Self::OmeTiff, Self::OmeZarr, Self::Geojson, Self::Csv, Self::Deepzoom];

    /// The name in configurations and on command lines.
    pub fn name(self) -> &'static str {
        match self {
            Self::Asap => "asap",
            Self::OmeTiff => "ome-tiff",
            Self::OmeZarr => "ome-zarr",
            Self::Geojson => "geojson",
            Self::Csv => "csv",
            Self::Deepzoom => "deepzoom",
        }
    }

    /// The file or folder of the export of `slide` in `folder`. The path appears only
    /// when the export is whole.
    pub fn path(self, folder: &Path, slide: &str) -> PathBuf {
        folder.join(match self {
            Self::Asap => format!("{slide}_likelihood_map.tif"),
            Self::OmeTiff => format!("{slide}.ome.tif"),
            Self::OmeZarr => format!("{slide}.ome.zarr"),
            Self::Geojson => format!("{slide}.geojson.gz"),
            Self::Csv => format!("{slide}.csv"),
            Self::Deepzoom => format!("{slide}.dzi"),
        })
    }
}

impl fmt::Display for ExportFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for ExportFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = Self::ALL.into_iter().find(|format| format.name() == text);
        known.ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            format!("format {text:?} is not one of {names}")
        })
    }
}

/// The kind of objects in a GeoJSON export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GeoJsonObjects {
    /// The cell of each lattice point: a square of one stride.
    #[default]
    Tiles,
    /// The window of each maximum that remains after non-maximum suppression.
    Detections,
}

impl FromStr for GeoJsonObjects {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "tiles" => Ok(Self::Tiles),
            "detections" => Ok(Self::Detections),
            _ => Err(format!("objects {text:?} are not tiles or detections")),
        }
    }
}

/// Which lattice points become objects of a GeoJSON export.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GeoJsonRules {
    /// The kind of objects.
    pub objects: GeoJsonObjects,
    /// Threshold of the score, 0 to 1: tiles have at least this score, detections a
    /// higher one.
    pub min_score: f32,
    /// Radius of non-maximum suppression, micrometres: how far a detection suppresses
    /// the points around it.
    pub nms_radius_um: f64,
    /// Form of the suppressed neighbourhood.
    pub nms_form: Neighbourhood,
    /// Where coordinates begin.
    pub origin: CoordinateOrigin,
}
