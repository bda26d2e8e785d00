//! The look-up table, `lookup.csv`: the slide and group of each task number.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::number::{GroupNumber, NumberError, TaskNumber};
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
    rows: Vec<LookupRow>,
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
    #[error("{}: --task {task} is out of range: the run has {tasks} tasks, numbered from 1", path.display())]
    Task {
        /// The table.
        path: PathBuf,
        /// The requested number.
        task: TaskNumber,
        /// Number of tasks.
        tasks: u32,
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
    /// Numbers the groups of slides, given as (name, number of groups, number of patches). Slides
    /// without groups get no row.
    ///
    /// # Errors
    /// `NumberError` if there are more groups than numbers for tasks.
    pub fn plan<'a>(
        slides: impl IntoIterator<Item = (&'a str, u32, usize)>,
    ) -> Result<Self, NumberError> {
        let mut end = 0;
        let rows = slides
            .into_iter()
            .filter(|(_, groups, _)| *groups > 0)
            .map(|(name, groups, patches)| {
                let start = TaskNumber::try_from(end + 1)?;
                end += u64::from(groups);
                let name = name.to_owned();
                Ok(LookupRow { start, end: TaskNumber::try_from(end)?, name, groups, patches })
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { rows })
    }

    /// The rows, in task order.
    pub fn rows(&self) -> &[LookupRow] {
        &self.rows
    }

    /// Number of tasks.
    pub fn tasks(&self) -> u32 {
        self.rows.last().map_or(0, |row| row.end.get())
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
        self.rows.iter().find(|row| row.name == name)
    }

    /// Writes `lookup.csv`.
    ///
    /// # Errors
    /// `LookupError::Write` if the table cannot be written.
    pub fn write(&self, run: &RunDir) -> Result<(), LookupError> {
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

    /// Reads `lookup.csv` and checks that tasks are numbered without gaps.
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
            if start != next || end + 1 != start + u64::from(row.groups) || row.groups == 0 {
                return Err(invalid(format!(
                    "tasks of {} are {} to {} for {} groups, expected to start at {next} and to be as many as the groups; make it again with `slidegrid master plan`",
                    row.name, row.start, row.end, row.groups
                )));
            }
            next = end + 1;
        }
        Ok(Self { rows })
    }
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
    fn what_is_written_is_read_and_a_gap_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunDir::new(folder.path());
        let lookup = Lookup::plan([("a", 2, 7), ("b", 0, 0), ("c", 3, 9)]).unwrap();
        lookup.write(&run).unwrap();
        assert_eq!(Lookup::read(&run).unwrap(), lookup);
        let text = std::fs::read_to_string(run.lookup_csv()).unwrap();
        assert_eq!(text, "start,end,name,groups,patches\n1,2,a,2,7\n3,5,c,3,9\n");
        std::fs::write(run.lookup_csv(), text.replace("3,5,c,3,9", "4,6,c,3,9")).unwrap();
        assert!(Lookup::read(&run).unwrap_err().to_string().contains("expected to start at 3"));
        assert!(Lookup::plan([("a", u32::MAX, 0), ("b", 1, 1)]).is_err());
    }
}
