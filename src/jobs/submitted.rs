//! The journal of submitted jobs, `jobs/submitted.jsonl`, with one line per job.
//!
//! The journal connects the ids and array indices of a scheduler with slides and groups. It does
//! not say what is done; files do.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::work::{Request, WorkItem};
use crate::config::{SchedulerKind, Stage};
use crate::number::{ArrayShare, GroupNumber, Number, NumberList, TaskNumber};
use crate::run_dir::RunDir;
use crate::staged::{self, StageError};

/// A line of `submitted.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Submission {
    /// Id of the job in the scheduler.
    pub id: String,
    /// The scheduler.
    pub scheduler: SchedulerKind,
    /// Stage of the tasks.
    pub stage: Stage,
    /// Name of the slide, for `predict` and `stitch`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slide: Option<String>,
    /// Rows of slides.csv (`split`) or groups (`predict`), as in `3-10,17`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub items: String,
    /// Number of tasks of the array, each of which has its share of the items; `None` for a single
    /// job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tasks: Option<u32>,
    /// Number of the command given by hand, counted from 1. Jobs that a master job submits have the
    /// number of the command that started the chain.
    pub round: usize,
    /// Time of the submission, Unix time in seconds.
    pub time_s: u64,
    /// Path of the script.
    pub script: PathBuf,
    /// Path of the log, with `{id}` and `{index}` in place of numbers.
    pub log: String,
    /// Memory and time that each task requests.
    #[serde(flatten)]
    pub request: Request,
}

impl Submission {
    /// The items of the job, each with its array index; a single job has no index.
    ///
    /// `slide_of` returns the slide in a row of slides.csv.
    pub(crate) fn work<'a>(
        &self,
        slide_of: &dyn Fn(TaskNumber) -> Option<&'a str>,
    ) -> Vec<(Option<TaskNumber>, WorkItem)> {
        match (self.stage, &self.slide) {
            (Stage::Split, _) => {
                let rows = self.indexed::<TaskNumber>().into_iter();
                let split =
                    |(index, row)| Some((index, WorkItem::Split(slide_of(row)?.to_owned())));
                rows.filter_map(split).collect()
            }
            (Stage::Predict, Some(slide)) => {
                let groups = self.indexed::<GroupNumber>().into_iter();
                let predict = |(index, group)| (index, WorkItem::Predict(slide.clone(), group));
                groups.map(predict).collect()
            }
            (Stage::Calibrate, _) => vec![(None, WorkItem::Calibrate)],
            (Stage::Stitch, Some(slide)) => vec![(None, WorkItem::Stitch(slide.clone()))],
            _ => Vec::new(),
        }
    }

    /// Checks that the tasks' work can be read; otherwise they would pass for never submitted.
    fn check(&self) -> Result<(), String> {
        let items = match (self.stage, &self.slide) {
            (Stage::Predict | Stage::Stitch, None) => return Err("it has no slide".to_owned()),
            (Stage::Split, _) => self.items.parse::<NumberList<TaskNumber>>().err(),
            (Stage::Predict, _) => self.items.parse::<NumberList<GroupNumber>>().err(),
            _ => None,
        };
        items.map_or(Ok(()), |error| Err(format!("items: {error}")))
    }

    /// The numbers in `items`, each with its array index.
    fn indexed<N: Number>(&self) -> Vec<(Option<TaskNumber>, N)> {
        let Ok(items) = self.items.parse::<NumberList<N>>() else { return Vec::new() };
        let Some(tasks) = self.tasks else {
            return items.as_slice().iter().map(|&item| (None, item)).collect();
        };
        let shares = ArrayShare::all(tasks);
        let indexed = shares.flat_map(|share| {
            let index = Some(share.index());
            items.share(share).iter().map(move |&item| (index, item))
        });
        indexed.collect()
    }

    /// The log of an array index, or of the single job.
    pub(crate) fn log_of(&self, index: Option<TaskNumber>) -> PathBuf {
        let index = index.map_or(String::new(), |index| index.to_string());
        self.log.replace("{id}", &self.id).replace("{index}", &index).into()
    }
}

/// Why `submitted.jsonl` cannot be used.
#[derive(Debug, Error)]
#[error("{}: {problem}", path.display())]
pub(crate) struct SubmittedError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong, and what to do.
    pub problem: String,
}

/// The journal, locked, so that one command at a time submits jobs.
#[derive(Debug)]
pub(crate) struct Journal {
    path: PathBuf,
    /// Holds the job that is being submitted, until its id is recorded.
    pending: PathBuf,
    /// `None` if the journal is only read.
    file: Option<File>,
    /// All jobs in the journal.
    pub list: Vec<Submission>,
}

