//! Reads outlines from the JSON of NCRF (Baidu Research), its form of CAMELYON16's
//! annotations: `positive` polygons, and `negative` polygons that are cut out of them.

use std::path::Path;

use serde::Deserialize;

use super::drawn::{DrawnOutlines, encloses};
use super::{AnnotationGroups, TruthError, geojson};
use crate::metrics::raster::Outline;
use crate::text_file::read_text;

#[derive(Deserialize)]
struct File {
    positive: Option<Vec<Polygon>>,
    #[serde(default)]
    negative: Vec<Polygon>,
}

#[derive(Deserialize)]
struct Polygon {
    vertices: Vec<[f64; 2]>,
}

/// Reads the outlines of a file, level-0 px. A `.json` file without `positive` is read as
/// GeoJSON.
pub(super) fn read(path: &Path, groups: &AnnotationGroups) -> Result<DrawnOutlines, TruthError> {
    let text =
        read_text(path).map_err(|source| TruthError::Read { path: path.to_owned(), source })?;
    let invalid = |e: serde_json::Error| {
        let what = if e.is_data() { "not polygons in NCRF's form" } else { "not JSON" };
        TruthError::invalid(path, format!("{what}: {e}"))
    };
    if text.trim_start().starts_with('[') {
        return geojson::read(path, groups);
    }
    let file: File = serde_json::from_str(&text).map_err(invalid)?;
    let Some(positive) = file.positive else {
        return geojson::read(path, groups);
    };
    let mut drawn = DrawnOutlines::default();
    for (polygons, list, excludes) in
        [(positive, "positive", false), (file.negative, "negative", true)]
    {
        for (index, Polygon { vertices }) in polygons.into_iter().enumerate() {
            if encloses(&vertices) {
                drawn.outlines.push(Outline {
                    rings: vec![vertices],
                    excludes,
                    ..Outline::default()
                });
            } else {
                let points = vertices.len();
                drawn.left_out.push(format!(
                    "{list} polygon {} (counted from 1) has {points} points and encloses nothing",
                    index + 1
                ));
            }
        }
    }
    Ok(drawn)
}
