//! Markers of slides that are being read, so that a slide which the program dies of does not keep
//! the others from being split.
//!
//! A marker, `logs/split/reading/<slide>.<machine>-<process>`, exists while a process splits the
//! slide. Its first line says what is read and by what; a process that dies appends a note
//! ([`crash`](crate::crash)). The next try counts the notes. A marker without a note accuses nobody:
//! its process still works, or was killed from outside.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::error::SplitError;
use crate::crash::{Death, Watch};
use crate::process::{self, is_alive, machine};
use crate::run_dir::{RunDir, SlideRecord};
use crate::{slide, staged};

/// Deaths after which a slide is not tried again. The first one may be an accident of the machine.
const DEATHS: usize = 2;

/// A marker of another machine that was not written to for this long has lost its process.
const ABANDONED: Duration = Duration::from_secs(24 * 3600);

/// What is read, and by what. Notes about something else do not count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Subject {
    slide_bytes: u64,
    slide_modified_unix_s: i64,
    program: String,
    reader: String,
}

impl Subject {
    fn now(path: &Path) -> io::Result<Self> {
        let metadata = fs::metadata(path)?;
        Ok(Self {
            slide_bytes: metadata.len(),
            slide_modified_unix_s: metadata.mtime(),
            program: crate::version::WRITER.to_owned(),
            reader: slide::openslide_version().unwrap_or_default(),
        })
    }
}

/// The first line of a marker.
#[derive(Debug, Serialize, Deserialize)]
struct MarkerHead {
    #[serde(flatten)]
    subject: Subject,
    host: String,
    started_unix_s: f64,
}

/// A marker that was found.
struct Found {
    path: PathBuf,
    /// `None` if the marker was not written whole.
    subject: Option<Subject>,
    deaths: Vec<Death>,
    writer: MarkerWriter,
}

/// The process that a marker belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum MarkerWriter {
    /// This one, before it started again.
    This,
    /// Another one, which may still work on the slide.
    Other,
    /// One that no longer exists.
    Gone,
}

/// The marker of the slide that this process splits. It is removed when the value is dropped.
pub(super) struct Marker {
    path: Option<PathBuf>,
    _watch: Option<Watch>,
    /// Whether an earlier try ended while it read the slide, without a note.
    pub(super) was_cut_off: bool,
}

impl Marker {
    /// Marks the slide as being read.
    ///
    /// # Errors
    /// [`SplitError::Died`] if the program has died of this slide before, and nothing has changed
    /// since.
    pub(super) fn begin(run: &RunDir, record: &SlideRecord) -> Result<Self, SplitError> {
        let mut marker = Self { path: None, _watch: None, was_cut_off: false };
        // A slide without metadata cannot be opened either.
        let Ok(subject) = Subject::now(&record.path) else { return Ok(marker) };
        let own = own_path(run, &record.name);
        for found in markers(run).filter(|(slide, _)| *slide == record.name) {
            let found = found.1;
            if found.writer != MarkerWriter::Other && found.deaths.is_empty() {
                marker.was_cut_off = true;
                drop(fs::remove_file(&found.path));
            } else if found.subject.as_ref().is_some_and(|other| *other != subject) {
                drop(fs::remove_file(&found.path));
            } else if !found.deaths.is_empty() {
                judge(run, record, &found)?;
                // The next death is counted with this one.
                drop(fs::rename(&found.path, &own));
            }
        }
        // Without a marker, a crash ends the process, as it would without this module.
        if let Ok(file) = write_head(&own, subject) {
            marker._watch = Some(Watch::start(&record.path, Some(file)));
            marker.path = Some(own);
        }
        Ok(marker)
    }
}

impl Drop for Marker {
    fn drop(&mut self) {
        if let Some(path) = &self.path {
            drop(fs::remove_file(path));
            // The folder is empty unless another process is at work.
            drop(path.parent().map(fs::remove_dir));
        }
    }
}

