//! One view a slide: what its files say, and what the schedulers add.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;

use super::arrays::Piece;
use super::queue::LastTry;
use super::sched_state::{Reason, TaskState};
use super::status::SlideProgress;
use crate::number::{GroupNumber, ranges};

/// A slide, and why what is not done is not.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SlideView {
    /// What its files say.
    #[serde(flatten)]
    pub files: SlideProgress,
    /// Groups that run now.
    pub running: Vec<GroupNumber>,
    /// Groups that wait in a queue, or that nobody has submitted.
    pub waiting: Vec<GroupNumber>,
    /// Of these, groups that are in a queue.
    pub queued: Vec<GroupNumber>,
    /// Work in a queue that will not go on by itself.
    pub stuck: Vec<Trouble>,
    /// Work that was tried and is not done.
    pub ended: Vec<Trouble>,
}

/// Why a piece of work is not done.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Trouble {
    /// `split`, `predict` or `stitch`.
    pub stage: &'static str,
    /// Group of `predict`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<GroupNumber>,
    /// In a word, when it has ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// In more words: the program's own, else the scheduler's.
    pub told: String,
    /// The log to read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log: Option<PathBuf>,
}

/// Joins what files and schedulers say of a slide; files win.
pub fn view_of(files: SlideProgress, tries: &BTreeMap<Piece, LastTry>) -> SlideView {
    let mut view = SlideView {
        running: Vec::new(),
        waiting: Vec::new(),
        queued: Vec::new(),
        stuck: Vec::new(),
        ended: Vec::new(),
        files,
    };
    let name = view.files.name.clone();
    let said: BTreeMap<GroupNumber, String> =
        view.files.failed.iter().map(|failure| (failure.group, failure.reason.clone())).collect();
    for group in view.files.missing.clone() {
        let told = said.get(&group).cloned();
        match tries.get(&Piece::Group(name.clone(), group)) {
            Some(last) if last.state == TaskState::Running => view.running.push(group),
            Some(last) if matches!(last.state, TaskState::Pending(_)) => {
                view.waiting.push(group);
                view.queued.push(group);
            }
            Some(last) => view.add("predict", Some(group), last, told),
            None => match told {
                Some(told) => view.ended.push(Trouble {
                    stage: "predict",
                    group: Some(group),
                    reason: None,
                    told,
                    log: None,
                }),
                None => view.waiting.push(group),
            },
        }
    }
    let splitting = view.files.split == "waiting";
    let stitching = !view.files.heatmap && view.files.groups > 0 && view.files.missing.is_empty();
    let stitch_said = view.files.stitch_failure.clone();
    for (stage, wanted, piece, told) in [
        ("split", splitting, Piece::Split(name.clone()), None),
        ("stitch", stitching, Piece::Stitch(name), stitch_said),
    ] {
        if let Some(last) = tries.get(&piece).filter(|_| wanted) {
            view.add(stage, None, last, told);
        }
    }
    view
}

impl SlideView {
    fn add(
        &mut self,
        stage: &'static str,
        group: Option<GroupNumber>,
        last: &LastTry,
        told: Option<String>,
    ) {
        let reason = last.reason();
        let told = told.filter(|_| reason.is_some()).unwrap_or_else(|| match reason {
            Some(reason) if last.state == TaskState::Done => {
                format!("ended with exit code 0, but its file is not there ({})", reason.told())
            }
            _ => last.state.told(),
        });
        let trouble = Trouble { stage, group, reason, told, log: last.log.clone() };
        match last.state {
            TaskState::Stuck(_) => self.stuck.push(trouble),
            TaskState::Running | TaskState::Pending(_) => {}
            _ => self.ended.push(trouble),
        }
    }

    /// Whether something of it failed, and nobody is at it again.
    pub fn has_failed(&self) -> bool {
        !self.files.is_done() && (self.files.has_failed() || !self.ended.is_empty())
    }

