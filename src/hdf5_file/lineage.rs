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
}

impl Lineage {
    pub(crate) fn write_attributes(&self, attributes: &Attributes<'_>) -> Result<(), FormatError> {
        if !self.made_from.is_empty() {
            attributes.put_str("made_from", &self.made_from)?;
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
        Ok(Self { id: text("id")?, made_from: text("made_from")?, slide })
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
