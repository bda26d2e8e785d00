//! Reads outlines from the JSON of NCRF (Baidu Research), its form of CAMELYON16's
//! annotations: `positive` polygons, and `negative` polygons that are cut out of them.

use std::path::Path;

use serde::Deserialize;

use super::{AnnotationGroups, TruthError, geojson};
use crate::metrics::raster::Outline;

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
pub(super) fn read(path: &Path, groups: &AnnotationGroups) -> Result<Vec<Outline>, TruthError> {
    let bytes =
        std::fs::read(path).map_err(|source| TruthError::Read { path: path.to_owned(), source })?;
    let value: serde_json::Value = serde_json::from_slice(&bytes)
        .map_err(|e| TruthError::invalid(path, format!("not JSON: {e}")))?;
    if value.get("positive").is_none() {
        return geojson::read(path, groups);
    }
    let file: File = serde_json::from_value(value)
        .map_err(|e| TruthError::invalid(path, format!("not polygons in NCRF's form: {e}")))?;
    let outline = |polygon: Polygon, excludes| Outline { rings: vec![polygon.vertices], excludes };
    let lesions = file.positive.into_iter().map(|polygon| outline(polygon, false));
    Ok(lesions.chain(file.negative.into_iter().map(|polygon| outline(polygon, true))).collect())
}
