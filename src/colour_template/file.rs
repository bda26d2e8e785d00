//! Reads and writes `stains.toml`, an estimate of colours that was fitted once and serves
//! as a template later. This is format version 1.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::TemplateError;
use crate::normalize::{ColourEstimate, ColourMethod};
use crate::regular_file::{self, SETTINGS_BYTES};
use crate::staged;

/// The `format` of the file.
pub(crate) const FORMAT: &str = "slidegrid-stains";
/// The only version that this program reads and writes.
pub(crate) const VERSION: i64 = 1;

/// The content of a file of stains.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StainsFile {
    /// `FORMAT`.
    pub format: String,
    /// `VERSION`.
    pub version: i64,
    /// Name and version of the program that wrote the file.
    pub writer: String,
    /// The pictures or slides to which the estimate was fitted.
    pub sources: Vec<String>,
    /// The fitted colours.
    pub estimate: ColourEstimate,
}

impl StainsFile {
    /// A file with the rounded `estimate`, which was fitted to `sources`.
    pub fn new(estimate: ColourEstimate, sources: Vec<String>) -> Self {
        Self {
            format: FORMAT.to_owned(),
            version: VERSION,
            writer: crate::version::WRITER.to_owned(),
            sources,
            estimate: estimate.rounded(),
        }
    }

    /// Reads a file of stains.
    ///
    /// # Errors
    /// `TemplateError` when the file is missing, is not a file of stains, has another
    /// format version, or holds numbers that are no valid estimate.
    pub fn read(path: &Path) -> Result<Self, TemplateError> {
        let invalid = |problem: String| TemplateError::Content { path: path.to_owned(), problem };
        let text = regular_file::read_to_string(path, SETTINGS_BYTES)
            .map_err(|source| TemplateError::Read { path: path.to_owned(), source })?;
        let file: Self =
            toml::from_str(&text).map_err(|error| invalid(error.to_string().trim().to_owned()))?;
        if file.format != FORMAT {
            return Err(invalid(format!("its format is {:?}, expected {FORMAT:?}", file.format)));
        }
        if file.version != VERSION {
            let (found, writer) = (file.version, &file.writer);
            return Err(invalid(format!(
                "has version {found} (written by {writer}), this slidegrid reads {VERSION}"
            )));
        }
        if let Some(problem) = file.estimate.invalid_reason() {
            return Err(invalid(problem));
        }
        Ok(file)
    }

    /// The estimate; an error when it was not fitted with `method`.
    pub(super) fn for_method(
        &self,
        path: &Path,
        method: ColourMethod,
    ) -> Result<ColourEstimate, TemplateError> {
        let found = self.estimate.method();
        if found != method {
            let path = path.to_owned();
            return Err(TemplateError::OtherMethod { path, found, expected: method });
        }
        Ok(self.estimate)
    }

    /// Writes the file of stains to `path`.
    ///
    /// # Errors
    /// `TemplateError::Write` when the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), TemplateError> {
        let text = toml::to_string(self).expect("a file of stains is plain numbers");
        Ok(staged::write(path, text.as_bytes())?)
    }
}
