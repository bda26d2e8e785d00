//! Reads outlines from ASAP's XML, the form of CAMELYON16's annotations.

use std::path::Path;

use quick_xml::XmlVersion;
use quick_xml::events::{BytesStart, Event};
use quick_xml::reader::Reader;

use super::{AnnotationGroups, TruthError, UNGROUPED};
use crate::metrics::raster::Outline;

/// Types of annotation that enclose an area; their coordinates are the corners.
const AREAS: [&str; 3] = ["polygon", "spline", "rectangle"];

/// An annotation whose element is open: its coordinates are being read.
struct OpenAnnotation {
    name: String,
    excludes: bool,
    /// (`Order`, [x, y]) of each point read so far, level-0 px.
    points: Vec<(u64, [f64; 2])>,
}

/// Reads the outlines of a file, level-0 px.
pub(super) fn read(path: &Path, groups: &AnnotationGroups) -> Result<Vec<Outline>, TruthError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| TruthError::Read { path: path.to_owned(), source })?;
    let mut reader = Reader::from_str(&text);
    let mut outlines = Vec::new();
    let mut open: Option<OpenAnnotation> = None;
    let mut is_asap = false;
    loop {
        let at = reader.buffer_position();
        let broken = |e: &dyn std::fmt::Display| {
            TruthError::invalid(path, format!("not XML at byte {at}: {e}; was it cut short?"))
        };
        match reader.read_event().map_err(|e| broken(&e))? {
            Event::Eof => break,
            Event::Start(tag) | Event::Empty(tag) => match tag.name().as_ref() {
                "ASAP_Annotations" => is_asap = true,
                "Annotation" => open = Some(annotation(path, &tag, groups)?),
                "Coordinate" => {
                    if let Some(open) = &mut open {
                        let point = coordinate(path, &open.name, &tag)?;
                        open.points.push(point);
                    }
                }
                _ => {}
            },
            Event::End(tag) if tag.name().as_ref() == "Annotation" => {
                outlines.extend(open.take().map(|open| finish(path, open)).transpose()?);
            }
            _ => {}
        }
    }
    if !is_asap || open.is_some() {
        let problem = match open {
            Some(open) => format!("ends inside annotation {:?}: was it cut short?", open.name),
            None => "not an annotation file of ASAP: it has no <ASAP_Annotations>".into(),
        };
        return Err(TruthError::invalid(path, problem));
    }
    Ok(outlines)
}

fn annotation(
    path: &Path,
    tag: &BytesStart<'_>,
    groups: &AnnotationGroups,
) -> Result<OpenAnnotation, TruthError> {
    let get = |name: &str| attribute(path, tag, name);
    let name = get("Name")?.unwrap_or_default();
    let kind = get("Type")?.unwrap_or_default();
    if !AREAS.iter().any(|area| area.eq_ignore_ascii_case(&kind)) {
        let problem = format!(
            "annotation {name:?} is of type {kind:?}, which has no area; expected Polygon, Spline or Rectangle"
        );
        return Err(TruthError::invalid(path, problem));
    }
    let group = get("PartOfGroup")?.unwrap_or_else(|| UNGROUPED.into());
    Ok(OpenAnnotation { excludes: groups.excludes(path, &group)?, name, points: Vec::new() })
}

fn coordinate(
    path: &Path,
    annotation: &str,
    tag: &BytesStart<'_>,
) -> Result<(u64, [f64; 2]), TruthError> {
    let number = |name: &str| -> Result<f64, TruthError> {
        let text = attribute(path, tag, name)?.unwrap_or_default();
        // ASAP writes a decimal comma in some locales.
        let value = text.replace(',', ".").parse().ok().filter(|v: &f64| v.is_finite());
        value.ok_or_else(|| {
            let problem = format!(
                "annotation {annotation:?} has a point with {name} {text:?}, expected a number"
            );
            TruthError::invalid(path, problem)
        })
    };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an ordinal")]
    let order = number("Order")?.max(0.0) as u64;
    Ok((order, [number("X")?, number("Y")?]))
}

fn attribute(path: &Path, tag: &BytesStart<'_>, name: &str) -> Result<Option<String>, TruthError> {
    let unreadable = |e: &dyn std::fmt::Display| {
        TruthError::invalid(path, format!("attribute {name} cannot be read: {e}"))
    };
    let found = tag.try_get_attribute(name).map_err(|e| unreadable(&e))?;
    let value =
        found.map(|found| found.normalized_value(XmlVersion::Explicit1_0).map(|v| v.into_owned()));
    value.transpose().map_err(|e| unreadable(&e))
}

fn finish(path: &Path, mut open: OpenAnnotation) -> Result<Outline, TruthError> {
    if open.points.len() < 3 {
        let problem = format!(
            "annotation {:?} has {} points, expected at least 3: it encloses nothing; delete it or draw it",
            open.name,
            open.points.len()
        );
        return Err(TruthError::invalid(path, problem));
    }
    open.points.sort_by_key(|&(order, _)| order);
    let ring = open.points.into_iter().map(|(_, point)| point).collect();
    Ok(Outline { rings: vec![ring], excludes: open.excludes })
}
