//! Annotations in XML: tells ASAP's from ImageScope's.

use std::path::Path;

use quick_xml::events::Event;
use quick_xml::reader::Reader;

use super::drawn::DrawnOutlines;
use super::{AnnotationGroups, TruthError, asap_xml, imagescope_xml};
use crate::text_file::read_text;

/// Reads the outlines of a file of ASAP or of Aperio ImageScope, level-0 px.
pub(super) fn read(path: &Path, groups: &AnnotationGroups) -> Result<DrawnOutlines, TruthError> {
    let text =
        read_text(path).map_err(|source| TruthError::Read { path: path.to_owned(), source })?;
    match root(&text).as_deref() {
        Some("ASAP_Annotations") => asap_xml::read(path, &text, groups),
        Some("Annotations") => imagescope_xml::read(path, &text, groups),
        found => {
            let found = found.map_or("no element".to_owned(), |name| format!("<{name}>"));
            Err(TruthError::invalid(
                path,
                format!(
                    "not an annotation file of ASAP or ImageScope: it begins with {found}, expected <ASAP_Annotations> or <Annotations>"
                ),
            ))
        }
    }
}

/// The name of the first element.
fn root(text: &str) -> Option<String> {
    let mut reader = Reader::from_str(text);
    loop {
        match reader.read_event().ok()? {
            Event::Start(tag) | Event::Empty(tag) => return Some(tag.name().as_ref().to_owned()),
            Event::Eof => return None,
            _ => {}
        }
    }
}
