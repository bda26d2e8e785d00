//! Reads outlines from ASAP's XML, the form of CAMELYON16's annotations.

use std::path::Path;

use quick_xml::events::{BytesStart, Event};

use super::drawn::{DrawnOutlines, encloses};
use super::xml_events::{Events, attribute, coordinate};
use super::{AnnotationGroups, TruthError, UNGROUPED};
use crate::metrics::raster::{FillRule, Outline};

/// Types of annotation that enclose an area; their coordinates are the corners.
const AREAS: [&str; 3] = ["polygon", "spline", "rectangle"];

/// An annotation whose element is open: its coordinates are being read.
struct OpenAnnotation {
    name: String,
    /// The type, such as "Polygon".
    kind: String,
    group: String,
    /// (`Order`, [x, y]) of each point read so far, level-0 px.
    points: Vec<(u64, [f64; 2])>,
}

/// Reads the outlines of a file, level-0 px. An area that an outline encloses twice is inside, as
/// in the masks that ASAP writes.
pub(super) fn read(
    path: &Path,
    text: &str,
    groups: &AnnotationGroups,
) -> Result<DrawnOutlines, TruthError> {
    let mut events = Events::new(path, text);
    let mut drawn = DrawnOutlines::default();
    let mut open: Option<OpenAnnotation> = None;
    let mut is_complete = false;
    loop {
        match events.next()? {
            Event::Eof => break,
            Event::Start(tag) | Event::Empty(tag) => match tag.name().as_ref() {
                "Annotation" => open = Some(annotation(path, &tag)?),
                "Coordinate" => {
                    if let Some(open) = &mut open {
                        let point = point(path, &open.name, &tag)?;
                        open.points.push(point);
                    }
                }
                _ => {}
            },
            Event::End(tag) => match tag.name().as_ref() {
                "Annotation" => {
                    if let Some(open) = open.take() {
                        finish(path, open, groups, &mut drawn)?;
                    }
                }
                "ASAP_Annotations" => is_complete = true,
                _ => {}
            },
            _ => {}
        }
    }
    if !is_complete {
        let inside =
            open.map_or(String::new(), |open| format!(" inside annotation {:?}", open.name));
        return Err(TruthError::invalid(path, format!("ends{inside}: was it cut short?")));
    }
    Ok(drawn)
}

fn annotation(path: &Path, tag: &BytesStart<'_>) -> Result<OpenAnnotation, TruthError> {
    let get = |name: &str| attribute(path, tag, name);
    Ok(OpenAnnotation {
        name: get("Name")?.unwrap_or_default(),
        kind: get("Type")?.unwrap_or_default(),
        group: get("PartOfGroup")?.unwrap_or_else(|| UNGROUPED.into()),
        points: Vec::new(),
    })
}

fn point(
    path: &Path,
    annotation: &str,
    tag: &BytesStart<'_>,
) -> Result<(u64, [f64; 2]), TruthError> {
    let number = |name: &str| coordinate(path, annotation, tag, name);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an ordinal")]
    let order = number("Order")?.max(0.0) as u64;
    Ok((order, [number("X")?, number("Y")?]))
}

fn finish(
    path: &Path,
    mut open: OpenAnnotation,
    groups: &AnnotationGroups,
    drawn: &mut DrawnOutlines,
) -> Result<(), TruthError> {
    open.points.sort_by_key(|&(order, _)| order);
    let OpenAnnotation { name, kind, group, points } = &open;
    if !AREAS.iter().any(|area| area.eq_ignore_ascii_case(kind)) {
        drawn.left_out.push(format!("annotation {name:?} is of type {kind:?}, which has no area"));
        return Ok(());
    }
    let ring: Vec<[f64; 2]> = points.iter().map(|&(_, point)| point).collect();
    if !encloses(&ring) {
        let points = ring.len();
        drawn
            .left_out
            .push(format!("annotation {name:?} has {points} points and encloses nothing"));
        return Ok(());
    }
    let excludes = groups.excludes(path, group, &format!("annotation {name:?}"))?;
    drawn.outlines.push(Outline { rings: vec![ring], fill: FillRule::Winding, excludes });
    Ok(())
}
