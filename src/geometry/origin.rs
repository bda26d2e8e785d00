//! Where coordinates on a slide begin to count.

use serde::{Deserialize, Serialize};

/// The place where the coordinates of a file begin, where the file itself does not say.
///
/// Some scanners cover only part of the plane that their files span, and state that part's
/// bounds. A program that shows only the bounds counts from their corner; another one counts from
/// the corner of the plane. On slides without bounds both are the same place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CoordinateOrigin {
    /// The corner of the scanned area, as in QuPath.
    #[default]
    Bounds,
    /// The corner of the plane, as in OpenSlide and ASAP.
    Plane,
}

impl CoordinateOrigin {
    /// Where the coordinates begin on a slide whose scanned area begins at `bounds_px`; x and y,
    /// level-0 px of the plane.
    pub fn start_px(self, bounds_px: Option<[u32; 2]>) -> [f64; 2] {
        match self {
            Self::Bounds => bounds_px.unwrap_or_default().map(f64::from),
            Self::Plane => [0.0; 2],
        }
    }
}

impl std::str::FromStr for CoordinateOrigin {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "bounds" => Ok(Self::Bounds),
            "plane" => Ok(Self::Plane),
            _ => Err(format!("{text:?}: expected bounds or plane")),
        }
    }
}
