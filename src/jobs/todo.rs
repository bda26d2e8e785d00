//! Selects the items to submit from the state of a run.

use std::collections::BTreeSet;

use super::plan::SlideGroups;
use super::state::RunState;
use super::work::{Request, WorkItem};
use crate::number::{Number, TaskNumber};

/// Rows of slides.csv that request the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SplitRows {
    /// Numbers of the rows.
    pub rows: Vec<TaskNumber>,
    /// Memory and time to request.
    pub request: Request,
}

/// The items to submit.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Todo {
    /// Rows of slides.csv to split.
    pub split: Vec<SplitRows>,
    /// The request of the job that fits the dense network over the slides, if that is missing.
    pub calibrate: Option<Request>,
    /// Groups to score.
    pub predict: Vec<SlideGroups>,
    /// Slides to stitch once their groups have ended, with the memory and time to request.
    pub stitch: Vec<(String, Request)>,
}

/// Selects the items that are missing, neither queued nor running, and not submitted in this round.
///
/// A round never submits an item twice, so that a task that always fails is not resubmitted in a
/// loop.
pub(crate) fn todo(state: &RunState, round: usize, request: &dyn Fn(&WorkItem) -> Request) -> Todo {
    let in_round = state.submissions.iter().filter(|submission| submission.round >= round);
    let tried: BTreeSet<WorkItem> = in_round
        .flat_map(|submission| state.listing.work_of(submission))
        .map(|(_, item)| item)
        .collect();
    let is_open = |item: &WorkItem| !state.is_live(item) && !tried.contains(item);
    let split = state.listing.slides.iter().filter_map(|slide| {
        let row = slide.to_split()?;
        let item = WorkItem::Split(slide.record.name.clone());
        is_open(&item).then(|| (row, request(&item)))
    });
    let split = by_request(split);
    let split: Vec<SplitRows> =
        split.into_iter().map(|(request, rows)| SplitRows { rows, request }).collect();
    let splitting = split.iter().map(|rows| rows.rows.len()).sum::<usize>() + state.live_splits();
    if state.listing.lacks_fit(splitting) {
        // Scores rest on the fit, so no group is scored before there is one.
        let item = WorkItem::Calibrate;
        let is_due = splitting == 0 && is_open(&item);
        let calibrate = is_due.then(|| request(&item));
        return Todo { split, calibrate, ..Todo::default() };
    }
    let (mut predict, mut stitch) = (Vec::new(), Vec::new());
    for slide in state.listing.planned() {
        let name = &slide.record.name;
        let groups = slide.missing.iter().filter_map(|&group| {
            let item = WorkItem::Predict(name.clone(), group);
            is_open(&item).then(|| (group, request(&item)))
        });
        let groups = by_request(groups);
        let item = WorkItem::Stitch(name.clone());
        // A stitch that is queued already does not wait for groups that are submitted now.
        let waits = state.is_live(&item) && groups.is_empty();
        if (!slide.heatmap || !groups.is_empty()) && !waits && !tried.contains(&item) {
            stitch.push((name.clone(), request(&item)));
        }
        predict.extend(groups.into_iter().map(|(request, groups)| SlideGroups {
            slide: name.clone(),
            groups,
            request,
        }));
    }
    Todo { split, calibrate: None, predict, stitch }
}

