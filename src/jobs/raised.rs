//! `jobs/grown.json`: what asks for more than configured, since it ran out of it.
//!
//! It is kept so that later waves, and later commands, ask for it too.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::work::{Request, WorkItem};
use crate::config::Stage;
use crate::number::{GroupNumber, ListError, NumberList};
use crate::run_dir::RunDir;
use crate::staged::{self, StageError};

/// What items of work ask for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Raised {
    items: BTreeMap<WorkItem, Request>,
}

/// `grown.json` cannot be used.
#[derive(Debug, Error)]
pub enum RaisedError {
    /// Damaged.
    #[error("{}: {problem}; delete the file: everything then asks for what [cluster] says", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// It cannot be written.
    #[error(transparent)]
    Write(#[from] StageError),
}

/// Groups of a slide, or a slide, that ask for the same.
#[derive(Serialize, Deserialize)]
struct Entry {
    stage: Stage,
    slide: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    groups: String,
    #[serde(flatten)]
    request: Request,
}

impl Raised {
    /// What an item asks for.
    pub fn get(&self, item: &WorkItem) -> Request {
        self.items.get(item).copied().unwrap_or(Request::NONE)
    }

    /// From now on it asks for this.
    pub fn set(&mut self, item: WorkItem, request: Request) {
        if request == Request::NONE {
            self.items.remove(&item);
        } else {
            self.items.insert(item, request);
        }
    }

    /// Reads the file; without one nothing asks for more.
    ///
    /// # Errors
    /// [`RaisedError::File`].
    pub fn read(run: &RunDir) -> Result<Self, RaisedError> {
        let path = run.grown();
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(e) => return Err(wrong(&path, format!("cannot read it: {e}"))),
        };
        let entries: Vec<Entry> =
            serde_json::from_str(&text).map_err(|e| wrong(&path, e.to_string()))?;
        let mut raised = Self::default();
        for Entry { stage, slide, groups, request } in entries {
            match stage {
                Stage::Split => raised.set(WorkItem::Split(slide), request),
                Stage::Stitch => raised.set(WorkItem::Stitch(slide), request),
                Stage::Predict => {
                    let groups: NumberList<GroupNumber> =
                        groups.parse().map_err(|e: ListError| wrong(&path, e.to_string()))?;
                    for &group in groups.as_slice() {
                        raised.set(WorkItem::Predict(slide.clone(), group), request);
                    }
                }
                Stage::Master | Stage::Study => {
                    let problem = format!("{} jobs do not ask for more", stage.name());
                    return Err(wrong(&path, problem));
                }
            }
        }
        Ok(raised)
    }

    /// Writes the file; none when nothing asks for more and there was none.
    ///
    /// # Errors
    /// [`RaisedError::Write`].
    pub fn write(&self, run: &RunDir) -> Result<(), RaisedError> {
        let path = run.grown();
        if self.items.is_empty() && !path.exists() {
            return Ok(());
        }
        let mut groups: BTreeMap<(&String, Request), Vec<GroupNumber>> = BTreeMap::new();
        let mut entries = Vec::new();
        for (item, &request) in &self.items {
            let entry = |stage, slide: &String| {
                let slide = slide.clone();
                Entry { stage, slide, groups: String::new(), request }
            };
            match item {
                WorkItem::Split(slide) => entries.push(entry(Stage::Split, slide)),
                WorkItem::Stitch(slide) => entries.push(entry(Stage::Stitch, slide)),
                WorkItem::Predict(slide, group) => {
                    groups.entry((slide, request)).or_default().push(*group);
                }
            }
        }
        entries.extend(groups.into_iter().map(|((slide, request), groups)| Entry {
            stage: Stage::Predict,
            slide: slide.clone(),
            groups: groups.into_iter().collect::<NumberList<_>>().to_string(),
            request,
        }));
        let text = serde_json::to_string_pretty(&entries).expect("entries are plain data");
        Ok(staged::write(&path, format!("{text}\n").as_bytes())?)
    }
}

fn wrong(path: &Path, problem: String) -> RaisedError {
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
        let both = Request { memory_mb: Some(900), time_min: Some(20) };
        let mut raised = Raised::default();
        let group = |k: u32| WorkItem::Predict("a".into(), GroupNumber::try_from(k).unwrap());
        for k in [1, 2, 3, 7] {
            raised.set(group(k), memory);
        }
        raised.set(group(5), both);
        raised.set(WorkItem::Stitch("a".into()), both);
        raised.set(WorkItem::Split("b".into()), memory);
        raised.write(&run).unwrap();
        assert!(std::fs::read_to_string(run.grown()).unwrap().contains("\"1-3,7\""));
        let read = Raised::read(&run).unwrap();
        assert_eq!(read, raised);
        assert_eq!(read.get(&group(4)), Request::NONE);
        std::fs::write(run.grown(), "[{}]").unwrap();
        assert!(Raised::read(&run).unwrap_err().to_string().contains("grown.json: missing field"));
    }
}
