//! Writes the coordinates of tiles for other programs.

use crate::config::RunConfig;
use crate::export::ExportError;
use crate::export::coords::write_coords;
use crate::patches::PatchesFile;
use crate::run_dir::{RunDir, SlideRecord, SlideStatus};

/// Start of the sentence about coordinates at the end of an outcome's reason.
const NONE: &str = "no coords/ of its tiles: ";

/// Writes the coordinates of the tiles in the formats of `[tiling] coords`. Files that exist
/// are replaced only if the patches are `new`. A failure is added to the outcome's reason.
pub(super) fn with_coords(
    run: &RunDir,
    config: &RunConfig,
    mut outcome: SlideRecord,
    new: bool,
) -> SlideRecord {
    let (folder, name) = (run.coords(), outcome.name.clone());
    let formats = config.config.tiling.coords.0.iter().copied();
    for format in formats.filter(|format| new || !format.path(&folder, &name).exists()) {
        let patches = PatchesFile::open(&run.patches(&name)).map_err(ExportError::from);
        let written = patches.and_then(|file| write_coords(&file, &folder, &name, format));
        let Err(error) = written else { continue };
        if outcome.status == SlideStatus::Done {
            outcome.status = SlideStatus::Partial;
        }
        let before = std::mem::take(&mut outcome.reason);
        let reasons = [before, format!("{NONE}{error}")];
        outcome.reason =
            reasons.into_iter().filter(|r| !r.is_empty()).collect::<Vec<_>>().join("; ");
    }
    outcome
}

/// The outcome without the sentence of an earlier try about coordinates.
pub(super) fn without_coords(mut outcome: SlideRecord) -> SlideRecord {
    if let Some(at) = outcome.reason.find(NONE) {
        outcome.reason.truncate(at);
        outcome.reason.truncate(outcome.reason.trim_end_matches("; ").len());
        if outcome.status == SlideStatus::Partial && outcome.reason.is_empty() {
            outcome.status = SlideStatus::Done;
        }
    }
    outcome
}
