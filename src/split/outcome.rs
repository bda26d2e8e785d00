//! The outcome of splitting a slide, as a task stores it in `logs/split/<slide>.json`.

use serde::{Deserialize, Serialize};

use crate::run_dir::{RunDir, SlideRecord};
use crate::staged::{self, StageError};

/// The outcome of splitting a slide.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct SplitOutcome {
    /// The slide's row of `slides.csv`.
    #[serde(flatten)]
    pub(super) record: SlideRecord,
    /// Why the coordinates of the tiles could not be written; otherwise empty. The reason in the
    /// record ends with the same text. Older files do not have this key.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) coords_failure: String,
}

impl From<SlideRecord> for SplitOutcome {
    fn from(record: SlideRecord) -> Self {
        Self { record, coords_failure: String::new() }
    }
}

impl SplitOutcome {
    /// Reads the outcome that a task left for a slide; `None` if there is none, or a damaged one.
    ///
    /// # Errors
    /// [`StageError`] if the file may be there and cannot be read.
    pub(super) fn read(run: &RunDir, slide: &str) -> Result<Option<Self>, StageError> {
        let bytes = staged::read_if_there(&run.split_outcome(slide))?;
        Ok(bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
    }

    /// Writes the outcome.
    pub(super) fn write(&self, run: &RunDir) -> Result<(), StageError> {
        let bytes = serde_json::to_vec_pretty(self).expect("an outcome is plain data");
        staged::write(&run.split_outcome(&self.record.name), &bytes)
    }
}

/// Rounds seconds to milliseconds.
pub(super) fn millis(seconds: f64) -> f64 {
    (seconds * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run_dir::SlideStatus;

    #[test]
    fn an_outcome_is_read_as_it_was_written_and_as_a_plain_record() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunDir::new(folder.path());
        assert_eq!(SplitOutcome::read(&run, "a").unwrap(), None);
        let record = SlideRecord {
            name: "a".into(),
            status: SlideStatus::Partial,
            mpp: Some(0.25),
            ..SlideRecord::default()
        };
        for coords_failure in ["", "disk full"] {
            let outcome =
                SplitOutcome { record: record.clone(), coords_failure: coords_failure.to_owned() };
            outcome.write(&run).unwrap();
            assert_eq!(SplitOutcome::read(&run, "a").unwrap(), Some(outcome));
            let text = std::fs::read_to_string(run.split_outcome("a")).unwrap();
            assert_eq!(text.contains("coords_failure"), !coords_failure.is_empty());
            assert_eq!(serde_json::from_str::<SlideRecord>(&text).unwrap(), record);
        }
        // A file of an earlier version.
        staged::write(&run.split_outcome("a"), &serde_json::to_vec(&record).unwrap()).unwrap();
        assert_eq!(SplitOutcome::read(&run, "a").unwrap(), Some(record.into()));
    }
}
