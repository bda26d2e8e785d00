//! What was submitted (`jobs/submitted.jsonl`), seen from the work: which
//! array index of which job does which slide or group.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use thiserror::Error;

use super::lookup::Lookup;
use super::plan::Growth;
use crate::number::{GroupNumber, TaskNumber};
use crate::run_dir::{RunDir, SlideRecord};

/// A piece of work of a run.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Piece {
    /// Splitting a slide.
    Split(String),
    /// Scoring a group of a slide.
    Group(String, GroupNumber),
    /// Stitching a slide.
    Stitch(String),
}

impl Piece {
    /// The stage it belongs to.
    pub fn stage(&self) -> &'static str {
        match self {
            Self::Split(_) => "split",
            Self::Group(..) => "predict",
            Self::Stitch(_) => "stitch",
        }
    }
}

/// A job or array that was submitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubmittedArray {
    /// The scheduler's number.
    pub id: String,
    /// `slurm`, `sge`, ...
    pub scheduler: String,
    /// Its log, with `{id}` and `{index}`, when known.
    pub log: Option<String>,
    /// When it was submitted, Unix time; 0 when not said.
    pub time_s: u64,
    /// What was asked for.
    pub asked: Growth,
    /// Array index, `None` for a single job, and what it does.
    pub pieces: Vec<(Option<u64>, Piece)>,
}

impl SubmittedArray {
    /// The log of an index.
    pub fn log_of(&self, index: Option<u64>) -> Option<PathBuf> {
        let index = index.map_or(String::new(), |index| index.to_string());
        let log = self.log.as_ref()?;
        Some(log.replace("{id}", &self.id).replace("{index}", &index).into())
    }
}

/// The record of submissions cannot be used.
#[derive(Debug, Error)]
#[error("{}: line {line}: {problem}; delete the line: what it submitted is then not shown", path.display())]
pub struct ArraysError {
    path: PathBuf,
    line: usize,
    problem: String,
}

/// A line of the file; keys that are not needed here are passed over.
#[derive(Deserialize)]
struct Line {
    id: String,
    scheduler: String,
    stage: String,
    #[serde(default)]
    slide: Option<String>,
    #[serde(default)]
    first_index: Option<u64>,
    #[serde(default)]
    tasks: Option<Tasks>,
    #[serde(default)]
    groups_per_task: Option<usize>,
    #[serde(default)]
    items: String,
    #[serde(default)]
    log: Option<String>,
    #[serde(default)]
    time_s: u64,
    #[serde(flatten)]
    asked: Growth,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Tasks {
    /// So many array tasks, which share `items` evenly.
    Count(usize),
    /// Ranges of task numbers, `groups_per_task` to an index.
    Ranges(Vec<[usize; 2]>),
}

/// Reads the record, oldest first; a run without one has submitted nothing.
///
/// # Errors
/// [`ArraysError`] naming the line. A last line cut short (its writer was
/// killed) is passed over.
pub fn read_arrays(
    run: &RunDir,
    lookup: &Lookup,
    slides: &[SlideRecord],
) -> Result<Vec<SubmittedArray>, ArraysError> {
    let path = run.submitted();
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(wrong(&path, 1, format!("cannot read it: {e}"))),
    };
    let mut arrays = Vec::new();
    for (number, text) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let wrong = |problem: String| wrong(&path, number + 1, problem);
        match serde_json::from_str::<Line>(text) {
            Ok(line) => arrays.push(array(line, lookup, slides).map_err(wrong)?),
            Err(error) if error.is_eof() => {}
            Err(error) => return Err(wrong(error.to_string())),
        }
    }
    Ok(arrays)
}

fn wrong(path: &Path, line: usize, problem: String) -> ArraysError {
    ArraysError { path: path.to_owned(), line, problem }
}

fn array(line: Line, lookup: &Lookup, slides: &[SlideRecord]) -> Result<SubmittedArray, String> {
    // Ranges number the rows of lookup.csv; items the groups of the slide.
    let cumulative = matches!(line.tasks, Some(Tasks::Ranges(_)));
    let pieces = indexed(&line)?
        .into_iter()
        .filter_map(|(index, item)| {
            let row = || Some(slides.get(item.checked_sub(1)?)?.name.clone());
            let piece = match (line.stage.as_str(), &line.slide) {
                ("split", _) => Piece::Split(row()?),
                ("predict", Some(slide)) if !cumulative => {
                    Piece::Group(slide.clone(), GroupNumber::try_from(item).ok()?)
                }
                ("predict", _) => {
                    let (slide, group) = lookup.find(TaskNumber::try_from(item).ok()?)?;
                    Piece::Group(slide.to_owned(), group)
                }
                ("stitch", Some(slide)) => Piece::Stitch(slide.clone()),
                ("stitch", None) => Piece::Stitch(row()?),
                _ => return None,
            };
            Some((index, piece))
        })
        .collect();
    let Line { id, scheduler, log, time_s, asked, .. } = line;
    Ok(SubmittedArray { id, scheduler, log, time_s, asked, pieces })
}

