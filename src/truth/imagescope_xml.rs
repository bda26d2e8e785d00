//! Reads outlines from the XML of Aperio ImageScope, which lies beside an .svs file.
//!
//! A layer (`Annotation`) has a name, which is the group of its regions; a region has a type, its
//! corners in level-0 px, and is cut out where it is negative.

use std::path::Path;

use quick_xml::events::{BytesStart, Event};

use super::drawn::{DrawnOutlines, encloses};
use super::xml_events::{Events, attribute, coordinate};
use super::{AnnotationGroups, TruthError, UNGROUPED};
use crate::metrics::raster::{FillRule, Outline};

/// Corners of the polygon that stands for an ellipse; it lies within 0.1 % of the radius.
const ELLIPSE_CORNERS: u32 = 72;

/// A region whose element is open.
struct OpenRegion {
    name: String,
    kind: String,
    is_negative: bool,
    points: Vec<[f64; 2]>,
}

/// Reads the outlines of a file, level-0 px.
pub(super) fn read(
    path: &Path,
    text: &str,
    groups: &AnnotationGroups,
) -> Result<DrawnOutlines, TruthError> {
    let mut events = Events::new(path, text);
    let mut drawn = DrawnOutlines::default();
    let mut layer = UNGROUPED.to_owned();
    let mut open: Option<OpenRegion> = None;
    let mut is_complete = false;
    loop {
        match events.next()? {
            Event::Eof => break,
            Event::Start(tag) | Event::Empty(tag) => match tag.name().as_ref() {
                "Annotation" => {
                    let name = attribute(path, &tag, "Name")?.filter(|name| !name.is_empty());
                    layer = name.unwrap_or_else(|| UNGROUPED.to_owned());
                }
                "Region" => open = Some(region(path, &layer, &tag)?),
                "Vertex" | "V" => {
                    if let Some(open) = &mut open {
                        let at = |axis| coordinate(path, &open.name, &tag, axis);
                        let point = [at("X")?, at("Y")?];
                        open.points.push(point);
                    }
                }
                _ => {}
            },
            Event::End(tag) => match tag.name().as_ref() {
                "Region" => {
                    if let Some(open) = open.take() {
                        finish(path, &open, &layer, groups, &mut drawn)?;
                    }
                }
                "Annotations" => is_complete = true,
                _ => {}
            },
            _ => {}
        }
    }
    if !is_complete {
        return Err(TruthError::invalid(path, "ends inside an annotation: was it cut short?"));
    }
    Ok(drawn)
}

fn region(path: &Path, layer: &str, tag: &BytesStart<'_>) -> Result<OpenRegion, TruthError> {
    let get = |name: &str| Ok::<_, TruthError>(attribute(path, tag, name)?.unwrap_or_default());
    let id = get("Id")?;
    Ok(OpenRegion {
        name: format!("{layer}, region {id}"),
        kind: get("Type")?,
        is_negative: get("NegativeROA")? == "1",
        points: Vec::new(),
    })
}

fn finish(
    path: &Path,
    open: &OpenRegion,
    layer: &str,
    groups: &AnnotationGroups,
    drawn: &mut DrawnOutlines,
) -> Result<(), TruthError> {
    let name = &open.name;
    let ring = match (open.kind.as_str(), open.points.as_slice()) {
        ("0" | "", points) => points.to_vec(),
        ("1", &[a, b]) => vec![a, [b[0], a[1]], b, [a[0], b[1]]],
        ("1", points) => points.to_vec(),
        ("2", &[a, .., b]) => ellipse(a, b),
        (kind, _) => {
            drawn
                .left_out
                .push(format!("annotation {name:?} is of type {kind}, which has no area"));
            return Ok(());
        }
    };
    if !encloses(&ring) {
        drawn
            .left_out
            .push(format!("annotation {name:?} has {} points and encloses nothing", ring.len()));
        return Ok(());
    }
    let excludes = groups.excludes(path, layer, &format!("annotation {name:?}"))?;
    let excludes = excludes || open.is_negative;
    drawn.outlines.push(Outline { rings: vec![ring], fill: FillRule::Winding, excludes });
    Ok(())
}

/// The ellipse in the rectangle of two opposite corners.
fn ellipse(a: [f64; 2], b: [f64; 2]) -> Vec<[f64; 2]> {
    let centre = [f64::midpoint(a[0], b[0]), f64::midpoint(a[1], b[1])];
    let radius = [(b[0] - a[0]) / 2.0, (b[1] - a[1]) / 2.0];
    let corner = |number: u32| {
        let angle = std::f64::consts::TAU * f64::from(number) / f64::from(ELLIPSE_CORNERS);
        [centre[0] + radius[0] * angle.cos(), centre[1] + radius[1] * angle.sin()]
    };
    (0..ELLIPSE_CORNERS).map(corner).collect()
}
