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
    positive: Vec<Polygon>,
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
    let value: serde_json::Value = serde_json::from_str(&text)
        .map_err(|e| TruthError::invalid(path, format!("not JSON: {e}")))?;
    if value.get("positive").is_none() {
        return geojson::read(path, groups);
    }
    let file: File = serde_json::from_value(value)
        .map_err(|e| TruthError::invalid(path, format!("not polygons in NCRF's form: {e}")))?;
    let mut drawn = DrawnOutlines::default();
    for (polygons, list, excludes) in
        [(file.positive, "positive", false), (file.negative, "negative", true)]
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