    /// Groups that failed.
    pub fn failed(&self) -> Vec<GroupNumber> {
        self.ended.iter().filter_map(|trouble| trouble.group).collect()
    }

    /// Why it is not done, in a line; empty when there is nothing to say.
    pub fn why(&self) -> String {
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
                "the heatmap was made without {} groups; `slidegrid stitch` makes it anew",
                files.heatmap_without.len()
            ));
        }
        if files.unnormalized_patches > 0 {
            parts.push(format!(
                "the stains of {} patches could not be told (scores/{}/t*.h5, /unnormalized)",
                files.unnormalized_patches, files.name
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
        parts.extend(reasons(&self.ended));
        parts.extend(reasons(&self.stuck));
        if self.ended.iter().all(|trouble| trouble.stage != "stitch") {
            let stitch = files.stitch_failure.iter();
            parts.extend(stitch.map(|failure| format!("stitch failed: {failure}")));
        }
        parts.join("; ")
    }
}

/// Troubles of one kind together: how many, which, the first one's words and
/// log.
fn reasons(troubles: &[Trouble]) -> Vec<String> {
    let mut kinds: BTreeMap<(&str, Option<Reason>), Vec<&Trouble>> = BTreeMap::new();
    for trouble in troubles {
        kinds.entry((trouble.stage, trouble.reason)).or_default().push(trouble);
    }
    let line = |((stage, reason), troubles): ((&str, Option<Reason>), Vec<&Trouble>)| {
        let first = troubles[0];
        let groups: Vec<GroupNumber> =
            troubles.iter().filter_map(|trouble| trouble.group).collect();
        let what = match first.group {
            Some(_) => format!("{} groups failed (t{})", groups.len(), ranges(&groups)),
            None => format!("{stage} failed"),
        };
        let what = if reason.is_none() && first.log.is_some() {
            what.replace("failed", "stuck")
        } else {
            what
        };
        let reason = reason.map_or(String::new(), |reason| format!("{}, ", reason.told()));
        let log = first.log.as_ref().map(|log| format!(" [{}]", log.display()));
        format!("{what}: {reason}{}{}", first.told, log.unwrap_or_default())
    };
    kinds.into_iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jobs::plan::Growth;
    use crate::jobs::status::GroupFailure;

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
            screen: None,
            partial: None,
            stitch_failure: None,
        }
    }

    fn try_of(state: TaskState) -> LastTry {
        let log = state != TaskState::Running;
        LastTry {
            job: "7".into(),
            index: Some(1),
            state,
            log: log.then(|| "l/7.log".into()),
            asked: Growth::NONE,
        }
    }

    #[test]
    fn files_first_then_the_queue_then_the_last_end() {
        let states = [
            (1, TaskState::Failed(4)),
            (2, TaskState::Running),
            (3, TaskState::Pending("Priority".into())),
            (4, TaskState::Failed(4)),
            (5, TaskState::TimeLimit),
            (7, TaskState::Stuck("Eqw".into())),
        ];
        let tries = states.map(|(k, state)| (Piece::Group("a".into(), group(k)), try_of(state)));
        let view = view_of(files(), &BTreeMap::from(tries));
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
            "1 groups failed (t4): exit code 4, a.h5: damaged [l/7.log]",
            "1 groups failed (t5): time limit, ended at its time limit [l/7.log]",
            "1 groups stuck (t7): stuck (Eqw) [l/7.log]",
        ] {
            assert!(why.contains(part), "{part}: {why}");
        }
        assert!(!why.contains("older"), "{why}");
    }

    #[test]
    fn without_a_scheduler_files_tell() {
        let view = view_of(files(), &BTreeMap::new());
        assert_eq!(
            (view.waiting.as_slice(), view.failed()),
            (&[3, 5, 6, 7].map(group)[..], [2, 4].map(group).to_vec())
        );
        assert!(view.why().contains("2 groups failed (t2,4): an older failure"), "{}", view.why());
    }
}