/// # Errors
/// [`SplitError::Died`] if the slide is not to be tried again.
fn judge(run: &RunDir, record: &SlideRecord, found: &Found) -> Result<(), SplitError> {
    let waited = found.deaths.contains(&Death::Waiting);
    let is_final = found.deaths.len() >= DEATHS || found.deaths.contains(&Death::Busy);
    if found.writer == MarkerWriter::This {
        staged::discard(&run.patches(&record.name));
    }
    if waited {
        // Storage that does not answer is no property of the slide: the next command tries again.
        drop(fs::remove_file(&found.path));
        if found.writer != MarkerWriter::This {
            return Ok(());
        }
    }
    if !waited && !is_final {
        return Ok(());
    }
    let (path, times) = (record.path.clone(), found.deaths.len());
    let last = found.deaths[times - 1];
    Err(SplitError::Died { path, times, last, marker: found.path.clone() })
}

/// The slides of which the program may die: it did once, or was cut off while it read them.
pub(crate) fn suspects(run: &RunDir) -> HashSet<String> {
    let is_suspect =
        |found: &Found| !found.deaths.is_empty() || found.writer != MarkerWriter::Other;
    markers(run).filter(|(_, found)| is_suspect(found)).map(|(slide, _)| slide).collect()
}

/// Forgets that the program has died of a slide.
///
/// # Errors
/// [`io::Error`] if a marker cannot be removed.
pub(crate) fn forget_deaths(run: &RunDir, slide: &str) -> io::Result<()> {
    for (_, found) in markers(run).filter(|(name, _)| name == slide) {
        if !found.deaths.is_empty() {
            fs::remove_file(&found.path)?;
        }
    }
    Ok(())
}

fn own_path(run: &RunDir, slide: &str) -> PathBuf {
    let (machine, process) = (machine().unwrap_or("elsewhere"), std::process::id());
    run.split_markers().join(format!("{slide}.{machine}-{process}"))
}

/// Creates a marker, or adds to the notes of an earlier one.
fn write_head(path: &Path, subject: Subject) -> io::Result<File> {
    let host = process::host();
    let head = MarkerHead { subject, host, started_unix_s: process::unix_s().round() };
    let head = format!("{}\n", serde_json::to_string(&head).map_err(io::Error::other)?);
    let folder = path.parent().unwrap_or(Path::new("."));
    let open = || {
        fs::create_dir_all(folder)?;
        File::options().append(true).create(true).open(path)
    };
    // Another process may remove the empty folder in between.
    let mut file = open().or_else(|_| open())?;
    if file.metadata()?.len() == 0 {
        file.write_all(head.as_bytes())?;
    }
    Ok(file)
}

/// All markers of the run, each with the name of its slide.
fn markers(run: &RunDir) -> impl Iterator<Item = (String, Found)> {
    let entries = fs::read_dir(run.split_markers()).into_iter().flatten().flatten();
    entries.filter_map(|entry| {
        let name = entry.file_name().into_string().ok()?;
        let (slide, writer) = name.rsplit_once('.')?;
        let (of_machine, process) = writer.split_once('-')?;
        let process: i32 = process.parse().ok()?;
        let age = entry.metadata().and_then(|data| data.modified()).map(|at| at.elapsed());
        let writer = if machine() == Some(of_machine) {
            writer_of(process)
        } else if matches!(age, Ok(Ok(age)) if age > ABANDONED) {
            MarkerWriter::Gone
        } else {
            MarkerWriter::Other
        };
        let text = fs::read_to_string(entry.path()).ok()?;
        let (head, notes) = text.split_once('\n').unwrap_or((&text, ""));
        let subject = serde_json::from_str::<MarkerHead>(head).ok().map(|head| head.subject);
        let deaths = notes.lines().filter_map(Death::of_note).collect();
        Some((slide.to_owned(), Found { path: entry.path(), subject, deaths, writer }))
    })
}

