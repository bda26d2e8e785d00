//! Work that is not done, and what the schedulers say of it.

use std::collections::BTreeMap;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::arrays::{Piece, SubmittedArray};
use super::plan::Growth;
use super::sched_query::Answers;
use super::sched_state::{Reason, TaskRecord, TaskState, why};

/// The end of a log that is searched for reasons.
const TAIL_BYTES: u64 = 8192;

/// The last try of a piece of work.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LastTry {
    /// Number of the job or array.
    pub job: String,
    /// Array index.
    pub index: Option<u64>,
    /// What the scheduler says.
    pub state: TaskState,
    /// Where its log is, when that is known.
    pub log: Option<PathBuf>,
    /// What was asked for.
    #[serde(skip)]
    pub asked: Growth,
}

impl LastTry {
    /// Why it has left its work undone; reads the end of the log. `None` while
    /// the scheduler still has it.
    pub fn reason(&self) -> Option<Reason> {
        if self.state.is_live() {
            return None;
        }
        let tail = self.log.as_deref().map_or_else(String::new, tail);
        Some(why(&self.state, &tail))
    }
}

/// The end of a file; empty when there is none.
pub fn tail(path: &Path) -> String {
    let read = || -> std::io::Result<Vec<u8>> {
        let mut file = std::fs::File::open(path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES)))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    read().map_or_else(|_| String::new(), |bytes| String::from_utf8_lossy(&bytes).into_owned())
}

/// The last try of every piece of work that was submitted.
///
/// A scheduler that knows nothing of a job has forgotten it, or does not know
/// of it yet: the piece is then not in the answer.
pub fn last_tries(arrays: &[SubmittedArray], answers: &Answers) -> BTreeMap<Piece, LastTry> {
    let mut known: BTreeMap<(&str, Option<u64>), &TaskRecord> = BTreeMap::new();
    for record in &answers.records {
        // Later records are newer, and the queue comes last; but accounting
        // may still say "pending" of what the queue has seen end.
        known.insert((&record.job, record.index), record);
    }
    let mut tries: BTreeMap<Piece, LastTry> = BTreeMap::new();
    for array in arrays {
        for (index, piece) in &array.pieces {
            let earlier = tries.get(piece);
            let Some(record) = known.get(&(array.id.as_str(), *index)) else {
                // How an earlier try ended says nothing about this one.
                if earlier.is_some_and(|t| !t.state.is_live()) {
                    tries.remove(piece);
                }
                continue;
            };
            // Of two arrays with the same work the live one counts, else the
            // later one.
            if earlier.is_some_and(|t| t.state.is_live()) && !record.state.is_live() {
                continue;
            }
            let last = LastTry {
                job: array.id.clone(),
                index: *index,
                state: record.state.clone(),
                log: array.log_of(*index),
                asked: array.asked,
            };
            tries.insert(piece.clone(), last);
        }
    }
    tries
}

/// The last submission of every piece of work, of which the scheduler need not
/// know any more.
pub fn last_submissions(arrays: &[SubmittedArray]) -> BTreeMap<Piece, LastTry> {
    let tries = arrays.iter().flat_map(|array| {
        array.pieces.iter().map(|(index, piece)| {
            let state = TaskState::Unknown("forgotten".into());
            let (job, log) = (array.id.clone(), array.log_of(*index));
            (piece.clone(), LastTry { job, index: *index, state, log, asked: array.asked })
        })
    });
    tries.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jobs::sched_state::{parse_sacct, parse_squeue};
    use crate::number::GroupNumber;

    fn array(id: &str, log: Option<String>) -> SubmittedArray {
        let pieces = (1..=4)
            .map(|i| (Some(i), Piece::Group("a".into(), GroupNumber::try_from(i).unwrap())))
            .collect();
        let (scheduler, asked) = ("slurm".into(), Growth::NONE);
        SubmittedArray { id: id.into(), scheduler, log, time_s: 0, asked, pieces }
    }

    #[test]
    fn the_queue_has_the_last_word_and_the_log_the_reason() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("7_2.log");
        std::fs::write(&log, "x\nmemory allocation of 9 bytes failed\n").unwrap();
        let mut records = parse_sacct(
            "7_1|NODE_FAIL|0:0|6|1|7|n2|1|None\n7_2|FAILED|0:6|6|1|7|n2|1|None\n7_3|FAILED|4:0|6|1|7|n2|1|None\n7_4|RUNNING|0:0|6|1|7|n2|1|None\n",
        );
        records.extend(parse_squeue("7_1|PENDING|N/A||BeginTime\n8_3|RUNNING|5|n1|None\n"));
        let pattern = folder.path().join("{id}_{index}.log").display().to_string();
        let arrays = [array("7", Some(pattern)), array("8", None), array("9", None)];
        let answers = Answers { records, warnings: Vec::new() };
        let tries = last_tries(&arrays, &answers);
        let kept: Vec<&Piece> = tries.keys().collect();
        let live = [1usize, 3, 4]
            .map(|group| Piece::Group("a".into(), GroupNumber::try_from(group).unwrap()));
        assert_eq!(kept, live.iter().collect::<Vec<_>>(), "nobody knows of the last try of 2 yet");
        let first = last_tries(&arrays[..1], &answers);
        let of = |group: usize| {
            let piece = Piece::Group("a".into(), GroupNumber::try_from(group).unwrap());
            tries.get(&piece).unwrap_or_else(|| &first[&piece])
        };
        assert_eq!(of(1).state, TaskState::Pending("BeginTime".into()));
        assert_eq!((of(1).reason(), of(2).reason()), (None, Some(Reason::Memory)));
        assert_eq!((of(3).job.as_str(), &of(3).state), ("8", &TaskState::Running));
        assert_eq!(of(4).state, TaskState::Running);
        assert_eq!(of(2).log.as_deref(), Some(log.as_path()));
    }
}
