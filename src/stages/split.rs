//! The stage `split` over several slides.

use super::completion::{Completion, StageEnd};
use super::error::StagesError;
use super::failure_kind::FailureKind;
use crate::config::RunConfig;
use crate::jobs::outcome::{OutcomeKind, Undone};
use crate::number::counted;
use crate::progress::Progress;
use crate::run_dir::{RunDir, SlideRecord, SlideStatus};
use crate::split::{Extent, SplitEnd, split_slide, suspects};
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
) -> Result<StageEnd, StagesError> {
    let (mut done, mut failed, mut undone) = (0, 0, Vec::new());
    // A slide that the program may die of must not keep it from the others.
    let suspects = suspects(run);
    let mut records = records.to_vec();
    records.sort_by_key(|record| suspects.contains(&record.name));
    let undone_slide = |name: &str, kind| Undone { slide: name.to_owned(), group: None, kind };
    for (index, record) in records.iter().enumerate() {
        let SplitEnd { record: outcome, error } =
            split_slide(run, config, record, extent, workers, progress)?;
        if workers.interrupt.requested().is_some() && outcome.status == SlideStatus::Waiting {
            progress.note(&outcome_line(&outcome));
            let rest = records[index..].iter();
            undone.extend(rest.map(|rest| undone_slide(&rest.name, OutcomeKind::Interrupted)));
            return Ok(StageEnd { completion: Completion::Partial, undone });
        }
        // A slide of which only the mask was made keeps the status "waiting".
        let masked = extent == Extent::Masks
            && outcome.status == SlideStatus::Waiting
            && outcome.tissue_tiles.is_some_and(|tiles| tiles > 0);
        if outcome.status.has_patches() || masked {
            done += 1;
            if !outcome.reason.is_empty() {
                undone.push(undone_slide(&outcome.name, OutcomeKind::Partial));
            }
        } else {
            failed += 1;
            let kind = error.map_or(OutcomeKind::Input, |error| error.kind());
            undone.push(undone_slide(&outcome.name, kind));
        }
        if outcome.reason.is_empty() && outcome.note.is_empty() {
            progress.note(&outcome_line(&outcome));
        } else {
            progress.warn(&outcome_line(&outcome));
        }
    }
    Ok(StageEnd::from_items(done, failed, undone))
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