/// Collects the numbers of each request, in the order in which the requests first occur.
fn by_request<N: Number>(numbers: impl Iterator<Item = (N, Request)>) -> Vec<(Request, Vec<N>)> {
    let mut together: Vec<(Request, Vec<N>)> = Vec::new();
    for (number, request) in numbers {
        match together.iter_mut().find(|(other, _)| *other == request) {
            Some((_, numbers)) => numbers.push(number),
            None => together.push((request, vec![number])),
        }
    }
    together
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{SchedulerKind, Stage};
    use crate::jobs::listing::{RunListing, SlideListing};
    use crate::jobs::scheduler::{TaskRecord, TaskState};
    use crate::jobs::state::Answers;
    use crate::jobs::submitted::Submission;
    use crate::number::GroupNumber;
    use crate::run_dir::{SlideRecord, SlideStatus};

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
            request: Request::NONE,
        }
    }

    fn task(number: u32) -> TaskNumber {
        TaskNumber::try_from(number).unwrap()
    }

    fn group(number: u32) -> GroupNumber {
        GroupNumber::try_from(number).unwrap()
    }

    fn queued(id: &str, index: Option<u32>) -> TaskRecord {
        let (job, index) = (id.to_owned(), index.map(task));
        let state = TaskState::Queued(String::new());
        TaskRecord { job, index, state, node: String::new(), cores: 1, elapsed_s: None }
    }

    fn slide(name: &str, row: u32, status: SlideStatus, missing: &[u32]) -> SlideListing {
        SlideListing {
            record: SlideRecord { name: name.into(), status, ..SlideRecord::default() },
            row: Some(task(row)),
            planned: status == SlideStatus::Done,
            missing: missing.iter().map(|&k| group(k)).collect(),
            ..SlideListing::default()
        }
    }

    fn a(missing: &[u32]) -> SlideListing {
        slide("a", 1, SlideStatus::Done, missing)
    }

    fn state(
        slides: Vec<SlideListing>,
        submitted: &[Submission],
        records: Vec<TaskRecord>,
    ) -> RunState {
        let answers = Answers { records, ..Answers::default() };
        RunState::new(RunListing { slides, ..RunListing::default() }, submitted.to_vec(), answers)
    }

    const PLAIN: &dyn Fn(&WorkItem) -> Request = &|_| Request::NONE;

    #[test]
    fn items_that_are_queued_or_done_are_not_submitted() {
        // Two groups per task: index 2 of array 7 has groups 3 and 4.
        let submitted = [submission("7", Stage::Predict, "1-6", Some(3))];
        let records = vec![queued("7", Some(2)), queued("99", Some(1))];
        let state = state(vec![a(&[1, 3, 4, 6])], &submitted, records);
        let found = todo(&state, 2, PLAIN);
        assert_eq!(found.predict[0].groups, [1, 6].map(group));
        assert_eq!(found.stitch, [("a".to_owned(), Request::NONE)]);
        assert!(todo(&state, 1, PLAIN).predict.is_empty(), "in the same round");
    }

    #[test]
    fn a_queued_stitch_is_enough_unless_groups_are_added() {
        let submitted = [
            submission("7", Stage::Predict, "1-2", Some(2)),
            submission("8", Stage::Stitch, "", None),
        ];
        let records = || vec![queued("7", Some(1)), queued("7", Some(2)), queued("8", None)];
        let all = state(vec![a(&[1, 2])], &submitted, records());
        assert_eq!(todo(&all, 2, PLAIN), Todo::default());
        let added = state(vec![a(&[1, 2, 3])], &submitted, records());
        assert_eq!(todo(&added, 2, PLAIN).stitch.len(), 1);
    }

    #[test]
    fn a_row_is_split_once_per_round() {
        let submitted = [submission("7", Stage::Split, "1-3", Some(3))];
        let status =
            [SlideStatus::Failed, SlideStatus::Waiting, SlideStatus::Done, SlideStatus::Waiting];
        let slides =
            (1..).zip(status).map(|(row, status)| slide(&format!("s{row}"), row, status, &[]));
        let state = state(slides.collect(), &submitted, vec![queued("7", Some(2))]);
        let rows = |round| {
            let found = todo(&state, round, PLAIN).split;
            found.into_iter().flat_map(|rows| rows.rows).map(TaskNumber::get).collect::<Vec<_>>()
        };
        assert_eq!((rows(1), rows(2)), (vec![4], vec![1, 4]));
    }

    #[test]
    fn items_that_request_more_are_apart() {
        let more = Request { memory_mb: Some(900), time_min: None };
        let needy = [WorkItem::Predict("a".into(), group(2)), WorkItem::Split("s4".into())];
        let request = |item: &WorkItem| if needy.contains(item) { more } else { Request::NONE };
        let waiting = |row: u32| slide(&format!("s{row}"), row, SlideStatus::Waiting, &[]);
        let state = state(vec![a(&[1, 2, 3]), waiting(2), waiting(4)], &[], Vec::new());
        let found = todo(&state, 1, &request);
        let groups: Vec<_> = found.predict.iter().map(|work| work.groups.clone()).collect();
        assert_eq!(groups, [[1, 3].map(group).to_vec(), vec![group(2)]]);
        assert_eq!(found.predict[1].request, more);
        assert_eq!(found.split[1], SplitRows { rows: vec![task(4)], request: more });
    }
}
