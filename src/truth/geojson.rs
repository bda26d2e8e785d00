//! Reads outlines from GeoJSON, as QuPath exports annotations.

use std::path::Path;

use libdeflater::{DecompressionError, Decompressor};
use serde::Deserialize;
use serde_json::Value;

use super::{AnnotationGroups, TruthError, UNGROUPED};
use crate::metrics::raster::Outline;

/// A ring of points; each point holds x, y and possibly more numbers.
type Ring = Vec<Vec<f64>>;

#[derive(Deserialize)]
struct Feature {
    geometry: Geometry,
    #[serde(default)]
    properties: Value,
}

#[derive(Deserialize)]
struct Geometry {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    coordinates: Value,
}

/// Reads the outlines of a file, level-0 px. The file, gzipped or not, holds a feature
/// collection, a list of features, or one feature.
pub(super) fn read(path: &Path, groups: &AnnotationGroups) -> Result<Vec<Outline>, TruthError> {
    let bytes =
        std::fs::read(path).map_err(|source| TruthError::Read { path: path.to_owned(), source })?;
    let bytes = if bytes.starts_with(&[0x1f, 0x8b]) { decompress(path, &bytes)? } else { bytes };
    let invalid = |e: serde_json::Error| TruthError::invalid(path, format!("not GeoJSON: {e}"));
    let mut value: Value = serde_json::from_slice(&bytes).map_err(invalid)?;
    let features: Vec<Feature> = match value.get_mut("features").map(Value::take) {
        Some(features) => serde_json::from_value(features).map_err(invalid)?,
        None if value.is_array() => serde_json::from_value(value).map_err(invalid)?,
        None => vec![serde_json::from_value(value).map_err(invalid)?],
    };
    let mut outlines = Vec::new();
    for (index, feature) in features.into_iter().enumerate() {
        outlines.extend(outlines_of(path, index + 1, feature, groups)?);
    }
    Ok(outlines)
}

/// The outlines of a feature; `number` counts features from 1.
fn outlines_of(
    path: &Path,
    number: usize,
    feature: Feature,
    groups: &AnnotationGroups,
) -> Result<Vec<Outline>, TruthError> {
    let excludes = groups.excludes(path, class_of(&feature.properties))?;
    let invalid = |problem: String| {
        TruthError::invalid(path, format!("feature {number} (counted from 1): {problem}"))
    };
    let Geometry { kind, coordinates } = feature.geometry;
    let broken =
        |e: serde_json::Error| invalid(format!("its coordinates are not those of a {kind}: {e}"));
    let polygons: Vec<Vec<Ring>> = match kind.as_str() {
        "Polygon" => vec![serde_json::from_value(coordinates).map_err(broken)?],
        "MultiPolygon" => serde_json::from_value(coordinates).map_err(broken)?,
        _ => {
            let problem = format!(
                "its geometry is a {kind}, which has no area; expected Polygon or MultiPolygon"
            );
            return Err(invalid(problem));
        }
    };
    let ring = |ring: Ring| -> Option<Vec<[f64; 2]>> {
        let points = ring.iter().map(|point| match point[..] {
            [x, y, ..] => Some([x, y]),
            _ => None,
        });
        points.collect::<Option<Vec<_>>>().filter(|points| points.len() >= 3)
    };
    let outline = |rings: Vec<Ring>| {
        let rings: Option<Vec<_>> = rings.into_iter().map(ring).collect();
        let rings = rings.filter(|rings| !rings.is_empty()).ok_or_else(|| {
            invalid("a ring is not a list of at least 3 points of x and y".to_owned())
        });
        rings.map(|rings| Outline { rings, excludes })
    };
    polygons.into_iter().map(outline).collect()
}

/// The class of a feature: `name` of its `classification`, or the first of `names`, which
/// run from the general to the special; [`UNGROUPED`] without one.
fn class_of(properties: &Value) -> &str {
    let class = &properties["classification"];
    let general = || class["names"].as_array()?.first()?.as_str();
    class["name"].as_str().or_else(general).unwrap_or(UNGROUPED)
}

/// Largest size of an unpacked file, bytes.
const MAX_BYTES: usize = 1 << 31;

fn decompress(path: &Path, bytes: &[u8]) -> Result<Vec<u8>, TruthError> {
    let mut capacity = (bytes.len() * 8).clamp(1 << 16, MAX_BYTES);
    loop {
        let mut out = vec![0; capacity];
        match Decompressor::new().gzip_decompress(bytes, &mut out) {
            Ok(length) => {
                out.truncate(length);
                return Ok(out);
            }
            Err(DecompressionError::InsufficientSpace) if capacity < MAX_BYTES => {
                capacity = (capacity * 4).min(MAX_BYTES);
            }
            Err(e) => {
                let problem = format!("cannot unpack it: {e:?}; was it cut short?");
                return Err(TruthError::invalid(path, problem));
            }
        }
    }
}