impl Journal {
    /// Opens and reads the journal, after waiting for other commands that submit jobs.
    ///
    /// # Errors
    /// [`SubmittedError`] if the file cannot be made or read.
    pub(crate) fn open(run: &RunDir) -> Result<Self, SubmittedError> {
        let path = run.submitted();
        let error = |e: std::io::Error| SubmittedError {
            path: path.clone(),
            problem: format!("cannot open the file: {e}; the run directory must be writable"),
        };
        std::fs::create_dir_all(run.jobs()).map_err(error)?;
        let mut options = OpenOptions::new();
        let mut file = options.create(true).append(true).read(true).open(&path).map_err(error)?;
        // Some parallel file systems cannot lock. Two commands given at the same moment could then
        // submit the same groups, which is harmless.
        drop(file.lock());
        let mut text = String::new();
        file.seek(SeekFrom::Start(0)).map_err(error)?;
        file.read_to_string(&mut text).map_err(error)?;
        if !text.is_empty() && !text.ends_with('\n') {
            // The writer of the last line was killed.
            file.write_all(b"\n").map_err(error)?;
        }
        let list = parse(&path, &text)?;
        Ok(Self { path, pending: run.jobs().join("pending.json"), file: Some(file), list })
    }

    /// Reads the journal for a command that submits nothing. No file is made, and no other command
    /// is waited for.
    ///
    /// # Errors
    /// [`SubmittedError`] if the file cannot be read.
    pub(crate) fn read(run: &RunDir) -> Result<Self, SubmittedError> {
        let (path, pending) = (run.submitted(), run.jobs().join("pending.json"));
        Ok(Self { path, pending, file: None, list: read_submitted(run)? })
    }

    /// Records a job that is about to be submitted, whose id is not known yet.
    ///
    /// # Errors
    /// [`StageError`] if the record cannot be written.
    pub(crate) fn begin(&self, submission: &Submission) -> Result<(), StageError> {
        let text = serde_json::to_vec(submission).expect("a submission is plain data");
        staged::write(&self.pending, &text)
    }

    /// The job of a command that ended before it recorded the id.
    ///
    /// # Errors
    /// [`StageError`] if its record may be there and cannot be read.
    pub(crate) fn pending(&self) -> Result<Option<Submission>, StageError> {
        let text = staged::read_if_there(&self.pending)?;
        Ok(text.and_then(|text| serde_json::from_slice(&text).ok()))
    }

    /// Forgets the job that was about to be submitted, since it was not.
    pub(crate) fn forget_pending(&self) {
        // Usually there is no such file.
        drop(std::fs::remove_file(&self.pending));
    }

    /// Adds a job.
    ///
    /// # Errors
    /// [`SubmittedError`] with the id of the job, which is in the queue by then.
    ///
    /// # Panics
    /// If the journal is only read.
    pub(crate) fn add(&mut self, submission: Submission) -> Result<(), SubmittedError> {
        let line = serde_json::to_string(&submission).expect("a submission is plain data");
        let file = self.file.as_mut().expect("a dry run submits nothing");
        let written = file.write_all(format!("{line}\n").as_bytes());
        written.and_then(|()| file.sync_data()).map_err(|e| SubmittedError {
            path: self.path.clone(),
            problem: format!("job {} was submitted, but cannot be recorded: {e}", submission.id),
        })?;
        self.list.push(submission);
        self.forget_pending();
        Ok(())
    }

    /// The round of a new command given by hand.
    pub(crate) fn next_round(&self) -> usize {
        self.list.iter().map(|submission| submission.round).max().unwrap_or(0) + 1
    }
}

