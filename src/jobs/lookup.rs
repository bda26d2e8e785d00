//! The look-up table, `lookup.csv`: the slide and group of each task number.
//!
//! A number is given once. Slides that are planned again as they were keep their numbers; a slide
//! that was done afresh gets new ones above all that were ever given, so that a number in a log or
//! in a script never means two pieces of work.

use std::collections::HashMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::number::{GroupNumber, NumberError, TaskNumber, counted, ranges};
use crate::run_dir::RunDir;
use crate::staged::{self, StageError};

/// A row of the table: the tasks of one slide. Tasks are counted over all slides, from 1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LookupRow {
    /// First task of the slide.
    pub start: TaskNumber,
    /// Last task of the slide, inclusive.
    pub end: TaskNumber,
    /// Name of the slide.
    pub name: String,
    /// Number of groups, `end - start + 1`.
    pub groups: u32,
    /// Number of patches in all groups.
    pub patches: usize,
}

impl LookupRow {
    /// The numbers of the slide's groups, ascending.
    pub fn group_numbers(&self) -> impl DoubleEndedIterator<Item = GroupNumber> + Clone + use<> {
        GroupNumber::up_to(self.groups)
    }
}

/// The look-up table of a run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Lookup {
    /// In task order.
    rows: Vec<LookupRow>,
    /// Indices into `rows`: tables of ten thousand slides are asked for each of them.
    by_slide: HashMap<String, usize>,
    /// The largest number that was ever given; 0 if none was.
    given: u32,
}

/// The record of the largest number that was ever given. It is written when the table no longer
/// tells.
#[derive(Debug, Serialize, Deserialize)]
struct LastTask {
    last_task: u32,
}

