//! Where the truth about each slide is found.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::error::TruthError;
use super::files::find;
use crate::staged;

/// A folder with files of truth, and the files that are named slide by slide.
#[derive(Debug, Clone, Default)]
pub(crate) struct TruthSources {
    /// The folder.
    pub folder: Option<PathBuf>,
    /// The file of a slide, by the slide's name.
    pub of_slide: BTreeMap<String, PathBuf>,
}

impl TruthSources {
    /// The file of truth for a slide: the one that is named for the slide, or else the one in the
    /// folder; `None` if there is none.
    ///
    /// # Errors
    /// [`TruthError`] if there are two, or if the system does not say whether there is one.
    pub(crate) fn find(&self, slide: &str) -> Result<Option<PathBuf>, TruthError> {
        let found = self.folder.as_deref().map(|folder| find(folder, slide)).transpose()?.flatten();
        match (self.of_slide.get(slide), found) {
            (Some(named), Some(found)) if !staged::is_same(named, &found) => {
                let problem = format!(
                    "the truth of {slide} by its folder, but slides.truth_of (the column truth of a manifest) names {}; take one of them away",
                    named.display()
                );
                Err(TruthError::invalid(&found, problem))
            }
            (Some(named), _) => Ok(Some(named.clone())),
            (None, found) => Ok(found),
        }
    }

    /// The place to name in a message about truth that is missing.
    pub(crate) fn place(&self) -> PathBuf {
        self.folder.clone().unwrap_or_else(|| PathBuf::from("slides.truth_of"))
    }
}