fn writer_of(process: i32) -> MarkerWriter {
    if u32::try_from(process) == Ok(std::process::id()) {
        MarkerWriter::This
    } else if is_alive(process) {
        MarkerWriter::Other
    } else {
        MarkerWriter::Gone
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIED: &str = "died: abort\n";

    struct Case {
        folder: tempfile::TempDir,
        run: RunDir,
        record: SlideRecord,
    }

    impl Case {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("s.1.svs");
            fs::write(&path, "pixels").unwrap();
            let run = RunDir::new(&folder.path().join("run"));
            let record = SlideRecord { name: "s.1".into(), path, ..SlideRecord::default() };
            Self { folder, run, record }
        }

        fn begin(&self) -> Result<Marker, SplitError> {
            Marker::begin(&self.run, &self.record)
        }

        /// Leaves a marker of a process with these notes, and returns its path.
        fn leave(&self, machine: &str, process: u32, notes: &str) -> PathBuf {
            let path = self.run.split_markers().join(format!("s.1.{machine}-{process}"));
            let subject = Subject::now(&self.record.path).unwrap();
            write_head(&path, subject).unwrap().write_all(notes.as_bytes()).unwrap();
            path
        }
    }

    fn dead() -> u32 {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        child.wait().unwrap();
        child.id()
    }

    #[test]
    fn a_marker_is_there_while_the_slide_is_read_and_leaves_nothing() {
        let case = Case::new();
        let marker = case.begin().unwrap();
        assert_eq!(fs::read_dir(case.run.split_markers()).unwrap().count(), 1);
        drop(marker);
        assert!(!case.run.split_markers().exists());
    }

    #[test]
    fn two_deaths_accuse_a_slide_and_one_does_not() {
        let case = Case::new();
        let here = machine().unwrap();
        case.leave(here, dead(), DIED);
        assert_eq!(suspects(&case.run), HashSet::from(["s.1".to_owned()]));
        let second = case.begin().unwrap();
        // The second try dies as well: its notes follow the first one's.
        let path = second.path.clone().unwrap();
        let text = fs::read_to_string(&path).unwrap() + DIED;
        std::mem::forget(second);
        fs::write(&path, text).unwrap();
        let error = case.begin().err().unwrap().to_string();
        assert!(error.contains("s.1.svs: the program died twice"), "{error}");
        assert!(error.contains(path.to_str().unwrap()), "{error}");
        assert!(case.begin().is_err());
        forget_deaths(&case.run, "s.1").unwrap();
        assert!(case.begin().is_ok());
    }

    #[test]
    fn deaths_of_another_file_or_program_do_not_count() {
        let case = Case::new();
        case.leave(machine().unwrap(), dead(), &DIED.repeat(2));
        fs::write(case.folder.path().join("s.1.svs"), "other pixels").unwrap();
        assert!(case.begin().is_ok());
        assert!(suspects(&case.run).is_empty());
    }

    #[test]
    fn a_process_that_was_killed_or_still_works_accuses_nobody() {
        let case = Case::new();
        let here = machine().unwrap();
        let alive = std::os::unix::process::parent_id();
        let others = [case.leave("0123456789ab", 7, ""), case.leave(here, alive, "")];
        assert!(suspects(&case.run).is_empty());
        let killed = case.leave(here, dead(), "");
        assert_eq!(suspects(&case.run).len(), 1);
        let marker = case.begin().unwrap();
        assert!(marker.was_cut_off && !killed.exists());
        drop(marker);
        assert!(others.iter().all(|marker| marker.exists()));
        // However often it happens.
        for _ in 0..5 {
            case.leave(here, dead(), "");
            assert!(case.begin().is_ok());
        }
    }

    #[test]
    fn a_read_that_computed_for_ever_accuses_at_once_and_one_that_waited_for_this_command_only() {
        let case = Case::new();
        let here = machine().unwrap();
        case.leave(here, dead(), "hung: busy\n");
        assert!(case.begin().is_err());
        forget_deaths(&case.run, "s.1").unwrap();
        case.leave(here, dead(), "hung: waiting\n");
        assert!(case.begin().is_ok());
        case.leave(here, std::process::id(), "hung: waiting\n");
        assert!(case.begin().err().unwrap().to_string().contains("waited"));
        assert!(case.begin().is_ok());
    }
}
