//! Writes outlines as ASAP's XML, the form of CAMELYON16's annotations.

use std::fmt::Write as _;

/// One polygon: its group (`_0` and `_1` are tumor, `_2` is excluded) and its points
/// (x, y), level-0 px.
#[derive(Debug, Clone)]
pub(super) struct AsapPolygon {
    pub(super) group: &'static str,
    pub(super) points: Vec<(f32, f32)>,
}

/// The colour in which ASAP shows each group.
const GROUPS: [(&str, &str); 3] = [("_0", "#F4FA58"), ("_1", "#F4FA58"), ("_2", "#64FE2E")];

/// The whole XML document.
pub(super) fn document(polygons: &[AsapPolygon]) -> String {
    let mut xml = String::from("<?xml version=\"1.0\"?>\n<ASAP_Annotations>\n\t<Annotations>\n");
    for (number, polygon) in polygons.iter().enumerate() {
        let color = GROUPS.iter().find(|g| g.0 == polygon.group).map_or("#F4FA58", |g| g.1);
        let _ = writeln!(
            xml,
            "\t\t<Annotation Name=\"Annotation {number}\" Type=\"Polygon\" PartOfGroup=\"{}\" Color=\"{color}\">\n\t\t\t<Coordinates>",
            polygon.group
        );
        for (order, (x, y)) in polygon.points.iter().enumerate() {
            let _ =
                writeln!(xml, "\t\t\t\t<Coordinate Order=\"{order}\" X=\"{x:.1}\" Y=\"{y:.1}\" />");
        }
        xml.push_str("\t\t\t</Coordinates>\n\t\t</Annotation>\n");
    }
    xml.push_str("\t</Annotations>\n\t<AnnotationGroups>\n");
    for (group, color) in GROUPS {
        if polygons.iter().any(|polygon| polygon.group == group) {
            let _ = writeln!(
                xml,
                "\t\t<Group Name=\"{group}\" PartOfGroup=\"None\" Color=\"{color}\">\n\t\t\t<Attributes />\n\t\t</Group>"
            );
        }
    }
    xml.push_str("\t</AnnotationGroups>\n</ASAP_Annotations>\n");
    xml
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tag_is_closed_and_used_groups_are_listed() {
        let square = vec![(0.0, 0.0), (10.0, 0.25), (10.0, 10.0)];
        let xml = document(&[
            AsapPolygon { group: "_0", points: square.clone() },
            AsapPolygon { group: "_2", points: square },
        ]);
        for tag in [
            "ASAP_Annotations",
            "Annotations",
            "Annotation",
            "Coordinates",
            "AnnotationGroups",
            "Group",
        ] {
            let open =
                xml.matches(&format!("<{tag}>")).count() + xml.matches(&format!("<{tag} ")).count();
            assert_eq!(open, xml.matches(&format!("</{tag}>")).count(), "{tag}");
            assert!(open > 0, "{tag}");
        }
        assert_eq!(xml.matches("<Coordinate Order=").count(), 6);
        assert!(xml.contains("<Group Name=\"_2\"") && !xml.contains("<Group Name=\"_1\""));
        assert!(xml.contains("Order=\"1\" X=\"10.0\" Y=\"0.2\""));
    }
}
