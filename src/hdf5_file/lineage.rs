//! Where a file comes from: what it was made from, and of which slide.

use super::{Attributes, FormatError};
use crate::identity::SlideIdentity;

/// The attributes that tie a file to its slide and to the file it was made from. Files of
/// version 1 have none of them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Lineage {
    /// Hash of what decides the content, 16 hexadecimal digits; attribute `id`. Set on reading.
    pub id: String,
    /// The `id` of the patch file that the file was made from; empty for patches.
    pub made_from: String,
    /// The slide's file when it was split.
    pub slide: Option<SlideIdentity>,
    /// Where the scanned area of the slide begins, x and y, level-0 px; attributes `bounds_x` and
    /// `bounds_y`. `None` if the slide does not say, and in files of before these attributes.
    pub bounds_px: Option<[u32; 2]>,
}

impl Lineage {
    pub(crate) fn write_attributes(&self, attributes: &Attributes<'_>) -> Result<(), FormatError> {
        if !self.made_from.is_empty() {
            attributes.put_str("made_from", &self.made_from)?;
        }
        if let Some([x, y]) = self.bounds_px {
            attributes.put_u64("bounds_x", x.into())?;
            attributes.put_u64("bounds_y", y.into())?;
        }
        let Some(slide) = self.slide else { return Ok(()) };
        attributes.put_u64("slide_bytes", slide.bytes)?;
        attributes.put_i64("slide_modified_unix_s", slide.modified_unix_s)?;
        attributes.put_str("slide_hash", &format!("{:016x}", slide.hash))
    }

    pub(crate) fn read_attributes(attributes: &Attributes<'_>) -> Result<Self, FormatError> {
        let text = |name| match attributes.contains(name)? {
            true => attributes.str(name),
            false => Ok(String::new()),
        };
        let slide = match attributes.contains("slide_hash")? {
            true => Some(SlideIdentity {
                bytes: attributes.u64("slide_bytes")?,
                modified_unix_s: attributes.i64("slide_modified_unix_s")?,
                hash: hash(attributes)?,
            }),
            false => None,
        };
        let bounds_px = match attributes.contains("bounds_x")? {
            true => Some([attributes.u32("bounds_x", 0)?, attributes.u32("bounds_y", 0)?]),
            false => None,
        };
        Ok(Self { id: text("id")?, made_from: text("made_from")?, slide, bounds_px })
    }

    /// The lineage of what is made from a file with this one.
    pub(crate) fn of_what_is_made(&self) -> Self {
        Self { id: String::new(), made_from: self.id.clone(), ..self.clone() }
    }

    /// Whether the file can have been made from `patches`. What is not known of files of
    /// version 1 contradicts nothing.
    pub fn fits(&self, patches: &Self) -> bool {
        self.made_from.is_empty() || patches.id.is_empty() || self.made_from == patches.id
    }
}

fn hash(attributes: &Attributes<'_>) -> Result<u64, FormatError> {
    let text = attributes.str("slide_hash")?;
    u64::from_str_radix(&text, 16).map_err(|_| {
        let problem = format!("slide_hash is {text:?}, expected 16 hexadecimal digits");
        FormatError::invalid(attributes.path(), problem)
    })
}
