//! What the jobs that were submitted before a slide was forgotten mean now: `jobs/forgotten.json`.
//!
//! A job of `split` names rows of slides.csv, and the rows below a forgotten slide move up. Jobs
//! that scored or stitched a forgotten slide say nothing about a later slide of that name.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::submitted::{Submission, SubmittedError};
use super::work::WorkItem;
use crate::config::Stage;
use crate::number::TaskNumber;
use crate::run_dir::RunDir;
use crate::staged::{self, StageError};

/// The jobs that were submitted before slides were forgotten.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Forgotten {
    /// Ids of the jobs that scored or stitched a forgotten slide.
    jobs: BTreeSet<String>,
    /// The tables of slides that jobs of `split` refer to, oldest first.
    tables: Vec<EarlierTable>,
}

/// The rows of slides.csv before a slide was forgotten.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct EarlierTable {
    /// Ids of the jobs that name rows of this table.
    jobs: BTreeSet<String>,
    /// The slide of each row; `None` for one that was forgotten since.
    rows: Vec<Option<String>>,
}

impl Forgotten {
    /// Reads the file. Without a file, no slide was forgotten after a job was submitted.
    ///
    /// # Errors
    /// [`SubmittedError`] if there is a file that cannot be used.
    pub(crate) fn read(run: &RunDir) -> Result<Self, SubmittedError> {
        let path = run.forgotten();
        let invalid = |problem: String| SubmittedError { path: path.clone(), problem };
        let text = staged::read_if_there(&path).map_err(|e| invalid(e.to_string()))?;
        let Some(text) = text else { return Ok(Self::default()) };
        serde_json::from_slice(&text).map_err(|e| {
            invalid(format!(
                "not a record of jobs before slides were forgotten: {e}; delete it together with submitted.jsonl once nothing of this run is queued"
            ))
        })
    }

    /// Records that the slides `names` are forgotten. `submitted` are the jobs so far, and `rows`
    /// the slides of slides.csv, which has the forgotten ones still. Doing so twice changes nothing.
    pub(crate) fn add(&mut self, names: &[String], submitted: &[Submission], rows: &[&str]) {
        let slide_of = |submission: &Submission| submission.slide.clone();
        let gone = submitted.iter().filter(|s| slide_of(s).is_some_and(|s| names.contains(&s)));
        self.jobs.extend(gone.map(|submission| submission.id.clone()));
        let known = |id: &String| self.tables.iter().any(|table| table.jobs.contains(id));
        let split = submitted.iter().filter(|submission| submission.stage == Stage::Split);
        let jobs: BTreeSet<String> =
            split.map(|split| split.id.clone()).filter(|id| !known(id)).collect();
        if !jobs.is_empty() {
            let rows = rows.iter().map(|&name| Some(name.to_owned())).collect();
            self.tables.push(EarlierTable { jobs, rows });
        }
        let rows = self.tables.iter_mut().flat_map(|table| &mut table.rows);
        for row in rows.filter(|row| row.as_ref().is_some_and(|name| names.contains(name))) {
            *row = None;
        }
    }

    /// Writes the file, unless there is none and no job was submitted before.
    ///
    /// # Errors
    /// [`StageError`] if the file cannot be written.
    pub(crate) fn write(&self, run: &RunDir) -> Result<(), StageError> {
        if *self == Self::default() {
            return Ok(());
        }
        let text = serde_json::to_vec(self).expect("names and ids are plain data");
        staged::write(&run.forgotten(), &text)
    }

    /// The items of a job, each with its array index, as [`Submission::work`] gives them.
    ///
    /// `slide_now` returns the slide in a row of slides.csv as it is now.
    pub(crate) fn work<'a>(
        &'a self,
        submission: &Submission,
        slide_now: &dyn Fn(TaskNumber) -> Option<&'a str>,
    ) -> Vec<(Option<TaskNumber>, WorkItem)> {
        if self.jobs.contains(&submission.id) {
            return Vec::new();
        }
        match self.tables.iter().find(|table| table.jobs.contains(&submission.id)) {
            None => submission.work(slide_now),
            Some(table) => {
                submission.work(&|row| table.rows.get(row.index()).and_then(Option::as_deref))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(id: &str, stage: &str, rest: &str) -> Submission {
        let line = format!(
            r#"{{"id":"{id}","scheduler":"slurm","stage":"{stage}",{rest}"round":1,"time_s":2,"script":"s","log":"l"}}"#
        );
        serde_json::from_str(&line).unwrap()
    }

    #[test]
    fn jobs_of_before_keep_their_slides_and_say_nothing_of_forgotten_ones() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunDir::new(folder.path());
        let split = |id| job(id, "split", r#""items":"1-3","tasks":3,"#);
        let predict =
            |id, slide| job(id, "predict", &format!(r#""slide":"{slide}","items":"1","tasks":1,"#));
        let mut jobs = vec![split("1"), predict("2", "b"), predict("3", "c")];
        let mut forgotten = Forgotten::read(&run).unwrap();
        let forget = |forgotten: &mut Forgotten, name: &str, jobs: &[Submission], rows: &[&str]| {
            for _ in 0..2 {
                forgotten.add(&[name.to_owned()], jobs, rows);
            }
        };
        forget(&mut forgotten, "b", &jobs, &["a", "b", "c"]);
        // Two slides more, one with the old name; then the first one goes.
        jobs.extend([split("4"), predict("5", "b")]);
        let mut after = forgotten.clone();
        forget(&mut after, "a", &jobs, &["a", "c", "b"]);
        after.write(&run).unwrap();
        assert_eq!(Forgotten::read(&run).unwrap(), after);
        let slides = |forgotten: &Forgotten, job: &Submission, now: &[&'static str]| {
            let work = forgotten.work(job, &|row| now.get(row.index()).copied());
            let item = |(index, item): &(Option<TaskNumber>, WorkItem)| {
                (index.map_or(0, TaskNumber::get), item.slide().unwrap_or_default().to_owned())
            };
            work.iter().map(item).collect::<Vec<_>>()
        };
        let named = |list: &[(u32, &str)]| -> Vec<(u32, String)> {
            list.iter().map(|&(index, name)| (index, name.to_owned())).collect()
        };
        let now = ["a", "c", "b"];
        assert_eq!(slides(&forgotten, &jobs[0], &now), named(&[(1, "a"), (3, "c")]));
        assert_eq!(slides(&forgotten, &jobs[1], &now), []);
        assert_eq!(slides(&forgotten, &jobs[2], &now), named(&[(1, "c")]));
        assert_eq!(slides(&forgotten, &jobs[3], &now), named(&[(1, "a"), (2, "c"), (3, "b")]));
        assert_eq!(slides(&forgotten, &jobs[4], &now), named(&[(1, "b")]));
        let now = ["c", "b"];
        assert_eq!(slides(&after, &jobs[0], &now), named(&[(3, "c")]));
        assert_eq!(slides(&after, &jobs[3], &now), named(&[(2, "c"), (3, "b")]));
        assert_eq!(slides(&after, &split("6"), &now), named(&[(1, "c"), (2, "b")]));
        std::fs::write(run.forgotten(), "[]").unwrap();
        assert!(Forgotten::read(&run).unwrap_err().to_string().contains("forgotten.json"));
    }
}
