//! What is left to submit: pure, from what files and the queue say.

use std::collections::{BTreeMap, BTreeSet};

use super::arrays::Piece;
use super::plan::{Growth, Work};
use super::scheduler::Queued;
use super::submitted::Submission;
use crate::config::Stage;
use crate::number::{GroupNumber, Number, TaskNumber};

/// What of this run is queued or running.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Busy {
    /// Rows of slides.csv.
    pub split: BTreeSet<TaskNumber>,
    /// Groups of each slide.
    pub groups: BTreeMap<String, BTreeSet<GroupNumber>>,
    /// Job ids of each slide's `predict`.
    pub arrays: BTreeMap<String, BTreeSet<String>>,
    /// Slides.
    pub stitch: BTreeSet<String>,
    /// Ids of jobs that stitch.
    pub stitching: BTreeSet<String>,
    /// Ids of jobs that study.
    pub studies: BTreeSet<String>,
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
            if entry.stuck {
                busy.stuck.insert((entry.id.clone(), entry.state.clone()));
            }
            busy.take(submission, entry.indices.as_deref());
        }
        busy
    }

    /// Takes in some tasks of a submission; all of them without `indices`.
    fn take(&mut self, submission: &Submission, indices: Option<&[TaskNumber]>) {
        let slide = submission.slide.clone().unwrap_or_default();
        let id = submission.id.clone();
        match submission.stage {
            Stage::Split => {
                self.split.extend(items::<TaskNumber>(submission, indices));
                self.splitting.insert(id);
            }
            Stage::Predict => {
                let groups = self.groups.entry(slide.clone()).or_default();
                groups.extend(items::<GroupNumber>(submission, indices));
                self.arrays.entry(slide).or_default().insert(id);
            }
            Stage::Stitch => {
                self.stitch.insert(slide);
                self.stitching.insert(id);
            }
            Stage::Study => drop(self.studies.insert(id)),
            Stage::Master => drop(self.masters.insert(id)),
        }
    }
}

fn items<N: Number>(submission: &Submission, indices: Option<&[TaskNumber]>) -> Vec<N> {
    match indices {
        None => submission.items_of(None),
        Some(list) => list.iter().flat_map(|&index| submission.items_of(Some(index))).collect(),
    }
}

/// What the files say of a slide with patches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlideFiles {
    /// Slide name.
    pub name: String,
    /// Groups without scores, ascending.
    pub missing: Vec<GroupNumber>,
    /// Whether the heatmap is there.
    pub heatmap: bool,
}

/// Rows of slides.csv that ask for the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rows {
    /// Their numbers.
    pub rows: Vec<TaskNumber>,
    /// What to ask for.
    pub growth: Growth,
}

/// What is to be submitted.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Todo {
    /// Rows of slides.csv to split.
    pub split: Vec<Rows>,
    /// Groups to score.
    pub predict: Vec<Work>,
    /// Slides to stitch, once their groups are done, and what to ask for.
    pub stitch: Vec<(String, Growth)>,
}

/// What is missing, was not submitted in this round, and is neither queued nor
/// running.
///
/// A round never submits the same thing twice: what fails in it stays failed
/// until somebody asks again.
pub fn todo(
    unsplit: &[(TaskNumber, String)],
    slides: &[SlideFiles],
    submitted: &[Submission],
    busy: &Busy,
    round: usize,
    grow: &dyn Fn(&Piece) -> Growth,
) -> Todo {
    let mut tried = Busy::default();
    for submission in submitted.iter().filter(|submission| submission.round >= round) {
        tried.take(submission, None);
    }
    let none = BTreeSet::new();
    let split = unsplit
        .iter()
        .filter(|(row, _)| !busy.split.contains(row) && !tried.split.contains(row))
        .map(|(row, name)| (*row, grow(&Piece::Split(name.clone()))));
    let split = by_growth(split).into_iter().map(|(growth, rows)| Rows { rows, growth }).collect();
    let mut predict: Vec<Work> = Vec::new();
    let mut stitch = Vec::new();
    for slide in slides {
        let queued = busy.groups.get(&slide.name).unwrap_or(&none);
        let before = tried.groups.get(&slide.name).unwrap_or(&none);
        let groups = slide
            .missing
            .iter()
            .filter(|group| !queued.contains(group) && !before.contains(group))
            .map(|&group| (group, grow(&Piece::Group(slide.name.clone(), group))));
        let work = by_growth(groups);
        // A stitch that waits already waits for nothing that is submitted now.
        let waits = busy.stitch.contains(&slide.name) && work.is_empty();
        let again = tried.stitch.contains(&slide.name);
        if (!slide.heatmap || !work.is_empty()) && !waits && !again {
            stitch.push((slide.name.clone(), grow(&Piece::Stitch(slide.name.clone()))));
        }
        let slide = &slide.name;
        predict.extend(work.into_iter().map(|(growth, groups)| Work {
            slide: slide.clone(),
            groups,
            growth,
        }));
    }
    Todo { split, predict, stitch }
}

