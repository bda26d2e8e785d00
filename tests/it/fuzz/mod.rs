//! Fuzzing of everything that is parsed: a target reads files of its corpus with random changes,
//! and must end with an error or with values that are consistent, within limits of time and
//! memory, without a panic or a crash.
//!
//! A target runs in a process of its own, which this program starts from itself, so that a crash
//! is seen and the rest goes on. The corpus is in tests/data/fuzz, one folder per target; what
//! was found once is among its files and read in every run. A run is two seconds per target;
//!
//! ```text
//! SLIDEGRID_FUZZ_S=300 SLIDEGRID_TEST_SEED=7 cargo test --test it fuzz::
//! ```
//!
//! takes 300 seconds per target and prints how many files that were. `SLIDEGRID_WRITE_FAULTS=all`
//! does the same. A file with which something is found stays in target/fuzz.

mod mutator;
mod targets;
mod worker;

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::common::repository;
use targets::{TARGETS, Target};
pub(crate) use worker::run_as_worker;

/// A worker that finishes no file in this time hangs; limits of processor time are shorter.
const STUCK: Duration = Duration::from_secs(240);

/// The time of a target in every run of the tests.
const SHORT: Duration = Duration::from_secs(2);

/// After so many findings a target ends.
const MOST_FINDINGS: usize = 12;

/// The seed of the changes: the short run has always the same, so that a file that a library dies
/// of is found by the long runs, and not by somebody's commit.
fn seed() -> u64 {
    if budget() > SHORT { crate::common::seed::seed() } else { 2_023 }
}

/// Seconds per target.
fn budget() -> Duration {
    let given = std::env::var("SLIDEGRID_FUZZ_S").ok().map(|text| text.parse().unwrap());
    let all = std::env::var("SLIDEGRID_WRITE_FAULTS").as_deref() == Ok("all");
    given.map_or(if all { Duration::from_secs(300) } else { SHORT }, Duration::from_secs)
}

/// What a worker leaves, and what the parent reads while it runs.
struct Folder(PathBuf);

impl Folder {
    /// The number of the file that is being read.
    fn progress(&self) -> PathBuf {
        self.0.join("progress")
    }

    /// One line per finding: the file's number and what was found.
    fn findings(&self) -> PathBuf {
        self.0.join("findings")
    }

    fn reached(&self) -> u64 {
        let text = fs::read_to_string(self.progress()).unwrap_or_default();
        text.trim().parse().unwrap_or(0)
    }
}

/// How the process of a worker ended.
enum Ended {
    Done,
    /// While it read the file with this number.
    At(u64, String),
}

fn work(target: &Target, folder: &Folder, from: u64, deadline: Instant) -> Ended {
    let messages = fs::File::create(folder.0.join("messages")).unwrap();
    let left = deadline.saturating_duration_since(Instant::now()).as_millis();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .env("SLIDEGRID_FUZZ_WORKER", target.name)
        .env("SLIDEGRID_FUZZ_FROM", from.to_string())
        .env("SLIDEGRID_FUZZ_MS", left.to_string())
        .env("SLIDEGRID_FUZZ_FOLDER", &folder.0)
        .env("SLIDEGRID_TEST_SEED", seed().to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(messages)
        .spawn()
        .unwrap();
    let (mut reached, mut since) = (u64::MAX, Instant::now());
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        let now = folder.reached();
        if now != reached {
            (reached, since) = (now, Instant::now());
        } else if since.elapsed() > STUCK {
            child.kill().unwrap();
            child.wait().unwrap();
            return Ended::At(reached, format!("nothing for {} s", STUCK.as_secs()));
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    if status.success() {
        return Ended::Done;
    }
    let why = match status.signal() {
        Some(libc::SIGXCPU) => "takes too much processor time".to_owned(),
        Some(signal) => format!("the process died by signal {signal}"),
        None => format!("the process ended: {status}"),
    };
    let messages = fs::read_to_string(folder.0.join("messages")).unwrap_or_default();
    let last: Vec<&str> = messages.lines().rev().take(3).collect();
    Ended::At(folder.reached(), format!("{why}: {}", last.join(" | ")))
}

/// Runs a target for its time; fails with all that was found.
fn fuzz(name: &str) {
    let target = TARGETS.iter().find(|target| target.name == name).unwrap();
    let temporary = tempfile::tempdir().unwrap();
    let folder = Folder(temporary.path().to_owned());
    let started = Instant::now();
    let deadline = started + budget();
    let (mut from, mut found) = (0, Vec::new());
    while let Ended::At(number, why) = work(target, &folder, from, deadline) {
        found.push((number, why));
        from = number + 1;
        if found.len() >= MOST_FINDINGS {
            break;
        }
    }
    let noted = fs::read_to_string(folder.findings()).unwrap_or_default();
    found.extend(noted.lines().filter_map(|line| {
        let (number, what) = line.split_once('\t')?;
        Some((number.parse().ok()?, what.to_owned()))
    }));
    if budget() > SHORT {
        let (files, seconds) = (folder.reached() + 1, started.elapsed().as_secs());
        eprintln!(
            "fuzz {name}: {files} files in {seconds} s, seed {}, {} found",
            seed(),
            found.len()
        );
    }
    if found.is_empty() {
        return;
    }
    let kept = keep(target, &found);
    let lines: Vec<String> = found
        .iter()
        .zip(&kept)
        .map(|((_, what), path)| format!("{}: {what}", path.display()))
        .collect();
    panic!("{name}, seed {}:\n{}", seed(), lines.join("\n"));
}

/// Writes the files with which something was found into target/fuzz.
fn keep(target: &Target, found: &[(u64, String)]) -> Vec<PathBuf> {
    let folder = repository("target/fuzz").join(target.name);
    fs::create_dir_all(&folder).unwrap();
    let corpus = worker::Corpus::read(target);
    let kept = found.iter().map(|(number, _)| {
        let path = folder.join(format!("{}-{number}.{}", seed(), target.suffix));
        fs::write(&path, corpus.file(target, *number)).unwrap();
        path
    });
    kept.collect()
}

/// The folder with the corpus of a target.
fn corpus_folder(target: &Target) -> PathBuf {
    Path::new(&repository("tests/data/fuzz")).join(target.name)
}

macro_rules! targets {
    ($($name:ident)+) => {$(
        #[test]
        fn $name() {
            fuzz(stringify!($name));
        }
    )+};
}

targets! {
    config card lookup slides manifest asap imagescope geojson ncrf masks tiff patches scores heatmap
    values onnx
}

/// Each target has a test.
#[test]
fn all_targets_are_run() {
    for target in TARGETS {
        assert!(corpus_folder(target).is_dir(), "{}", target.name);
    }
    assert_eq!(TARGETS.len(), 16);
}