/// Whether a command is submitting jobs at the moment, as far as the file system can lock.
pub(crate) fn is_submitting(run: &RunDir) -> bool {
    let file = File::open(run.submitted());
    file.is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

/// Reads the journal; empty if there is none.
///
/// # Errors
/// [`SubmittedError`] if the file cannot be read, or a line is not a job.
pub(crate) fn read_submitted(run: &RunDir) -> Result<Vec<Submission>, SubmittedError> {
    let path = run.submitted();
    match std::fs::read_to_string(&path) {
        Ok(text) => parse(&path, &text),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(e) => Err(SubmittedError { path, problem: format!("cannot read the file: {e}") }),
    }
}

fn parse(path: &Path, text: &str) -> Result<Vec<Submission>, SubmittedError> {
    let mut list = Vec::new();
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let invalid = |problem: String| SubmittedError {
            path: path.to_owned(),
            problem: format!(
                "line {} is not a submission: {problem}; delete the line, or the file once nothing of this run is queued",
                number + 1
            ),
        };
        match serde_json::from_str::<Submission>(line) {
            Ok(submission) => {
                submission.check().map_err(invalid)?;
                list.push(submission);
            }
            // The line was cut short when its writer was killed.
            Err(e) if e.is_eof() => {}
            Err(e) => return Err(invalid(e.to_string())),
        }
    }
    Ok(list)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn submission(id: &str, stage: Stage, items: &str, tasks: Option<u32>) -> Submission {
        Submission {
            id: id.into(),
            scheduler: SchedulerKind::Slurm,
            stage,
            slide: (stage != Stage::Split).then(|| "a".to_owned()),
            items: items.into(),
            tasks,
            round: 4,
            time_s: 0,
            script: "/r/jobs/predict_a.sh".into(),
            log: "/r/logs/predict/a.{id}_{index}.log".into(),
            request: Request { memory_mb: None, time_min: Some(60) },
        }
    }

    fn predict(id: &str) -> Submission {
        submission(id, Stage::Predict, "2-6", Some(3))
    }

    #[test]
    fn lines_are_kept_and_a_line_cut_short_is_ignored() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunDir::new(folder.path());
        assert_eq!(read_submitted(&run).unwrap(), []);
        Journal::open(&run).unwrap().add(predict("1")).unwrap();
        let text = std::fs::read_to_string(run.submitted()).unwrap();
        std::fs::write(run.submitted(), format!("{text}{{\"id\":\"2\",\"sched")).unwrap();
        let mut journal = Journal::open(&run).unwrap();
        assert_eq!((journal.list.len(), journal.next_round()), (1, 5));
        journal.add(predict("3")).unwrap();
        assert!(is_submitting(&run));
        drop(journal);
        assert!(!is_submitting(&run));
        let read = read_submitted(&run).unwrap();
        assert_eq!(read, [predict("1"), predict("3")]);
        std::fs::write(run.submitted(), "{\"id\":1}\n").unwrap();
        assert!(read_submitted(&run).unwrap_err().to_string().contains("line 1"));
    }

    #[test]
    fn a_line_whose_work_cannot_be_read_is_an_error() {
        let good = serde_json::to_string(&predict("1")).unwrap();
        let items = serde_json::to_string(&submission("2", Stage::Split, "x", Some(2))).unwrap();
        let slide = Submission { slide: None, ..predict("3") };
        let slide = serde_json::to_string(&slide).unwrap();
        for (line, words) in [(items, "line 2 is not a submission: items: \"x\""), (slide, "slide")]
        {
            let error = parse(Path::new("x"), &format!("{good}\n{line}\n")).unwrap_err();
            assert!(error.to_string().contains(words), "{error}");
        }
    }

    /// A line as version 0.1.0 wrote it.
    #[test]
    fn a_line_of_an_earlier_version_is_read() {
        let line = r#"{"id":"123","scheduler":"slurm","stage":"predict","slide":"a","items":"1-8,11","tasks":3,"round":1,"time_s":1790000000,"script":"/run/jobs/predict-a.sh","log":"/run/logs/predict/a.{id}.{index}.log","memory_mb":4096,"time_min":240}"#;
        let read = parse(Path::new("x"), line).unwrap();
        assert_eq!(read[0].request, Request { memory_mb: Some(4096), time_min: Some(240) });
        assert_eq!(serde_json::to_string(&read[0]).unwrap(), line);
        let stitch = r#"{"id":"9","scheduler":"sge","stage":"stitch","slide":"a","round":1,"time_s":2,"script":"s","log":"l"}"#;
        let read = parse(Path::new("x"), stitch).unwrap();
        assert_eq!(serde_json::to_string(&read[0]).unwrap(), stitch);
    }

    #[test]
    fn each_array_index_has_its_share_of_the_items() {
        let slide_of = |row: TaskNumber| ["x", "y", "z"].get(row.index()).copied();
        let group = |k: u32| WorkItem::Predict("a".into(), GroupNumber::try_from(k).unwrap());
        let index = |i: u32| Some(TaskNumber::try_from(i).unwrap());
        let found = predict("1").work(&slide_of);
        let expected = [(1, 2), (2, 3), (2, 4), (3, 5), (3, 6)];
        assert_eq!(found, expected.map(|(i, k)| (index(i), group(k))));
        let log = predict("1").log_of(index(3));
        assert_eq!(log, Path::new("/r/logs/predict/a.1_3.log"));
        let split = submission("2", Stage::Split, "1,3-4", Some(3));
        let slides = ["x", "z"].map(|slide| WorkItem::Split(slide.into()));
        let found: Vec<_> = split.work(&slide_of).into_iter().map(|(_, item)| item).collect();
        assert_eq!(found, slides, "row 4 is not there");
        let stitch = submission("3", Stage::Stitch, "", None);
        assert_eq!(stitch.work(&slide_of), [(None, WorkItem::Stitch("a".into()))]);
        let calibrate = submission("4", Stage::Calibrate, "", None);
        assert_eq!(calibrate.work(&slide_of), [(None, WorkItem::Calibrate)]);
        assert_eq!(submission("5", Stage::Master, "", None).work(&slide_of), []);
    }
}
