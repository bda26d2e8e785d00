//! What is left to submit: pure, from what files and the queue say.

use std::collections::{BTreeMap, BTreeSet};

use super::plan::{Growth, Work};
use super::scheduler::Queued;
use super::submitted::Submission;
use crate::config::Stage;

/// What of this run is queued or running.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Busy {
    /// Rows of slides.csv.
    pub split: BTreeSet<usize>,
    /// Groups of each slide.
    pub groups: BTreeMap<String, BTreeSet<usize>>,
    /// Job ids of each slide's `predict`.
    pub arrays: BTreeMap<String, BTreeSet<String>>,
    /// Slides.
    pub stitch: BTreeSet<String>,
    /// Ids of jobs that split.
    pub splitting: BTreeSet<String>,
    /// Ids of master jobs.
    pub masters: BTreeSet<String>,
    /// Tasks that wait for somebody: id and state.
    pub stuck: BTreeSet<(String, String)>,
}

impl Busy {
    /// Connects the queue with what was submitted.
    pub fn new(submitted: &[Submission], queued: &[Queued]) -> Self {
        let by_id: BTreeMap<&str, &Submission> =
            submitted.iter().map(|submission| (submission.id.as_str(), submission)).collect();
        let mut busy = Self::default();
        for entry in queued {
            let Some(submission) = by_id.get(entry.id.as_str()) else { continue };
            let items: Vec<usize> = match &entry.indices {
                None => submission.items_of(None),
                Some(list) => list.iter().flat_map(|&i| submission.items_of(Some(i))).collect(),
            };
            if entry.stuck {
                busy.stuck.insert((entry.id.clone(), entry.state.clone()));
            }
            busy.take(submission, items);
        }
        busy
    }

    fn take(&mut self, submission: &Submission, items: Vec<usize>) {
        let slide = submission.slide.clone().unwrap_or_default();
        let id = submission.id.clone();
        match submission.stage {
            Stage::Split => {
                self.split.extend(items);
                self.splitting.insert(id);
            }
            Stage::Predict => {
                self.groups.entry(slide.clone()).or_default().extend(items);
                self.arrays.entry(slide).or_default().insert(id);
            }
            Stage::Stitch => drop(self.stitch.insert(slide)),
            Stage::Master => drop(self.masters.insert(id)),
        }
    }
}

/// What the files say of a slide with patches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlideFiles {
    /// Slide name.
    pub name: String,
    /// Groups without scores, ascending.
    pub missing: Vec<usize>,
    /// Whether the heatmap is there.
    pub heatmap: bool,
}

/// What is to be submitted.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Todo {
    /// Rows of slides.csv to split.
    pub split: Vec<usize>,
    /// Groups to score.
    pub predict: Vec<Work>,
    /// Slides to stitch, once their groups are done.
    pub stitch: Vec<String>,
}

/// What is missing, was not submitted in this round, and is neither queued nor
/// running.
///
/// A round never submits the same thing twice: what fails in it stays failed
/// until somebody asks again.
pub fn todo(
    unsplit: &[usize],
    slides: &[SlideFiles],
    submitted: &[Submission],
    busy: &Busy,
    round: usize,
    grow: &dyn Fn(&str, usize) -> Growth,
) -> Todo {
    let mut tried = Busy::default();
    for submission in submitted.iter().filter(|submission| submission.round >= round) {
        tried.take(submission, submission.items_of(None));
    }
    let none = BTreeSet::new();
    let split = unsplit.iter().copied();
    let split =
        split.filter(|row| !busy.split.contains(row) && !tried.split.contains(row)).collect();
    let mut predict: Vec<Work> = Vec::new();
    let mut stitch = Vec::new();
    for slide in slides {
        let queued = busy.groups.get(&slide.name).unwrap_or(&none);
        let before = tried.groups.get(&slide.name).unwrap_or(&none);
        let groups = slide.missing.iter().copied();
        let groups: Vec<usize> =
            groups.filter(|group| !queued.contains(group) && !before.contains(group)).collect();
        let work = by_growth(&slide.name, &groups, grow);
        // A stitch that waits already waits for nothing that is submitted now.
        let waits = busy.stitch.contains(&slide.name) && work.is_empty();
        let again = tried.stitch.contains(&slide.name);
        if (!slide.heatmap || !work.is_empty()) && !waits && !again {
            stitch.push(slide.name.clone());
        }
        predict.extend(work);
    }
    Todo { split, predict, stitch }
}

