//! `jobs/grown.json`: what asks for more than configured, since it ran out of it.
//!
//! It is kept so that later waves, and later commands, ask for it too.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::arrays::Piece;
use super::plan::Growth;
use crate::config::Stage;
use crate::number::{GroupNumber, ListError, NumberList};
use crate::run_dir::RunDir;
use crate::staged::{self, StageError};

/// What pieces of work ask for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Grown {
    pieces: BTreeMap<Piece, Growth>,
}

/// `grown.json` cannot be used.
#[derive(Debug, Error)]
pub enum GrownError {
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
    growth: Growth,
}

impl Grown {
    /// What a piece of work asks for.
    pub fn of(&self, piece: &Piece) -> Growth {
        self.pieces.get(piece).copied().unwrap_or(Growth::NONE)
    }

    /// From now on it asks for this.
    pub fn set(&mut self, piece: Piece, growth: Growth) {
        if growth == Growth::NONE {
            self.pieces.remove(&piece);
        } else {
            self.pieces.insert(piece, growth);
        }
    }

    /// Reads the file; without one nothing asks for more.
    ///
    /// # Errors
    /// [`GrownError::File`].
    pub fn read(run: &RunDir) -> Result<Self, GrownError> {
        let path = run.grown();
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(e) => return Err(wrong(&path, format!("cannot read it: {e}"))),
        };
        let entries: Vec<Entry> =
            serde_json::from_str(&text).map_err(|e| wrong(&path, e.to_string()))?;
        let mut grown = Self::default();
        for Entry { stage, slide, groups, growth } in entries {
            match stage {
                Stage::Split => grown.set(Piece::Split(slide), growth),
                Stage::Stitch => grown.set(Piece::Stitch(slide), growth),
                Stage::Predict => {
                    let groups: NumberList<GroupNumber> =
                        groups.parse().map_err(|e: ListError| wrong(&path, e.to_string()))?;
                    for &group in groups.as_slice() {
                        grown.set(Piece::Group(slide.clone(), group), growth);
                    }
                }
                Stage::Master | Stage::Study => {
                    let problem = format!("{} jobs do not ask for more", stage.name());
                    return Err(wrong(&path, problem));
                }
            }
        }
        Ok(grown)
    }

    /// Writes the file; none when nothing asks for more and there was none.
    ///
    /// # Errors
    /// [`GrownError::Write`].
    pub fn write(&self, run: &RunDir) -> Result<(), GrownError> {
        let path = run.grown();
        if self.pieces.is_empty() && !path.exists() {
            return Ok(());
        }
        let mut groups: BTreeMap<(&String, Growth), Vec<GroupNumber>> = BTreeMap::new();
        let mut entries = Vec::new();
        for (piece, &growth) in &self.pieces {
            let entry = |stage, slide: &String| {
                let slide = slide.clone();
                Entry { stage, slide, groups: String::new(), growth }
            };
            match piece {
                Piece::Split(slide) => entries.push(entry(Stage::Split, slide)),
                Piece::Stitch(slide) => entries.push(entry(Stage::Stitch, slide)),
                Piece::Group(slide, group) => {
                    groups.entry((slide, growth)).or_default().push(*group);
                }
            }
        }
        entries.extend(groups.into_iter().map(|((slide, growth), groups)| Entry {
            stage: Stage::Predict,
            slide: slide.clone(),
            groups: groups.into_iter().collect::<NumberList<_>>().to_string(),
            growth,
        }));
        let text = serde_json::to_string_pretty(&entries).expect("entries are plain data");
        Ok(staged::write(&path, format!("{text}\n").as_bytes())?)
    }
}

fn wrong(path: &Path, problem: String) -> GrownError {
    GrownError::File { path: path.to_owned(), problem }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunDir::new(folder.path());
        assert_eq!(Grown::read(&run).unwrap(), Grown::default());
        Grown::default().write(&run).unwrap();
        assert!(!run.grown().exists());
        let memory = Growth { memory_mb: Some(900), time_min: None };
        let both = Growth { memory_mb: Some(900), time_min: Some(20) };
        let mut grown = Grown::default();
        let group = |k: u32| Piece::Group("a".into(), GroupNumber::try_from(k).unwrap());
        for k in [1, 2, 3, 7] {
            grown.set(group(k), memory);
        }
        grown.set(group(5), both);
        grown.set(Piece::Stitch("a".into()), both);
        grown.set(Piece::Split("b".into()), memory);
        grown.write(&run).unwrap();
        assert!(std::fs::read_to_string(run.grown()).unwrap().contains("\"1-3,7\""));
        let read = Grown::read(&run).unwrap();
        assert_eq!(read, grown);
        assert_eq!(read.of(&group(4)), Growth::NONE);
        std::fs::write(run.grown(), "[{}]").unwrap();
        assert!(Grown::read(&run).unwrap_err().to_string().contains("grown.json: missing field"));
    }
}
