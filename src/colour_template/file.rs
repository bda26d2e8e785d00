//! `stains.toml`: an estimate kept for later, format version 1.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::TemplateError;
use crate::normalize::{Estimate, Method};
use crate::staged;

/// The `format` of the file.
pub const FORMAT: &str = "slidegrid-stains";
/// The newest version this program reads, and the one it writes.
pub const VERSION: i64 = 1;

/// A file of stains.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StainsFile {
    /// [`FORMAT`].
    pub format: String,
    /// [`VERSION`].
    pub version: i64,
    /// Program and version that wrote it.
    pub writer: String,
    /// What it was fitted to.
    pub sources: Vec<String>,
    /// What was measured.
    pub estimate: Estimate,
}

impl StainsFile {
    /// Stains fitted to `sources`.
    pub fn new(estimate: Estimate, sources: Vec<String>) -> Self {
        Self {
            format: FORMAT.to_owned(),
            version: VERSION,
            writer: crate::version::WRITER.to_owned(),
            sources,
            estimate: estimate.rounded(),
        }
    }

    /// Reads a file.
    ///
    /// # Errors
    /// [`TemplateError`] when it is missing, foreign, newer, or its numbers
    /// make no stains.
    pub fn read(path: &Path) -> Result<Self, TemplateError> {
        let wrong = |problem: String| TemplateError::Content { path: path.to_owned(), problem };
        let text = std::fs::read_to_string(path)
            .map_err(|source| TemplateError::Read { path: path.to_owned(), source })?;
        let file: Self =
            toml::from_str(&text).map_err(|error| wrong(error.to_string().trim().to_owned()))?;
        if file.format != FORMAT {
            return Err(wrong(format!("its format is {:?}, expected {FORMAT:?}", file.format)));
        }
        if file.version != VERSION {
            let (found, writer) = (file.version, &file.writer);
            return Err(wrong(format!(
                "has version {found} (written by {writer}), this slidegrid reads {VERSION}"
            )));
        }
        if let Some(problem) = file.estimate.invalid_reason() {
            return Err(wrong(problem));
        }
        Ok(file)
    }

    /// The estimate, if it is of `method`.
    pub(super) fn for_method(
        &self,
        path: &Path,
        method: Method,
    ) -> Result<Estimate, TemplateError> {
        let found = self.estimate.method();
        if found != method {
            let path = path.to_owned();
            return Err(TemplateError::OtherMethod { path, found, expected: method });
        }
        Ok(self.estimate)
    }

    /// Writes the file.
    ///
    /// # Errors
    /// [`TemplateError::Write`].
    pub fn write(&self, path: &Path) -> Result<(), TemplateError> {
        let text = toml::to_string(self).expect("a file of stains is plain numbers");
        Ok(staged::write(path, text.as_bytes())?)
    }
}