/// Numbers that ask for the same together, in the order they first come.
fn by_growth<N: Number>(numbers: impl Iterator<Item = (N, Growth)>) -> Vec<(Growth, Vec<N>)> {
    let mut together: Vec<(Growth, Vec<N>)> = Vec::new();
    for (number, growth) in numbers {
        match together.iter_mut().find(|(other, _)| *other == growth) {
            Some((_, numbers)) => numbers.push(number),
            None => together.push((growth, vec![number])),
        }
    }
    together
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::SchedulerKind;

    fn submission(id: &str, stage: Stage, items: &str, tasks: Option<u32>) -> Submission {
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

    fn task(number: u32) -> TaskNumber {
        TaskNumber::try_from(number).unwrap()
    }

    fn group(number: u32) -> GroupNumber {
        GroupNumber::try_from(number).unwrap()
    }

    fn queued(id: &str, indices: &[u32]) -> Queued {
        let indices = indices.iter().map(|&index| task(index)).collect();
        Queued { id: id.into(), indices: Some(indices), state: "R".into(), stuck: false }
    }

    fn slide(missing: &[u32]) -> SlideFiles {
        let missing = missing.iter().map(|&k| group(k)).collect();
        SlideFiles { name: "a".into(), missing, heatmap: false }
    }

    const PLAIN: &dyn Fn(&Piece) -> Growth = &|_| Growth::NONE;

    #[test]
    fn what_is_queued_or_done_is_not_submitted() {
        // Two groups a task: index 2 of array 7 is groups 3 and 4.
        let submitted = [submission("7", Stage::Predict, "1-6", Some(3))];
        let busy = Busy::new(&submitted, &[queued("7", &[2]), queued("99", &[1])]);
        let found = todo(&[], &[slide(&[1, 3, 4, 6])], &submitted, &busy, 2, PLAIN);
        assert_eq!(found.predict[0].groups, [1, 6].map(group));
        assert_eq!(found.stitch, [("a".to_owned(), Growth::NONE)]);
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
        let added = todo(&[], &[slide(&[1, 2, 3])], &submitted, &busy, 2, PLAIN);
        assert_eq!(added.stitch.len(), 1);
    }

    #[test]
    fn rows_are_split_once_a_round() {
        let submitted = [submission("7", Stage::Split, "1-3", Some(3))];
        let busy = Busy::new(&submitted, &[queued("7", &[2])]);
        let unsplit = [1, 2, 4].map(|row| (task(row), format!("s{row}")));
        let rows = |round| {
            let found = todo(&unsplit, &[], &submitted, &busy, round, PLAIN).split;
            found.into_iter().flat_map(|rows| rows.rows).map(TaskNumber::get).collect::<Vec<_>>()
        };
        assert_eq!((rows(1), rows(2)), (vec![4], vec![1, 4]));
    }

    #[test]
    fn what_needs_more_goes_apart() {
        let more = Growth { memory_mb: Some(900), time_min: None };
        let needy = [Piece::Group("a".into(), group(2)), Piece::Split("s4".into())];
        let grow = |piece: &Piece| if needy.contains(piece) { more } else { Growth::NONE };
        let unsplit = [1, 4].map(|row| (task(row), format!("s{row}")));
        let found = todo(&unsplit, &[slide(&[1, 2, 3])], &[], &Busy::default(), 1, &grow);
        let groups: Vec<_> = found.predict.iter().map(|work| work.groups.clone()).collect();
        assert_eq!(groups, [[1, 3].map(group).to_vec(), vec![group(2)]]);
        assert_eq!(found.predict[1].growth, more);
        assert_eq!(found.split[1], Rows { rows: vec![task(4)], growth: more });
    }
}
