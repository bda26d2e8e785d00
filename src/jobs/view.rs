//! The view of each slide that `status` and the report show: its progress, and the state of its
//! tasks.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;

use super::reason::Reason;
use super::state::{Failed, MissingItemState, RunState};
use super::status::SlideProgress;
use super::work::WorkItem;
use crate::number::{GroupNumber, counted, ranges};
use crate::run_dir::SlideStatus;

/// The progress of a slide, with the state of its tasks.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct SlideView {
    /// The progress, from the files.
    #[serde(flatten)]
    pub files: SlideProgress,
    /// Groups that run.
    pub running: Vec<GroupNumber>,
    /// Groups that are queued, or that were not submitted.
    pub waiting: Vec<GroupNumber>,
    /// Groups of these that are queued.
    pub queued: Vec<GroupNumber>,
    /// Items in a queue that wait for a person.
    pub stuck: Vec<UndoneItem>,
    /// Items whose last try failed.
    pub ended: Vec<UndoneItem>,
}

/// Why an item is not done.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct UndoneItem {
    /// `split`, `predict` or `stitch`.
    pub stage: &'static str,
    /// Number of the group, for `predict`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<GroupNumber>,
    /// The reason as a code, if a task has ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// The reason in words: those of the program, or else of the scheduler.
    #[serde(rename = "told")]
    pub words: String,
    /// Path of the log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log: Option<PathBuf>,
}

/// Combines the progress of a slide with the state of its tasks. Items whose file exists are done,
/// whatever a scheduler says.
pub(crate) fn view_of(files: SlideProgress, state: &RunState) -> SlideView {
    let mut view = SlideView {
        running: Vec::new(),
        waiting: Vec::new(),
        queued: Vec::new(),
        stuck: Vec::new(),
        ended: Vec::new(),
        files,
    };
    let name = view.files.name.clone();
    let failures: BTreeMap<GroupNumber, String> =
        view.files.failed.iter().map(|failure| (failure.group, failure.reason.clone())).collect();
    for group in view.files.missing.clone() {
        let item = WorkItem::Predict(name.clone(), group);
        view.add(&item, state.item_state(&item), failures.get(&group).cloned());
    }
    let splitting = view.files.split == SlideStatus::Waiting.name();
    let stitching = !view.files.heatmap && view.files.groups > 0 && view.files.missing.is_empty();
    let stitch_failure = view.files.stitch_failure.clone();
    for (wanted, item, by_task) in [
        (splitting, WorkItem::Split(name.clone()), None),
        (stitching, WorkItem::Stitch(name), stitch_failure),
    ] {
        if wanted {
            view.add(&item, state.item_state(&item), by_task);
        }
    }
    view
}

impl SlideView {
    /// Adds the state of an item; `by_task` is the error message of the task, if it failed.
    fn add(&mut self, item: &WorkItem, item_state: MissingItemState, by_task: Option<String>) {
        let (stage, group) = (item.stage().name(), item.group());
        let undone = |reason, words, log| UndoneItem { stage, group, reason, words, log };
        match item_state {
            MissingItemState::Running => self.running.extend(group),
            MissingItemState::Queued => {
                self.waiting.extend(group);
                self.queued.extend(group);
            }
            MissingItemState::Stuck { words, log } => {
                self.stuck.push(undone(None, words, Some(log)))
            }
            MissingItemState::Failed(Failed { reason, words, log }) => {
                self.ended.push(undone(Some(reason), by_task.unwrap_or(words), log));
            }
            // The failure of a stitch without a scheduler is in `files`.
            MissingItemState::Open => match (group, by_task) {
                (Some(_), Some(words)) => self.ended.push(undone(None, words, None)),
                (group, _) => self.waiting.extend(group),
            },
        }
    }

    /// Whether the last try of an item failed.
    pub(crate) fn has_failed(&self) -> bool {
        self.files.has_failed() || !(self.is_over() || self.ended.is_empty())
    }

    /// Whether nothing is left to do: the slide is done, is partial, or has no tissue.
    pub(crate) fn is_over(&self) -> bool {
        self.files.is_done() || self.files.is_partial() || self.files.has_no_tissue()
    }