/// Numbers with the array index that does each.
fn indexed(line: &Line) -> Result<Vec<(Option<u64>, usize)>, String> {
    let first = line.first_index.unwrap_or(1);
    match &line.tasks {
        Some(Tasks::Ranges(ranges)) => {
            let per_index = line.groups_per_task.unwrap_or(1).max(1);
            if let Some([from, to]) = ranges.iter().find(|[from, to]| from > to) {
                return Err(format!("tasks {from} to {to} are no range"));
            }
            let numbers = ranges.iter().flat_map(|[from, to]| *from..=*to).enumerate();
            Ok(numbers.map(|(at, item)| (Some(first + (at / per_index) as u64), item)).collect())
        }
        Some(Tasks::Count(of)) => {
            let items = numbers(&line.items)?;
            let cut = |index: usize| items.len() * index / of.max(&1);
            let parts = (0..*of).flat_map(|part| {
                let index = Some(first + part as u64);
                items[cut(part)..cut(part + 1)].iter().map(move |&item| (index, item))
            });
            Ok(parts.collect())
        }
        // A single job; that of a slide may name no items.
        None if line.items.is_empty() => Ok(vec![(None, 1)]),
        None => Ok(numbers(&line.items)?.into_iter().map(|item| (None, item)).collect()),
    }
}

/// `3-10,17`
fn numbers(list: &str) -> Result<Vec<usize>, String> {
    let wrong = || format!("items {list:?} are no list such as 3-10,17");
    let mut numbers = Vec::new();
    for part in list.split(',').filter(|part| !part.is_empty()) {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let first: usize = first.trim().parse().map_err(|_| wrong())?;
        let last: usize = last.trim().parse().map_err(|_| wrong())?;
        numbers.extend(first..=last);
    }
    Ok(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<SubmittedArray>, ArraysError> {
        let folder = tempfile::tempdir().unwrap();
        let run = RunDir::new(folder.path());
        crate::staged::write(&run.submitted(), text.as_bytes()).unwrap();
        let lookup = Lookup::plan([("a", 5, 5), ("b", 4, 4)]).unwrap();
        let slide = |name: &str| SlideRecord { name: name.into(), ..SlideRecord::default() };
        read_arrays(&run, &lookup, &[slide("a"), slide("b")])
    }

    fn group(slide: &str, group: usize) -> Piece {
        Piece::Group(slide.into(), GroupNumber::try_from(group).unwrap())
    }

    #[test]
    fn ranges_of_the_lookup_table() {
        let line = r#"{"id":"123","scheduler":"slurm","stage":"predict","slide":"b","first_index":0,"tasks":[[6,7],[9,9]],"groups_per_task":2}"#;
        let array = &read(line).unwrap()[0];
        let expected =
            [(Some(0), group("b", 1)), (Some(0), group("b", 2)), (Some(1), group("b", 4))];
        assert_eq!((array.pieces.as_slice(), array.log_of(Some(1))), (&expected[..], None));
    }

    #[test]
    fn items_shared_by_tasks() {
        let line = r#"{"id":"9","scheduler":"sge","stage":"predict","slide":"b","items":"2-4,1","tasks":3,"round":1,"log":"/l/b.{id}.{index}.log","memory_mb":900}"#;
        let split = r#"{"id":"8","scheduler":"sge","stage":"split","items":"1-2","tasks":2}"#;
        let stitch = r#"{"id":"7","scheduler":"sge","stage":"stitch","slide":"a"}"#;
        let arrays = read(&format!("{line}\n{split}\n{stitch}\n{}", &line[..30])).unwrap();
        let expected = [2, 3, 4, 1].map(|item| group("b", item));
        let indices = [Some(1), Some(2), Some(3), Some(3)];
        assert_eq!(arrays[0].pieces, indices.into_iter().zip(expected).collect::<Vec<_>>());
        assert_eq!(arrays[0].log_of(Some(3)).unwrap(), Path::new("/l/b.9.3.log"));
        assert_eq!((arrays[0].asked.memory_mb, arrays[0].asked.time_min), (Some(900), None));
        assert_eq!(arrays[1].pieces[1], (Some(2), Piece::Split("b".into())));
        assert_eq!(arrays[2].pieces, [(None, Piece::Stitch("a".into()))]);
    }

    #[test]
    fn a_wrong_line_is_named() {
        let wrong = r#"{"id":"1","scheduler":"sge","stage":"split","items":"x","tasks":2}"#;
        assert!(read(&format!("\n{wrong}")).unwrap_err().to_string().contains("line 2: items"));
        assert!(read("{\"id\":1}\n").unwrap_err().to_string().contains("line 1"));
    }
}
