//! The requests of items that ran out of memory or time, kept in `jobs/grown.json`.
//!
//! They are kept so that later waves, and later commands, request as much.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::work::{Request, WorkItem};
use crate::config::Stage;
use crate::number::{GroupNumber, ListError, NumberList};
use crate::run_dir::RunDir;
use crate::staged::{self, StageError};

/// The memory and time that items request, where that is more than configured.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Raised {
    items: BTreeMap<WorkItem, Request>,
}

/// Why `grown.json` cannot be used.
#[derive(Debug, Error)]
pub(crate) enum RaisedError {
    /// The file cannot be read, or its content is not allowed.
    #[error("{}: {problem}; delete the file, so that all tasks request what [cluster] says", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// The file cannot be written.
    #[error(transparent)]
    Write(#[from] StageError),
}

/// Groups of a slide, or a slide, that request the same.
#[derive(Serialize, Deserialize)]
struct RaisedEntry {
    stage: Stage,
    /// Name of the slide; empty for `calibrate`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    slide: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    groups: String,
    #[serde(flatten)]
    request: Request,
}

impl Raised {
    /// The request of an item.
    pub(crate) fn get(&self, item: &WorkItem) -> Request {
        self.items.get(item).copied().unwrap_or(Request::NONE)
    }

    /// Sets the request of an item.
    pub(crate) fn set(&mut self, item: WorkItem, request: Request) {
        if request == Request::NONE {
            self.items.remove(&item);
        } else {
            self.items.insert(item, request);
        }
    }

    /// Removes what the items of slides request.
    pub(crate) fn forget(&mut self, slides: &[String]) {
        self.items
            .retain(|item, _| slides.iter().all(|slide| Some(slide.as_str()) != item.slide()));
    }

    /// Reads the file. Without a file, nothing requests more than configured.
    ///
    /// # Errors
    /// [`RaisedError::File`] if there is a file that cannot be used.
    pub(crate) fn read(run: &RunDir) -> Result<Self, RaisedError> {
        let path = run.grown();
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(e) => return Err(invalid(&path, format!("cannot read it: {e}"))),
        };
        let entries: Vec<RaisedEntry> =
            serde_json::from_str(&text).map_err(|e| invalid(&path, e.to_string()))?;
        let mut raised = Self::default();
        for RaisedEntry { stage, slide, groups, request } in entries {
            match stage {
                Stage::Split => raised.set(WorkItem::Split(slide), request),
                Stage::Calibrate => raised.set(WorkItem::Calibrate, request),
                Stage::Stitch => raised.set(WorkItem::Stitch(slide), request),
                Stage::Predict => {
                    let groups: NumberList<GroupNumber> =
                        groups.parse().map_err(|e: ListError| invalid(&path, e.to_string()))?;
                    for &group in groups.as_slice() {
                        raised.set(WorkItem::Predict(slide.clone(), group), request);
                    }
                }
                Stage::Master | Stage::Study => {
                    let problem =
                        format!("{} jobs do not request more than configured", stage.name());
                    return Err(invalid(&path, problem));
                }
            }
        }
        Ok(raised)
    }

    /// Writes the file, unless there is none and nothing requests more.
    ///
    /// # Errors
    /// [`RaisedError::Write`] if the file cannot be written.
    pub(crate) fn write(&self, run: &RunDir) -> Result<(), RaisedError> {
        let path = run.grown();
        if self.items.is_empty() && !staged::is_there(&path)? {
            return Ok(());
        }
        let mut groups: BTreeMap<(&String, Request), Vec<GroupNumber>> = BTreeMap::new();
        let mut entries = Vec::new();
        for (item, &request) in &self.items {
            let entry = |stage, slide: &String| {
                let slide = slide.clone();
                RaisedEntry { stage, slide, groups: String::new(), request }
            };
            match item {
                WorkItem::Split(slide) => entries.push(entry(Stage::Split, slide)),
                WorkItem::Calibrate => entries.push(entry(Stage::Calibrate, &String::new())),
                WorkItem::Stitch(slide) => entries.push(entry(Stage::Stitch, slide)),
                WorkItem::Predict(slide, group) => {
                    groups.entry((slide, request)).or_default().push(*group);
                }
            }
        }
        entries.extend(groups.into_iter().map(|((slide, request), groups)| RaisedEntry {
            stage: Stage::Predict,
            slide: slide.clone(),
            groups: groups.into_iter().collect::<NumberList<_>>().to_string(),
            request,
        }));
        let text = serde_json::to_string_pretty(&entries).expect("entries are plain data");
        Ok(staged::write(&path, format!("{text}\n").as_bytes())?)
    }
}

fn invalid(path: &Path, problem: String) -> RaisedError {
    RaisedError::File { path: path.to_owned(), problem }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunDir::new(folder.path());
        assert_eq!(Raised::read(&run).unwrap(), Raised::default());
        Raised::default().write(&run).unwrap();
        assert!(!run.grown().exists());
        let memory = Request { memory_mb: Some(900), time_min: None };
        let memory_and_time = Request { memory_mb: Some(900), time_min: Some(20) };
        let mut raised = Raised::default();
        let group = |k: u32| WorkItem::Predict("a".into(), GroupNumber::try_from(k).unwrap());
        for k in [1, 2, 3, 7] {
            raised.set(group(k), memory);
        }
        raised.set(group(5), memory_and_time);
        raised.set(WorkItem::Stitch("a".into()), memory_and_time);
        raised.set(WorkItem::Split("b".into()), memory);
        raised.set(WorkItem::Calibrate, memory);
        raised.write(&run).unwrap();
        assert!(std::fs::read_to_string(run.grown()).unwrap().contains("\"1-3,7\""));
        let read = Raised::read(&run).unwrap();
        assert_eq!(read, raised);
        assert_eq!(read.get(&group(4)), Request::NONE);
        std::fs::write(run.grown(), "[{}]").unwrap();
        assert!(Raised::read(&run).unwrap_err().to_string().contains("grown.json: missing field"));
    }
}