/// Why the look-up table cannot be used.
#[derive(Debug, Error)]
pub enum LookupError {
    /// The table cannot be read, or its content is not allowed.
    #[error("{}: {problem}", path.display())]
    Table {
        /// The table.
        path: PathBuf,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// The table does not have the task.
    #[error("{}: --task {task} is out of range: the run has {}", path.display(), numbers_of(rows))]
    Task {
        /// The table.
        path: PathBuf,
        /// The requested number.
        task: TaskNumber,
        /// The rows of the table.
        rows: Vec<LookupRow>,
    },
    /// The table does not have the slide or group.
    #[error("{}: {problem}", path.display())]
    Slide {
        /// The table.
        path: PathBuf,
        /// What is missing, and what there is.
        problem: String,
    },
    /// The table cannot be written.
    #[error(transparent)]
    Write(#[from] StageError),
}

impl Lookup {
    fn new(rows: Vec<LookupRow>, given: u32) -> Self {
        let indexed = rows.iter().enumerate();
        let by_slide = indexed.map(|(index, row)| (row.name.clone(), index)).collect();
        Self { rows, by_slide, given }
    }

    /// Numbers the groups of slides, given as (name, number of groups, number of patches). Slides
    /// without groups get no row.
    ///
    /// # Errors
    /// `NumberError` if there are more groups than numbers for tasks.
    pub fn plan<'a>(
        slides: impl IntoIterator<Item = (&'a str, u32, usize)>,
    ) -> Result<Self, NumberError> {
        Self::default().plan_again(slides)
    }

    /// Numbers the groups of slides as [`Lookup::plan`] does. Slides that this table has with as
    /// many groups and patches keep their numbers; all others get numbers above those that were
    /// ever given.
    ///
    /// # Errors
    /// `NumberError` if there are more groups than numbers for tasks.
    pub fn plan_again<'a>(
        &self,
        slides: impl IntoIterator<Item = (&'a str, u32, usize)>,
    ) -> Result<Self, NumberError> {
        let mut given = u64::from(self.given);
        let mut rows = Vec::new();
        for (name, groups, patches) in slides.into_iter().filter(|(_, groups, _)| *groups > 0) {
            let known = self.of_slide(name);
            if let Some(row) = known.filter(|row| (row.groups, row.patches) == (groups, patches)) {
                rows.push(row.clone());
                continue;
            }
            let start = TaskNumber::try_from(given + 1)?;
            given += u64::from(groups);
            let (end, name) = (TaskNumber::try_from(given)?, name.to_owned());
            rows.push(LookupRow { start, end, name, groups, patches });
        }
        rows.sort_by_key(|row| row.start);
        let given = rows.last().map_or(self.given, |row| row.end.get().max(self.given));
        Ok(Self::new(rows, given))
    }

    /// The table without the slides `names`, whose numbers are not given again.
    #[must_use]
    pub(crate) fn without(mut self, names: &[&str]) -> Self {
        self.rows.retain(|row| !names.contains(&row.name.as_str()));
        Self::new(self.rows, self.given)
    }

    /// The rows, in task order.
    pub fn rows(&self) -> &[LookupRow] {
        &self.rows
    }

    /// Number of tasks.
    pub fn tasks(&self) -> u32 {
        self.rows.iter().map(|row| row.groups).sum()
    }

    /// The slide and group of a task.
    pub fn find(&self, task: TaskNumber) -> Option<(&str, GroupNumber)> {
        let index = self.rows.partition_point(|row| row.end < task);
        let row = self.rows.get(index).filter(|row| row.start <= task)?;
        let group = GroupNumber::try_from(task.get() - row.start.get() + 1).ok()?;
        Some((&row.name, group))
    }

    /// The row of a slide.
    pub fn of_slide(&self, name: &str) -> Option<&LookupRow> {
        self.by_slide.get(name).map(|&index| &self.rows[index])
    }

    /// Writes `lookup.csv`.
    ///
    /// # Errors
    /// `LookupError::Write` if the table cannot be written.
    pub fn write(&self, run: &RunDir) -> Result<(), LookupError> {
        if self.rows.last().map_or(0, |row| row.end.get()) < self.given {
            // Before the table, so that no moment forgets a number.
            let text = serde_json::to_vec(&LastTask { last_task: self.given });
            staged::write(&run.last_task(), &text.expect("a number is plain data"))?;
        }
        let mut writer = csv::WriterBuilder::new().has_headers(false).from_writer(Vec::new());
        writer
            .write_record(["start", "end", "name", "groups", "patches"])
            .expect("writing to memory does not fail");
        for row in &self.rows {
            writer.serialize(row).expect("a row is flat");
        }
        let bytes = writer.into_inner().expect("writing to memory does not fail");
        Ok(staged::write(&run.lookup_csv(), &bytes)?)
    }

    /// The table that a new one replaces. One that is missing or damaged counts as empty, but the
    /// recorded largest number stays.
    ///
    /// # Errors
    /// `LookupError` if the system does not say whether there is a table, or if the record of the
    /// largest number cannot be read.
    pub(crate) fn replaced(run: &RunDir) -> Result<Self, LookupError> {
        let found = staged::read_if_there(&run.lookup_csv())?.and_then(|_| Self::read(run).ok());
        match found {
            Some(table) => Ok(table),
            None => Ok(Self::new(Vec::new(), last_task(run)?)),
        }
    }

    /// Reads `lookup.csv` and checks that no number is given twice.
    ///
    /// # Errors
    /// `LookupError::Table` if the table cannot be read, or numbers tasks otherwise.
    pub fn read(run: &RunDir) -> Result<Self, LookupError> {
        let path = run.lookup_csv();
        let invalid = |problem: String| LookupError::Table { path: path.clone(), problem };
        // The file is read whole, because the CSV reader takes an unreadable file for an empty one.
        let text = std::fs::read(&path).map_err(|e| {
            invalid(format!(
                "cannot read the look-up table: {e}; `slidegrid master plan --run {}` writes it",
                run.root().display()
            ))
        })?;
        let mut reader = csv::Reader::from_reader(text.as_slice());
        let rows: Vec<LookupRow> = reader.deserialize().collect::<Result<_, _>>().map_err(|e| {
            invalid(format!("not a look-up table: {e}; make it again with `slidegrid master plan`"))
        })?;
        let mut next = 1;
        for row in &rows {
            let (start, end) = (u64::from(row.start.get()), u64::from(row.end.get()));
            if start < next || end + 1 != start + u64::from(row.groups) || row.groups == 0 {
                return Err(invalid(format!(
                    "tasks of {} are {} to {} for {} groups, expected to start at {next} or above and to be as many as the groups; make it again with `slidegrid master plan`",
                    row.name, row.start, row.end, row.groups
                )));
            }
            next = end + 1;
        }
        let last = rows.last().map_or(0, |row| row.end.get());
        let given = last.max(last_task(run)?);
        Ok(Self::new(rows, given))
    }
}

/// The recorded largest number; 0 without a record.
fn last_task(run: &RunDir) -> Result<u32, LookupError> {
    let path = run.last_task();
    let Some(text) = staged::read_if_there(&path)? else { return Ok(0) };
    match serde_json::from_slice::<LastTask>(&text) {
        Ok(record) => Ok(record.last_task),
        Err(e) => Err(LookupError::Table {
            problem: format!(
                "not the largest number of a task: {e}; write {{\"last_task\": N}} with N at least as large as any task number in your logs"
            ),
            path,
        }),
    }
}

/// The tasks of a table in words.
fn numbers_of(rows: &[LookupRow]) -> String {
    let groups: u32 = rows.iter().map(|row| row.groups).sum();
    let tasks = counted(groups, "task", "tasks");
    if rows.last().is_none_or(|row| row.end.get() == groups) {
        return format!("{tasks}, numbered from 1");
    }
    let numbers: Vec<TaskNumber> = rows
        .iter()
        .flat_map(|row| (row.start.get()..=row.end.get()).map(u64::from))
        .filter_map(|number| TaskNumber::try_from(number).ok())
        .collect();
    format!(
        "{tasks}, with the numbers {}; those between were of slides done afresh or forgotten",
        ranges(&numbers)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_task_is_one_group_of_one_slide(groups in prop::collection::vec(0u32..9, 0..20)) {
            let names: Vec<String> = (0..groups.len()).map(|i| format!("s{i}")).collect();
            let slides = names.iter().zip(&groups).map(|(n, &g)| (n.as_str(), g, g as usize * 3));
            let lookup = Lookup::plan(slides).unwrap();
            let found: Vec<_> =
                TaskNumber::up_to(lookup.tasks()).map(|t| lookup.find(t).unwrap()).collect();
            let expected: Vec<_> = names.iter().zip(&groups)
                .flat_map(|(n, &g)| GroupNumber::up_to(g).map(move |k| (n.as_str(), k)))
                .collect();
            prop_assert_eq!(found, expected);
            prop_assert_eq!(lookup.find(TaskNumber::try_from(lookup.tasks() + 1).unwrap()), None);
        }
    }

    #[test]
    fn a_number_is_never_given_twice() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunDir::new(folder.path());
        let numbers = |lookup: &Lookup| -> Vec<(String, u32, u32)> {
            let row = |row: &LookupRow| (row.name.clone(), row.start.get(), row.end.get());
            lookup.rows().iter().map(row).collect()
        };
        let of = |name: &str, start, end| (name.to_owned(), start, end);
        let first = Lookup::plan([("a", 2, 7), ("b", 3, 9), ("c", 1, 1)]).unwrap();
        // A slide more in front, and one with other patches.
        let second =
            first.plan_again([("z", 2, 2), ("a", 2, 7), ("b", 3, 8), ("c", 1, 1)]).unwrap();
        let expected = [of("a", 1, 2), of("c", 6, 6), of("z", 7, 8), of("b", 9, 11)];
        assert_eq!(numbers(&second), expected);
        assert_eq!((second.tasks(), second.find(TaskNumber::try_from(4u64).unwrap())), (8, None));
        let task = TaskNumber::try_from(10u64).unwrap();
        assert_eq!(second.find(task), Some(("b", GroupNumber::try_from(2u64).unwrap())));
        // The last rows go, and come back with as many patches.
        second.without(&["b", "z"]).write(&run).unwrap();
        let third = Lookup::read(&run).unwrap();
        assert_eq!(numbers(&third), [of("a", 1, 2), of("c", 6, 6)]);
        let fourth = third.plan_again([("a", 2, 7), ("b", 3, 8), ("c", 1, 1)]).unwrap();
        assert_eq!(numbers(&fourth), [of("a", 1, 2), of("c", 6, 6), of("b", 12, 14)]);
        fourth.write(&run).unwrap();
        assert_eq!(Lookup::read(&run).unwrap(), fourth);
        let error =
            LookupError::Task { path: run.lookup_csv(), task, rows: fourth.rows().to_vec() };
        let words = "the run has 6 tasks, with the numbers 1-2,6,12-14; those between";
        assert!(error.to_string().contains(words), "{error}");
        // A table that is lost or damaged does not make its numbers new: 11 is the recorded one.
        for damage in [None, Some("not a table")] {
            std::fs::remove_file(run.lookup_csv()).unwrap_or_default();
            damage.into_iter().for_each(|text| std::fs::write(run.lookup_csv(), text).unwrap());
            let fifth = Lookup::replaced(&run).unwrap().plan_again([("a", 2, 7)]).unwrap();
            assert_eq!(numbers(&fifth), [of("a", 12, 13)]);
        }
        fourth.write(&run).unwrap();
        assert_eq!(numbers(&Lookup::replaced(&run).unwrap()), numbers(&fourth));
        std::fs::write(run.last_task(), "many").unwrap();
        assert!(Lookup::read(&run).unwrap_err().to_string().contains("last_task.json"));
    }

    #[test]
    fn what_is_written_is_read_and_a_number_given_twice_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunDir::new(folder.path());
        let lookup = Lookup::plan([("a", 2, 7), ("b", 0, 0), ("c", 3, 9)]).unwrap();
        lookup.write(&run).unwrap();
        assert_eq!(Lookup::read(&run).unwrap(), lookup);
        let text = std::fs::read_to_string(run.lookup_csv()).unwrap();
        assert_eq!(text, "start,end,name,groups,patches\n1,2,a,2,7\n3,5,c,3,9\n");
        std::fs::write(run.lookup_csv(), text.replace("3,5,c,3,9", "2,4,c,3,9")).unwrap();
        assert!(Lookup::read(&run).unwrap_err().to_string().contains("expected to start at 3"));
        assert!(Lookup::plan([("a", u32::MAX, 0), ("b", 1, 1)]).is_err());
    }
}
