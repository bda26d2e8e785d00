//! Reads from the header of a DICOM file which series it belongs to (DICOM PS3.10 and PS3.5).
//!
//! A slide in DICOM is a series of files, one for each level, label or part of a level. The header
//! alone says so; OpenSlide is not asked, since it would read the whole folder for each file.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::names::may_be_dicom;

/// The series of a DICOM file. All files of one series in one folder are one slide.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DicomSeries {
    /// The series' unique identifier.
    pub uid: String,
    /// The identifier of the glass slide.
    pub container: Option<String>,
}

/// What a DICOM file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum DicomFile {
    /// A file of a whole-slide image.
    Slide(DicomSeries),
    /// Another object: an annotation, a segmentation, a report or a directory.
    Other,
}

/// Length of a header, bytes, of which more is not read. The identifiers come before all that is
/// long.
const HEADER_BYTES: u64 = 1 << 20;

/// Storage class of whole-slide images, as in the file's meta information.
const WHOLE_SLIDE: &str = "1.2.840.10008.5.1.4.1.1.77.1.6";
const IMPLICIT: &str = "1.2.840.10008.1.2";
/// Deflated, and big-endian: which nothing writes for slides.
const UNREAD: [&str; 2] = ["1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2"];

const STORAGE_CLASS: u32 = 0x0002_0002;
const TRANSFER_SYNTAX: u32 = 0x0002_0010;
const CHARACTER_SET: u32 = 0x0008_0005;
const SERIES_UID: u32 = 0x0020_000e;
const CONTAINER: u32 = 0x0040_0512;
const ITEM: u32 = 0xfffe_e000;
const ITEM_END: u32 = 0xfffe_e00d;
const SEQUENCE_END: u32 = 0xfffe_e0dd;
/// The length of what ends with a delimiter.
const OPEN_END: u32 = u32::MAX;

/// Whether "DICM" follows the preamble of 128 bytes.
fn is_dicom(path: &Path) -> bool {
    head(path, 132).is_some_and(|bytes| bytes.get(128..132) == Some(b"DICM"))
}

/// What the file is; `None` if it is no DICOM file, or its header cannot be followed.
pub(crate) fn dicom_file(path: &Path) -> Option<DicomFile> {
    if !may_be_dicom(path) || !is_dicom(path) {
        return None;
    }
    parse(&head(path, HEADER_BYTES)?)
}

/// The first bytes of a file, at most this many.
fn head(path: &Path, bytes: u64) -> Option<Vec<u8>> {
    // Opening a pipe would wait for a writer that never comes.
    if !path.is_file() {
        return None;
    }
    let mut head = Vec::new();
    File::open(path).ok()?.take(bytes).read_to_end(&mut head).ok()?;
    Some(head)
}

fn parse(bytes: &[u8]) -> Option<DicomFile> {
    let mut reader = Elements { rest: bytes.get(132..)?, is_explicit: true };
    let (mut syntax, mut class) = (String::new(), String::new());
    // The meta information is explicit, whatever the rest is.
    while reader.peek_group()? == 0x0002 {
        let DataElement { tag, value } = reader.next()?;
        match tag {
            STORAGE_CLASS => class = text(value?, true),
            TRANSFER_SYNTAX => syntax = text(value?, true),
            _ => {}
        }
    }
    if class != WHOLE_SLIDE {
        return Some(DicomFile::Other);
    }
    if UNREAD.contains(&syntax.as_str()) {
        return None;
    }
    reader.is_explicit = syntax != IMPLICIT;
    let (mut uid, mut container, mut is_utf8) = (None, None, true);
    while let Some(DataElement { tag, value }) = reader.next() {
        match (tag, value) {
            (CHARACTER_SET, Some(value)) => is_utf8 = text(value, true).contains("192"),
            (SERIES_UID, Some(value)) => uid = Some(text(value, true)),
            (CONTAINER, Some(value)) => container = Some(text(value, is_utf8)),
            _ => {}
        }
        if tag >= CONTAINER {
            break;
        }
    }
    let uid = uid.filter(|uid| !uid.is_empty())?;
    Some(DicomFile::Slide(DicomSeries {
        uid,
        container: container.filter(|name| !name.is_empty()),
    }))
}

/// A text without the padding that makes its length even. Text that is not UTF-8 is taken for
/// Latin-1, of which ASCII is a part.
fn text(value: &[u8], is_utf8: bool) -> String {
    let latin = || value.iter().map(|&byte| char::from(byte)).collect();
    let text: String = match std::str::from_utf8(value) {
        Ok(text) if is_utf8 || text.is_ascii() => text.to_owned(),
        _ => latin(),
    };
    text.trim_matches(|c: char| c == '\0' || c.is_whitespace()).to_owned()
}

/// A data element; the value of a sequence is passed over.
struct DataElement<'a> {
    tag: u32,
    value: Option<&'a [u8]>,
}

struct Elements<'a> {
    rest: &'a [u8],
    is_explicit: bool,
}

impl<'a> Elements<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(taken)
    }

    fn number(&mut self, bytes: usize) -> Option<u32> {
        let taken = self.take(bytes)?;
        Some(taken.iter().rev().fold(0, |sum, &byte| sum << 8 | u32::from(byte)))
    }

    fn peek_group(&self) -> Option<u16> {
        Some(u16::from_le_bytes(self.rest.get(..2)?.try_into().ok()?))
    }

    fn tag(&mut self) -> Option<u32> {
        Some(self.number(2)? << 16 | self.number(2)?)
    }

    /// The length of the value that follows, bytes.
    fn length(&mut self, tag: u32) -> Option<u32> {
        // Items and delimiters have no kind of value.
        if !self.is_explicit || tag >> 16 == 0xfffe {
            return self.number(4);
        }
        match self.take(2)? {
            b"OB" | b"OD" | b"OF" | b"OL" | b"OV" | b"OW" | b"SQ" | b"SV" | b"UC" | b"UN"
            | b"UR" | b"UT" | b"UV" => {
                self.take(2)?;
                self.number(4)
            }
            _ => self.number(2),
        }
    }

    /// The next element; `None` at the end of what was read.
    fn next(&mut self) -> Option<DataElement<'a>> {
        let tag = self.tag()?;
        let length = self.length(tag)?;
        if length == OPEN_END {
            self.pass_over()?;
            return Some(DataElement { tag, value: None });
        }
        let value = self.take(usize::try_from(length).ok()?)?;
        Some(DataElement { tag, value: Some(value) })
    }

    /// Passes over the items of a sequence of open length.
    fn pass_over(&mut self) -> Option<()> {
        let mut depth = 1_u32;
        while depth > 0 {
            let start = self.rest;
            match self.tag()? {
                SEQUENCE_END | ITEM_END => {
                    self.number(4)?;
                    depth -= 1;
                }
                ITEM => match self.number(4)? {
                    OPEN_END => depth += 1,
                    length => drop(self.take(usize::try_from(length).ok()?)?),
                },
                _ => {
                    self.rest = start;
                    depth = self.enter(depth)?;
                }
            }
        }
        Some(())
    }

    /// Passes over an element within an item; returns the depth after it, which is larger where a
    /// sequence of open length begins.
    fn enter(&mut self, depth: u32) -> Option<u32> {
        let tag = self.tag()?;
        let length = self.length(tag)?;
        if length == OPEN_END {
            return Some(depth + 1);
        }
        self.take(usize::try_from(length).ok()?)?;
        Some(depth)
    }
}

#[cfg(test)]
#[path = "dicom_tests.rs"]
mod tests;
