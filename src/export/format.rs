//! What heatmaps are exported as.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::metrics::detect::Neighbourhood;

/// A format of heatmaps that other programs open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ExportFormat {
    /// Overlay of ASAP: BigTIFF over the whole slide.
    Asap,
    /// The scores as OME-TIFF.
    OmeTiff,
    /// The scores as OME-Zarr 0.5.
    OmeZarr,
    /// Objects for QuPath.
    Geojson,
    /// A table in WSInfer's columns.
    Csv,
    /// Coloured tiles for web viewers.
    Deepzoom,
}

impl ExportFormat {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Asap, Self::OmeTiff, Self::OmeZarr, Self::Geojson, Self::Csv, Self::Deepzoom];

    /// As written in configurations and on command lines.
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

    /// The file or folder of a slide in `folder`; that it exists says that the
    /// export is whole.
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

/// What GeoJSON holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GeoJsonObjects {
    /// The cell of each point.
    #[default]
    Tiles,
    /// The window of each maximum that non-maximum suppression leaves.
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

/// Which points become objects.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GeoJsonRules {
    /// Tiles or detections.
    pub objects: GeoJsonObjects,
    /// Tiles have at least this score, detections a higher one.
    pub min_score: f32,
    /// What a detection silences around it, micrometres.
    pub nms_radius_um: f64,
    /// Its form.
    pub nms_form: Neighbourhood,
}