    /// Whether nothing is left that a task could do without a person: the slide is over, or all that
    /// is missing has failed.
    pub(crate) fn is_settled(&self) -> bool {
        let files = &self.files;
        let has_no_patches = files.split == SlideStatus::Failed.name();
        let has_failed_groups = !files.missing.is_empty() && self.waiting.is_empty();
        let has_failed_stitch = files.missing.is_empty() && files.stitch_failure.is_some();
        self.is_over()
            || self.running.is_empty() && (has_no_patches || has_failed_groups || has_failed_stitch)
    }

    /// Rank of the slide among those that a person should look at, 0 for the first: failed, stuck,
    /// running, not done, partial, done.
    pub(crate) fn attention(&self) -> u8 {
        match self {
            slide if slide.has_failed() => 0,
            slide if !slide.stuck.is_empty() => 1,
            slide if !slide.running.is_empty() => 2,
            slide if !slide.is_over() => 3,
            slide if slide.files.is_partial() => 4,
            _ => 5,
        }
    }

    /// Groups that failed.
    pub(crate) fn failed(&self) -> Vec<GroupNumber> {
        self.ended.iter().filter_map(|undone| undone.group).collect()
    }

    /// What is not done and why, in one line; empty if there is nothing to say.
    pub(crate) fn why(&self) -> String {
        let mut parts = Vec::new();
        let files = &self.files;
        if !files.reason.is_empty() {
            parts.push(files.reason.clone());
        }
        if !files.note.is_empty() {
            parts.push(files.note.clone());
        }
        if !files.missing.is_empty() && files.scored > 0 {
            parts.push(format!("groups without scores: {}", ranges(&files.missing)));
        }
        if !files.begun.is_empty() {
            let begun =
                files.begun.iter().map(|part| format!("t{} {} %", part.group, part.percent));
            parts.push(format!("begun: {}", begun.collect::<Vec<_>>().join(", ")));
        }
        if !files.heatmap_without.is_empty() {
            parts.push(format!(
                "the heatmap was made without {}; `slidegrid stitch` makes it again",
                counted(files.heatmap_without.len(), "group", "groups")
            ));
        }
        if files.unnormalized_patches > 0 {
            parts.push(format!(
                "the stains of {} could not be determined (scores/{}/t*.h5, /unnormalized)",
                counted(files.unnormalized_patches, "patch", "patches"),
                files.name
            ));
        }
        parts.extend(files.partial.clone());
        parts.extend(files.screen.clone());
        if let Some(less) = &files.lower_precision {
            parts.push(format!(
                "scored in {}, up to {:.4} from f32 ({} windows)",
                less.precision, less.deviation_max, less.sample_windows
            ));
        }
        let engines = files.several_engines.iter();
        parts.extend(engines.map(|engines| format!("scored by several engines: {engines}")));
        let unread = files.heatmap_unread.iter();
        parts.extend(unread.map(|error| format!("the heatmap cannot be read now: {error}")));
        parts.extend(reasons(&self.ended, "failed"));
        parts.extend(reasons(&self.stuck, "stuck"));
        if self.ended.iter().all(|undone| undone.stage != "stitch") {
            let stitch = files.stitch_failure.iter();
            parts.extend(stitch.map(|failure| format!("stitch failed: {failure}")));
        }
        parts.join("; ")
    }
}

