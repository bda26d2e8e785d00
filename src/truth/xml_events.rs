//! Reads the events, attributes and coordinates of annotations in XML.

use std::path::Path;

use quick_xml::XmlVersion;
use quick_xml::events::{BytesStart, Event};
use quick_xml::reader::Reader;

use super::TruthError;

/// The events of a text, one after the other; `Eof` ends them.
pub(super) struct Events<'a> {
    path: &'a Path,
    reader: Reader<&'a [u8]>,
}

impl<'a> Events<'a> {
    pub(super) fn new(path: &'a Path, text: &'a str) -> Self {
        Self { path, reader: Reader::from_str(text) }
    }

    pub(super) fn next(&mut self) -> Result<Event<'a>, TruthError> {
        let at = self.reader.buffer_position();
        self.reader.read_event().map_err(|e| {
            let problem = format!("not XML at byte {at}: {e}; was it cut short?");
            TruthError::invalid(self.path, problem)
        })
    }
}

/// The value of an attribute; `None` when the element does not have it.
pub(super) fn attribute(
    path: &Path,
    tag: &BytesStart<'_>,
    name: &str,
) -> Result<Option<String>, TruthError> {
    let unreadable = |e: &dyn std::fmt::Display| {
        TruthError::invalid(path, format!("attribute {name} cannot be read: {e}"))
    };
    let found = tag.try_get_attribute(name).map_err(|e| unreadable(&e))?;
    let value =
        found.map(|found| found.normalized_value(XmlVersion::Explicit1_0).map(|v| v.into_owned()));
    value.transpose().map_err(|e| unreadable(&e))
}

/// A coordinate of an annotation. Programs write a decimal comma in some locales.
pub(super) fn coordinate(
    path: &Path,
    annotation: &str,
    tag: &BytesStart<'_>,
    name: &str,
) -> Result<f64, TruthError> {
    let text = attribute(path, tag, name)?.unwrap_or_default();
    let value = text.replace(',', ".").parse().ok().filter(|v: &f64| v.is_finite());
    value.ok_or_else(|| {
        let problem = format!(
            "annotation {annotation:?} has a point with {name} {text:?}, expected a number"
        );
        TruthError::invalid(path, problem)
    })
}