/// Groups that ask for the same go together.
fn by_growth(slide: &str, groups: &[usize], grow: &dyn Fn(&str, usize) -> Growth) -> Vec<Work> {
    let mut work: Vec<Work> = Vec::new();
    for &group in groups {
        let growth = grow(slide, group);
        match work.iter_mut().find(|work| work.growth == growth) {
            Some(work) => work.groups.push(group),
            None => work.push(Work { slide: slide.to_owned(), groups: vec![group], growth }),
        }
    }
    work
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::SchedulerKind;

    fn submission(id: &str, stage: Stage, items: &str, tasks: Option<usize>) -> Submission {
        Submission {
            id: id.into(),
            scheduler: SchedulerKind::Slurm,
            stage,
            slide: (stage != Stage::Split).then(|| "a".to_owned()),
            items: items.into(),
            tasks,
            round: 1,
            time_s: 0,
            script: "s".into(),
            log: "l".into(),
            memory_mb: None,
            time_min: None,
        }
    }

    fn queued(id: &str, indices: &[usize]) -> Queued {
        Queued { id: id.into(), indices: Some(indices.to_vec()), state: "R".into(), stuck: false }
    }

    fn slide(missing: &[usize]) -> SlideFiles {
        SlideFiles { name: "a".into(), missing: missing.to_vec(), heatmap: false }
    }

    const PLAIN: &dyn Fn(&str, usize) -> Growth = &|_, _| Growth::NONE;

    #[test]
    fn what_is_queued_or_done_is_not_submitted() {
        // Two groups a task: index 2 of array 7 is groups 3 and 4.
        let submitted = [submission("7", Stage::Predict, "1-6", Some(3))];
        let busy = Busy::new(&submitted, &[queued("7", &[2]), queued("99", &[1])]);
        let found = todo(&[], &[slide(&[1, 3, 4, 6])], &submitted, &busy, 2, PLAIN);
        assert_eq!(found.predict[0].groups, [1, 6]);
        assert_eq!(found.stitch, ["a"]);
        let same_round = todo(&[], &[slide(&[1, 3, 4, 6])], &submitted, &busy, 1, PLAIN);
        assert!(same_round.predict.is_empty());
    }

    #[test]
    fn a_waiting_stitch_is_enough_unless_groups_are_added() {
        let submitted = [
            submission("7", Stage::Predict, "1-2", Some(2)),
            submission("8", Stage::Stitch, "", None),
        ];
        let stitch = Queued { id: "8".into(), indices: None, state: "PD".into(), stuck: false };
        let busy = Busy::new(&submitted, &[queued("7", &[1, 2]), stitch]);
        assert_eq!(todo(&[], &[slide(&[1, 2])], &submitted, &busy, 2, PLAIN), Todo::default());
        assert_eq!(todo(&[], &[slide(&[1, 2, 3])], &submitted, &busy, 2, PLAIN).stitch, ["a"]);
    }

    #[test]
    fn rows_are_split_once_a_round() {
        let submitted = [submission("7", Stage::Split, "1-3", Some(3))];
        let busy = Busy::new(&submitted, &[queued("7", &[2])]);
        assert_eq!(todo(&[1, 2, 4], &[], &submitted, &busy, 1, PLAIN).split, [4]);
        assert_eq!(todo(&[1, 2, 4], &[], &submitted, &busy, 2, PLAIN).split, [1, 4]);
    }

    #[test]
    fn groups_that_need_more_go_apart() {
        let grow = |_: &str, group: usize| Growth {
            memory: if group == 2 { 1.5 } else { 1.0 },
            time: 1.0,
        };
        let found = todo(&[], &[slide(&[1, 2, 3])], &[], &Busy::default(), 1, &grow);
        let groups: Vec<_> = found.predict.iter().map(|work| work.groups.clone()).collect();
        assert_eq!(groups, [vec![1, 3], vec![2]]);
    }
}
