//! What is not submitted, noted for the person who gave the command.

use crate::jobs::chain::{Advanced, Refused};
use crate::jobs::state::{Failed, MissingItemState, RunState};
use crate::jobs::work::WorkItem;
use crate::number::{GroupNumber, ranges};
use crate::progress::Progress;
use crate::stages::completion::Completion;

/// Notes that slides wait for a fit that this round could not make, which leaves the run partial.
pub(super) fn note_missing_fit(
    advanced: &Advanced,
    state: &RunState,
    progress: &Progress,
) -> Completion {
    if !advanced.lacks_fit {
        return Completion::Done;
    }
    let why = match state.item_state(&WorkItem::Calibrate) {
        MissingItemState::Failed(Failed { words, log: Some(log), .. }) => {
            format!("{words} [{}]", log.display())
        }
        MissingItemState::Failed(Failed { words, .. }) => words,
        _ => "its log says why".to_owned(),
    };
    progress.warn(&format!(
        "error: calibrate has ended without the fit over the slides ({why}); no group is scored before there is one: `slidegrid master retry` submits it again"
    ));
    Completion::Partial
}

/// Notes the work that is queued or running, and the jobs that wait for a person.
pub(super) fn note_live(advanced: &Advanced, state: &RunState, progress: &Progress) {
    for slide in state.listing.planned() {
        let name = &slide.record.name;
        let is_live =
            |group: &&GroupNumber| state.is_live(&WorkItem::Predict(name.clone(), **group));
        let live: Vec<GroupNumber> = slide.missing.iter().filter(is_live).copied().collect();
        if !live.is_empty() {
            progress.note(&format!("{name}: groups {} are queued or running", ranges(&live)));
        }
    }
    if state.listing.lacks_fit(0) && state.is_live(&WorkItem::Calibrate) {
        progress.note("calibrate is queued or running; groups are scored after that");
    }
    for (id, state) in state.stuck() {
        progress.warn(&format!(
            "warning: job {id} waits for somebody (state {state}): release or delete it, then retry"
        ));
    }
    let nothing = advanced.submitted.is_empty() && advanced.unsent_tasks == 0;
    if nothing && advanced.refused.is_empty() && !advanced.lacks_fit {
        progress.note("nothing is missing that is not queued or running");
    }
}

/// Lists the work that no node can do, which leaves the run partial.
pub(super) fn list_refused(advanced: &Advanced, progress: &Progress) -> Completion {
    for Refused { stage, request, why } in &advanced.refused {
        let parts = [
            request.memory_mb.map(|mb| format!("{mb} MB")),
            request.time_min.map(|minutes| format!("{minutes} minutes")),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        progress.warn(&format!(
            "error: {} tasks that now ask for {} are not submitted, since no node gives that: {why}; --memory-factor 1 or --time-factor 1 asks for what is configured",
            stage.name(),
            parts.join(", ")
        ));
    }
    if advanced.refused.is_empty() { Completion::Done } else { Completion::Partial }
}
