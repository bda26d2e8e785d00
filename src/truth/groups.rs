//! The meaning of the groups of an annotation file.

use std::path::Path;

use super::error::TruthError;
use crate::spelling::is_same_ignoring_case;

/// The groups of an annotation file that are lesions, and those that are exclusions. Names
/// are compared without regard to case and to the spelling of "tumor".
#[derive(Debug, Clone, PartialEq)]
pub struct AnnotationGroups {
    /// Groups (ASAP) or classes (QuPath) that are lesions.
    pub lesion: Vec<String>,
    /// Groups that are cut out of lesions, whatever their order in the file.
    pub excluded: Vec<String>,
    /// Values of mask images that are lesions; empty where all but 0 are.
    pub values: Vec<u16>,
}

/// The group of annotations that have no group or class.
pub(crate) const UNGROUPED: &str = "none";

impl Default for AnnotationGroups {
    /// The groups of CAMELYON16 (`_0`, `_1`, `_2`), CAMELYON17 (`metastases`, `normal`)
    /// and QuPath (`Tumor`, `Ignore*`).
    fn default() -> Self {
        let list = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        Self {
            lesion: list(&["_0", "_1", "tumor", "metastases"]),
            excluded: list(&["_2", "normal", "exclusion", "ignore*"]),
            values: Vec::new(),
        }
    }
}

impl AnnotationGroups {
    /// Whether outlines of `group` are exclusions; an error when the group is neither a
    /// lesion nor an exclusion. `annotation` names the outline for the error.
    pub(super) fn excludes(
        &self,
        path: &Path,
        group: &str,
        annotation: &str,
    ) -> Result<bool, TruthError> {
        let among = |list: &[String]| list.iter().any(|known| is_same_ignoring_case(known, group));
        match (among(&self.lesion), among(&self.excluded)) {
            (true, _) => Ok(false),
            (false, true) => Ok(true),
            (false, false) => Err(TruthError::Group {
                path: path.to_owned(),
                annotation: annotation.to_owned(),
                found: group.to_owned(),
                lesion: self.lesion.join(", "),
                excluded: self.excluded.join(", "),
            }),
        }
    }
}
