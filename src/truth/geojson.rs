//! Reads outlines from GeoJSON, as QuPath exports annotations.

use std::path::Path;

use libdeflater::{DecompressionError, Decompressor};
use serde::Deserialize;
use serde_json::Value;

use super::drawn::{DrawnOutlines, encloses};
use super::{AnnotationGroups, TruthError, UNGROUPED};
use crate::metrics::raster::Outline;
use crate::text_file;

/// A ring of points; each point holds x, y and possibly more numbers.
type PositionRing = Vec<Vec<f64>>;

#[derive(Deserialize)]
struct Feature {
    /// Absent or null for a feature without a shape.
    #[serde(default)]
    geometry: Option<Geometry>,
    #[serde(default)]
    properties: Value,
}

#[derive(Deserialize)]
struct Geometry {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    coordinates: Value,
    /// The members of a collection.
    #[serde(default)]
    geometries: Vec<Geometry>,
}

/// Reads the outlines of a file, level-0 px, from where the program that wrote it begins to count.
/// The file, gzipped or not, holds a feature
/// collection, a list of features, or one feature.
pub(super) fn read(path: &Path, groups: &AnnotationGroups) -> Result<DrawnOutlines, TruthError> {
    let bytes =
        std::fs::read(path).map_err(|source| TruthError::Read { path: path.to_owned(), source })?;
    let bytes = if bytes.starts_with(&[0x1f, 0x8b]) { decompress(path, &bytes)? } else { bytes };
    let text = text_file::decode(&bytes).map_err(|problem| TruthError::invalid(path, problem))?;
    let invalid = |e: serde_json::Error| TruthError::invalid(path, format!("not GeoJSON: {e}"));
    let mut value: Value = serde_json::from_str(&text).map_err(invalid)?;
    let features: Vec<Feature> = match value.get_mut("features").map(Value::take) {
        Some(features) => serde_json::from_value(features).map_err(invalid)?,
        None if value.is_array() => serde_json::from_value(value).map_err(invalid)?,
        None => vec![serde_json::from_value(value).map_err(invalid)?],
    };
    let mut drawn = DrawnOutlines { is_start_open: true, ..DrawnOutlines::default() };
    for (index, feature) in features.into_iter().enumerate() {
        let name = format!("feature {} (counted from 1)", index + 1);
        let class = class_of(&feature.properties);
        let Some(geometry) = feature.geometry else {
            drawn.left_out.push(format!("{name} has no geometry"));
            continue;
        };
        let mut reader = FeatureReader { path, name: &name, drawn: &mut drawn, rings: Vec::new() };
        reader.read(geometry)?;
        let polygons = reader.rings;
        if polygons.is_empty() {
            continue;
        }
        let excludes = groups.excludes(path, &class, &name)?;
        let outline = |rings| Outline { rings, excludes, ..Outline::default() };
        drawn.outlines.extend(polygons.into_iter().map(outline));
    }
    Ok(drawn)
}

/// Collects the polygons of a feature.
struct FeatureReader<'a> {
    path: &'a Path,
    name: &'a str,
    drawn: &'a mut DrawnOutlines,
    /// The rings of each polygon.
    rings: Vec<Vec<Vec<[f64; 2]>>>,
}

impl FeatureReader<'_> {
    fn read(&mut self, geometry: Geometry) -> Result<(), TruthError> {
        let Geometry { kind, coordinates, geometries } = geometry;
        let polygons: Vec<Vec<PositionRing>> = match kind.as_str() {
            "Polygon" => vec![self.coordinates(&kind, coordinates)?],
            "MultiPolygon" => self.coordinates(&kind, coordinates)?,
            "GeometryCollection" => {
                return geometries.into_iter().try_for_each(|member| self.read(member));
            }
            "Point" | "MultiPoint" | "LineString" | "MultiLineString" => {
                let name = self.name;
                self.drawn.left_out.push(format!("{name} is a {kind}, which has no area"));
                return Ok(());
            }
            _ => {
                let problem =
                    format!("its geometry is a {kind:?}, expected Polygon or MultiPolygon");
                return Err(self.invalid(&problem));
            }
        };
        polygons.into_iter().try_for_each(|rings| self.polygon(rings))
    }

    fn polygon(&mut self, rings: Vec<PositionRing>) -> Result<(), TruthError> {
        let mut kept = Vec::new();
        for ring in rings {
            let points = ring.iter().map(|point| match point[..] {
                [x, y, ..] => Some([x, y]),
                _ => None,
            });
            let points: Vec<[f64; 2]> = points
                .collect::<Option<_>>()
                .ok_or_else(|| self.invalid("a point has fewer than two coordinates"))?;
            if encloses(&points) {
                kept.push(points);
            } else {
                let text = format!(
                    "{} has a ring of {} points, which encloses nothing",
                    self.name,
                    points.len()
                );
                self.drawn.left_out.push(text);
                // Without its outer ring a polygon has only holes.
                if kept.is_empty() {
                    return Ok(());
                }
            }
        }
        self.rings.extend(Some(kept).filter(|kept| !kept.is_empty()));
        Ok(())
    }

    fn coordinates<T: serde::de::DeserializeOwned>(
        &self,
        kind: &str,
        value: Value,
    ) -> Result<T, TruthError> {
        serde_json::from_value(value)
            .map_err(|e| self.invalid(&format!("its coordinates are not those of a {kind}: {e}")))
    }

    fn invalid(&self, problem: &str) -> TruthError {
        TruthError::invalid(self.path, format!("{}: {problem}", self.name))
    }
}

/// The class of a feature; [`UNGROUPED`] without one. QuPath writes an object with `name`, or
/// with `names` from the general to the special; other programs write the name alone, or the
/// object as text.
fn class_of(properties: &Value) -> String {
    let class = &properties["classification"];
    let parsed = class.as_str().and_then(|text| serde_json::from_str::<Value>(text).ok());
    let class = parsed.as_ref().filter(|parsed| parsed.is_object()).unwrap_or(class);
    let general = || class["names"].as_array()?.first()?.as_str();
    let name = class["name"].as_str().or_else(general).or(class.as_str());
    name.filter(|name| !name.is_empty()).unwrap_or(UNGROUPED).to_owned()
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
