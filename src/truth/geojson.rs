//! Reads outlines from GeoJSON, as QuPath exports annotations.

use std::path::Path;

use libdeflater::{DecompressionError, Decompressor};

use super::drawn::{DrawnOutlines, encloses};
use super::geojson_text::{FeatureList, Geometry};
use super::{AnnotationGroups, TruthError, UNGROUPED};
use crate::metrics::raster::Outline;
use crate::regular_file::{self, TEXT_BYTES};
use crate::text_file;

/// Reads the outlines of a file, level-0 px, from where the program that wrote it begins to count.
/// The file, gzipped or not, holds a feature collection, a list of features, one feature, or one shape.
pub(super) fn read(path: &Path, groups: &AnnotationGroups) -> Result<DrawnOutlines, TruthError> {
    let read = |source| TruthError::Read { path: path.to_owned(), source };
    let bytes = regular_file::read(path, TEXT_BYTES).map_err(read)?;
    let bytes = if bytes.starts_with(&[0x1f, 0x8b]) { unpack(path, &bytes)? } else { bytes };
    let text =
        text_file::decode_owned(bytes).map_err(|problem| TruthError::invalid(path, problem))?;
    let features = FeatureList::parse(&text)
        .map_err(|e| TruthError::invalid(path, format!("not GeoJSON: {e}")))?;
    let mut drawn = DrawnOutlines { is_start_open: true, ..DrawnOutlines::default() };
    for (index, feature) in features.0.into_iter().enumerate() {
        let name = format!("feature {} (counted from 1)", index + 1);
        let class = feature.class.unwrap_or_else(|| UNGROUPED.to_owned());
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
        let polygons = match kind.as_str() {
            "Polygon" => coordinates.polygon().map(|rings| vec![rings]),
            "MultiPolygon" => coordinates.polygons(),
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
        let polygons = polygons.map_err(|problem| {
            self.invalid(&format!("its coordinates are not those of a {kind}: {problem}"))
        })?;
        polygons.into_iter().for_each(|rings| self.polygon(rings));
        Ok(())
    }

    fn polygon(&mut self, rings: Vec<Vec<[f64; 2]>>) {
        let mut kept = Vec::new();
        for points in rings {
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
                    return;
                }
            }
        }
        self.rings.extend(Some(kept).filter(|kept| !kept.is_empty()));
    }

    fn invalid(&self, problem: &str) -> TruthError {
        TruthError::invalid(self.path, format!("{}: {problem}", self.name))
    }
}

/// Largest share by which an unpacked file may exceed the packed one. Coordinates shrink to a
/// third or a fifth.
const MOST_TIMES: u64 = 64;

/// Unpacks a gzip file. Its last four bytes state its length before it was packed (RFC 1952), so
/// that no more memory is taken than that.
fn unpack(path: &Path, bytes: &[u8]) -> Result<Vec<u8>, TruthError> {
    let stated = bytes.last_chunk().map_or(0, |length| u64::from(u32::from_le_bytes(*length)));
    let most = (bytes.len() as u64 * MOST_TIMES).clamp(1 << 20, TEXT_BYTES);
    if stated > most {
        let mb = |bytes: u64| bytes as f64 / 1e6;
        let problem = format!(
            "it would unpack to {:.0} MB, expected at most {:.0} MB for a file of its size; unpack it, and leave out what is no annotation",
            mb(stated),
            mb(most)
        );
        return Err(TruthError::invalid(path, problem));
    }
    let mut out = vec![0; usize::try_from(stated).expect("a usize has 64 bits")];
    let length = Decompressor::new().gzip_decompress(bytes, &mut out).map_err(|e| {
        let why = match e {
            DecompressionError::BadData => "its data are damaged",
            DecompressionError::InsufficientSpace => "it holds more than its end says",
        };
        TruthError::invalid(path, format!("cannot unpack it: {why}; was it cut short?"))
    })?;
    out.truncate(length);
    Ok(out)
}
