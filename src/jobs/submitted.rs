//! `jobs/submitted.jsonl`: what was submitted, a line a job, appended.
//!
//! It connects a scheduler's ids and array indices with slides and groups, and
//! nothing else rests on it: what is done is told by files.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::config::{SchedulerKind, Stage};
use crate::number::{ArrayShare, Number, NumberList, TaskNumber};
use crate::run_dir::RunDir;

/// A line of `submitted.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Submission {
    /// The scheduler's id.
    pub id: String,
    /// Whose id that is.
    pub scheduler: SchedulerKind,
    /// Which level.
    pub stage: Stage,
    /// Slide of `predict` and `stitch`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slide: Option<String>,
    /// Rows of slides.csv (`split`) or groups (`predict`): `3-10,17`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub items: String,
    /// Array tasks, indices from 1: task `i` does part `i/tasks` of the items.
    /// None for a single job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tasks: Option<u32>,
    /// Commands given by hand count up; what a master job submits later
    /// belongs to the command that started it.
    pub round: usize,
    /// When, seconds since 1970.
    pub time_s: u64,
    /// The script.
    pub script: PathBuf,
    /// Its log, with `{id}` and `{index}`.
    pub log: String,
    /// Memory asked for, MB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_mb: Option<u32>,
    /// Wall time asked for, minutes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_min: Option<u32>,
}

impl Submission {
    /// The items that array index `index` does; all of them for a single job.
    pub fn items_of<N: Number>(&self, index: Option<TaskNumber>) -> Vec<N> {
        let Ok(numbers) = self.items.parse::<NumberList<N>>() else { return Vec::new() };
        match (index, self.tasks) {
            (Some(index), Some(tasks)) => {
                let share = ArrayShare::new(index, tasks);
                share.map_or(Vec::new(), |share| numbers.share(share).to_vec())
            }
            _ => numbers.as_slice().to_vec(),
        }
    }
}

/// `submitted.jsonl` cannot be used.
#[derive(Debug, Error)]
#[error("{}: {problem}", path.display())]
pub struct SubmittedError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong, and what to do.
    pub problem: String,
}

/// The file, locked: one command submits at a time.
#[derive(Debug)]
pub struct Submitted {
    path: PathBuf,
    file: File,
    /// What was submitted before and since.
    pub list: Vec<Submission>,
}

impl Submitted {
    /// Opens the file, waits for another command that submits, and reads it.
    ///
    /// # Errors
    /// [`SubmittedError`] when it cannot be made or read.
    pub fn open(run: &RunDir) -> Result<Self, SubmittedError> {
        let path = run.submitted();
        let wrong = |e: std::io::Error| SubmittedError {
            path: path.clone(),
            problem: format!("cannot open it: {e}; the run directory must be writable"),
        };
        std::fs::create_dir_all(run.jobs()).map_err(wrong)?;
        let mut options = OpenOptions::new();
        let mut file = options.create(true).append(true).read(true).open(&path).map_err(wrong)?;
        // Some parallel file systems cannot lock; then only two commands given
        // at the same moment could submit the same groups, which is harmless.
        drop(file.lock());
        let mut text = String::new();
        file.seek(SeekFrom::Start(0)).map_err(wrong)?;
        file.read_to_string(&mut text).map_err(wrong)?;
        if !text.is_empty() && !text.ends_with('\n') {
            // Somebody was killed while writing the last line.
            file.write_all(b"\n").map_err(wrong)?;
        }
        let list = parse(&path, &text)?;
        Ok(Self { path, file, list })
    }

    /// Adds a line.
    ///
    /// # Errors
    /// [`SubmittedError`] naming the job, which is in the queue by then.
    pub fn add(&mut self, submission: Submission) -> Result<(), SubmittedError> {
        let line = serde_json::to_string(&submission).expect("a submission is plain data");
        let written = self.file.write_all(format!("{line}\n").as_bytes());
        written.and_then(|()| self.file.sync_data()).map_err(|e| SubmittedError {
            path: self.path.clone(),
            problem: format!("job {} was submitted but cannot be written down: {e}", submission.id),
        })?;
        self.list.push(submission);
        Ok(())
    }

    /// The round of a new command.
    pub fn next_round(&self) -> usize {
        self.list.iter().map(|submission| submission.round).max().unwrap_or(0) + 1
    }
}

/// Reads the file, when there is one.
///
/// # Errors
/// [`SubmittedError`] when it is damaged.
pub fn read_submitted(run: &RunDir) -> Result<Vec<Submission>, SubmittedError> {
    let path = run.submitted();
    match std::fs::read_to_string(&path) {
        Ok(text) => parse(&path, &text),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(e) => Err(SubmittedError { path, problem: format!("cannot read it: {e}") }),
    }
}

fn parse(path: &std::path::Path, text: &str) -> Result<Vec<Submission>, SubmittedError> {
    let mut list = Vec::new();
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        match serde_json::from_str(line) {
            Ok(submission) => list.push(submission),
            // A line cut short when its writer was killed.
            Err(e) if e.is_eof() => {}
            Err(e) => {
                return Err(SubmittedError {
                    path: path.to_owned(),
                    problem: format!(
                        "line {} is not a submission: {e}; delete the line, or the file once nothing of this run is queued",
                        number + 1
                    ),
                });
            }
        }
    }
    Ok(list)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn submission(id: &str) -> Submission {
        Submission {
            id: id.into(),
            scheduler: SchedulerKind::Slurm,
            stage: Stage::Predict,
            slide: Some("a".into()),
            items: "2-6".into(),
            tasks: Some(3),
            round: 4,
            time_s: 0,
            script: "/r/jobs/predict_a.sh".into(),
            log: "/r/logs/predict/a.{id}_{index}.log".into(),
            memory_mb: None,
            time_min: Some(60),
        }
    }

    #[test]
    fn lines_are_kept_and_a_cut_one_is_survived() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunDir::new(folder.path());
        assert_eq!(read_submitted(&run).unwrap(), []);
        Submitted::open(&run).unwrap().add(submission("1")).unwrap();
        let text = std::fs::read_to_string(run.submitted()).unwrap();
        std::fs::write(run.submitted(), format!("{text}{{\"id\":\"2\",\"sched")).unwrap();
        let mut again = Submitted::open(&run).unwrap();
        assert_eq!((again.list.len(), again.next_round()), (1, 5));
        again.add(submission("3")).unwrap();
        let read = read_submitted(&run).unwrap();
        assert_eq!(read, [submission("1"), submission("3")]);
        std::fs::write(run.submitted(), "{\"id\":1}\n").unwrap();
        assert!(read_submitted(&run).unwrap_err().to_string().contains("line 1"));
    }

    #[test]
    fn an_index_is_its_part_of_the_items() {
        let submission = submission("1");
        let items = |index: Option<u32>| -> Vec<u32> {
            let index = index.map(|index| TaskNumber::try_from(index).unwrap());
            submission.items_of::<TaskNumber>(index).into_iter().map(TaskNumber::get).collect()
        };
        assert_eq!((items(Some(1)), items(Some(3))), (vec![2], vec![5, 6]));
        assert_eq!((items(None), items(Some(4))), (vec![2, 3, 4, 5, 6], vec![]));
    }
}