/// One line per stage and reason: the number of items, their groups, and the words and log of the
/// first.
fn reasons(undone_items: &[UndoneItem], state: &str) -> Vec<String> {
    let mut kinds: BTreeMap<(&str, Option<Reason>), Vec<&UndoneItem>> = BTreeMap::new();
    for undone in undone_items {
        kinds.entry((undone.stage, undone.reason)).or_default().push(undone);
    }
    let line = |((stage, reason), undone_items): ((&str, Option<Reason>), Vec<&UndoneItem>)| {
        let first = undone_items[0];
        let groups: Vec<GroupNumber> =
            undone_items.iter().filter_map(|undone| undone.group).collect();
        let what = match first.group {
            Some(_) => format!(
                "{} {state} (t{})",
                counted(groups.len(), "group", "groups"),
                ranges(&groups)
            ),
            None => format!("{stage} {state}"),
        };
        let reason = reason.map_or(String::new(), |reason| format!("{}, ", reason.describe()));
        let log = first.log.as_ref().map(|log| format!(" [{}]", log.display()));
        format!("{what}: {reason}{}{}", first.words, log.unwrap_or_default())
    };
    kinds.into_iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{SchedulerKind, Stage};
    use crate::jobs::listing::RunListing;
    use crate::jobs::scheduler::{End, TaskRecord, TaskState};
    use crate::jobs::state::Answers;
    use crate::jobs::status::GroupFailure;
    use crate::jobs::submitted::Submission;
    use crate::jobs::work::Request;
    use crate::number::TaskNumber;

    fn group(number: u32) -> GroupNumber {
        GroupNumber::try_from(number).unwrap()
    }

    fn files() -> SlideProgress {
        SlideProgress {
            name: "a".into(),
            split: "done",
            reason: String::new(),
            note: String::new(),
            groups: 7,
            scored: 1,
            missing: [2, 3, 4, 5, 6, 7].map(group).to_vec(),
            begun: Vec::new(),
            failed: vec![
                GroupFailure { group: group(4), reason: "a.h5: damaged".into() },
                GroupFailure { group: group(2), reason: "an older failure".into() },
            ],
            heatmap: false,
            heatmap_without: Vec::new(),
            unnormalized_patches: 0,
            lower_precision: None,
            several_engines: None,
            screen: None,
            partial: None,
            stitch_failure: None,
            heatmap_unread: None,
        }
    }

    /// A run with an array whose tasks have these states.
    fn state_of(states: impl IntoIterator<Item = (u32, TaskState)>) -> RunState {
        let array = Submission {
            id: "7".into(),
            scheduler: SchedulerKind::Slurm,
            stage: Stage::Predict,
            slide: Some("a".into()),
            items: "1-7".into(),
            tasks: Some(7),
            round: 1,
            time_s: 0,
            script: "s".into(),
            log: "l/7.log".into(),
            request: Request::NONE,
        };
        let record = |(index, state)| TaskRecord {
            job: "7".into(),
            index: TaskNumber::try_from(index).ok(),
            state,
            node: String::new(),
            cores: 1,
            elapsed_s: None,
        };
        let records = states.into_iter().map(record).collect();
        let answers = Answers { records, ..Answers::default() };
        RunState::new(RunListing::default(), vec![array], answers)
    }

    #[test]
    fn files_come_before_the_queue_and_the_queue_before_the_last_end() {
        let state = state_of([
            (1, TaskState::Ended(End::ExitCode(4))),
            (2, TaskState::Running),
            (3, TaskState::Queued("Priority".into())),
            (4, TaskState::Ended(End::ExitCode(4))),
            (5, TaskState::Ended(End::TimeLimit)),
            (7, TaskState::Stuck("Eqw".into())),
        ]);
        let view = view_of(files(), &state);
        assert_eq!(
            (view.running.as_slice(), view.waiting.as_slice()),
            (&[2].map(group)[..], &[3, 6].map(group)[..])
        );
        assert_eq!(
            (view.queued.as_slice(), view.failed()),
            (&[3].map(group)[..], [4, 5].map(group).to_vec())
        );
        let why = view.why();
        for part in [
            "1 group failed (t4): exit code 4, a.h5: damaged [l/7.log]",
            "1 group failed (t5): time limit, ended at its time limit [l/7.log]",
            "1 group stuck (t7): stuck (Eqw) [l/7.log]",
        ] {
            assert!(why.contains(part), "{part}: {why}");
        }
        assert!(!why.contains("older"), "{why}");
    }

    #[test]
    fn without_a_scheduler_the_view_is_that_of_the_files() {
        let view = view_of(files(), &RunState::default());
        assert_eq!(
            (view.waiting.as_slice(), view.failed()),
            (&[3, 5, 6, 7].map(group)[..], [2, 4].map(group).to_vec())
        );
        assert!(view.why().contains("2 groups failed (t2,4): an older failure"), "{}", view.why());
    }
}
