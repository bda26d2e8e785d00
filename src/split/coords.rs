//! Writes the coordinates of tiles for other programs.

use std::path::Path;

use super::outcome::SplitOutcome;
use crate::config::RunConfig;
use crate::export::ExportError;
use crate::export::coords::write_coords;
use crate::patches::PatchesFile;
use crate::run_dir::{self, RunDir, SlideStatus};
use crate::staged::{self, StageError};

/// Writes the coordinates of the tiles in the formats of `[tiling] coords`. Files that exist and
/// are recorded are replaced only if the patches are `new`. A failure is added to the outcome's reason.
pub(super) fn with_coords(
    run: &RunDir,
    config: &RunConfig,
    mut outcome: SplitOutcome,
    new: bool,
) -> SplitOutcome {
    let (folder, name) = (run.coords(), outcome.record.name.clone());
    let formats = config.config.tiling.coords.0.iter().copied();
    let mut failures = Vec::new();
    for format in formats {
        let path = format.path(&folder, &name);
        match is_known(run, &name, &path) {
            Ok(true) if !new => continue,
            Ok(_) => {}
            Err(error) => {
                failures.push(format!("no coords/ of its tiles: {error}"));
                continue;
            }
        }
        let patches = PatchesFile::open(&run.patches(&name)).map_err(ExportError::from);
        let written = patches.and_then(|file| write_coords(&file, &folder, &name, format));
        let recorded = written.and_then(|file| Ok(run_dir::record_files(run, &name, &[file])?));
        failures.extend(recorded.err().map(|error| format!("no coords/ of its tiles: {error}")));
    }
    if failures.is_empty() {
        return outcome;
    }
    outcome.coords_failure = failures.join(SEPARATOR);
    let record = &mut outcome.record;
    if record.status == SlideStatus::Done {
        record.status = SlideStatus::Partial;
    }
    if !record.reason.is_empty() {
        record.reason.push_str(SEPARATOR);
    }
    record.reason.push_str(&outcome.coords_failure);
    outcome
}

/// Whether a file is there and recorded.
fn is_known(run: &RunDir, slide: &str, path: &Path) -> Result<bool, StageError> {
    Ok(staged::is_there(path)? && run_dir::is_recorded(run, slide, path)?)
}

/// Stands between the reasons of an outcome.
const SEPARATOR: &str = "; ";

/// The outcome without the failure of an earlier try to write coordinates.
pub(super) fn without_coords(outcome: SplitOutcome) -> SplitOutcome {
    let SplitOutcome { mut record, coords_failure } = outcome;
    let rest = record.reason.strip_suffix(&coords_failure);
    if let Some(rest) = rest.filter(|_| !coords_failure.is_empty()) {
        record.reason = rest.strip_suffix(SEPARATOR).unwrap_or(rest).to_owned();
        if record.status == SlideStatus::Partial && record.reason.is_empty() {
            record.status = SlideStatus::Done;
        }
    }
    record.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run_dir::SlideRecord;

    #[test]
    fn only_the_failure_of_coordinates_is_removed_from_an_outcome() {
        let failure = "no coords/ of its tiles: a; b";
        let record = |status, reason: &str, coords_failure: &str| SplitOutcome {
            record: SlideRecord { status, reason: reason.into(), ..SlideRecord::default() },
            coords_failure: coords_failure.into(),
        };
        let (done, partial) = (SlideStatus::Done, SlideStatus::Partial);
        for (before, after) in [
            (record(partial, failure, failure), record(done, "", "")),
            (
                record(partial, &format!("2 patches; {failure}"), failure),
                record(partial, "2 patches", ""),
            ),
            (record(partial, "2 patches", ""), record(partial, "2 patches", "")),
            (record(done, "", ""), record(done, "", "")),
        ] {
            assert_eq!(without_coords(before), after);
        }
    }
}
