//! The stage `split` over several slides.

use super::completion::Completion;
use super::error::StagesError;
use crate::config::RunConfig;
use crate::number::counted;
use crate::progress::Progress;
use crate::run_dir::{RunDir, SlideRecord, SlideStatus};
use crate::split::{Extent, split_slide};
use crate::threads::Workers;

/// Splits the slides one after the other and lists those that failed.
///
/// # Errors
/// [`StagesError::Split`] if an outcome cannot be recorded.
pub(crate) fn split_all(
    run: &RunDir,
    config: &RunConfig,
    records: &[&SlideRecord],
    extent: Extent,
    workers: &Workers<'_>,
    progress: &Progress,
) -> Result<Completion, StagesError> {
    let (mut whole, mut failed) = (0, 0);
    let mut partial = false;
    for record in records {
        let outcome = split_slide(run, config, record, extent, workers, progress)?;
        if workers.interrupt.requested().is_some() && outcome.status == SlideStatus::Waiting {
            progress.note(&outcome_line(&outcome));
            return Ok(Completion::Partial);
        }
        // A slide of which only the mask was made keeps the status "waiting".
        let masked = extent == Extent::Masks
            && outcome.status == SlideStatus::Waiting
            && outcome.tissue_tiles.is_some_and(|tiles| tiles > 0);
        if outcome.status.has_patches() || masked {
            whole += 1;
        } else {
            failed += 1;
        }
        partial |= !outcome.reason.is_empty();
        if outcome.reason.is_empty() && outcome.note.is_empty() {
            progress.note(&outcome_line(&outcome));
        } else {
            progress.warn(&outcome_line(&outcome));
        }
    }
    Ok(match Completion::from_counts(whole, failed) {
        Completion::Done if partial => Completion::Partial,
        completion => completion,
    })
}

fn outcome_line(outcome: &SlideRecord) -> String {
    let figures = match (outcome.tissue_tiles, outcome.patches, outcome.groups) {
        (Some(tiles), Some(patches), Some(groups)) => {
            format!(
                " ({}, {}, {})",
                counted(tiles, "tissue tile", "tissue tiles"),
                counted(patches, "patch", "patches"),
                counted(groups, "group", "groups")
            )
        }
        (Some(tiles), ..) => format!(" ({})", counted(tiles, "tissue tile", "tissue tiles")),
        _ => String::new(),
    };
    let reasons: String = [&outcome.reason, &outcome.note]
        .into_iter()
        .filter(|text| !text.is_empty())
        .map(|text| format!(": {text}"))
        .collect();
    format!("split {}: {}{figures}{reasons}", outcome.name, outcome.status.name())
}
