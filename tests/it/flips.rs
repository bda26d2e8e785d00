//! A flipped bit in a file of a run: what reads the file ends with an error that names it, or
//! makes what it makes of the undamaged file. It neither crashes nor hangs.
//!
//! A sample of the bits, drawn from the seed; the bar, 1,500 of metadata and 500 of data for
//! each format, by
//!
//! ```text
//! SLIDEGRID_WRITE_FAULTS=all cargo test --test it flips
//! ```

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::common::Case;
use crate::common::contents::contents;
use crate::common::seed::{Random, seed};
use crate::common::{copy_folder, repository};

/// A command that takes longer than this hangs.
const LIMIT: Duration = Duration::from_secs(60);

/// Which bytes are flipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Metadata,
    Data,
}

fn tries(part: Part) -> usize {
    let all = std::env::var("SLIDEGRID_WRITE_FAULTS").as_deref() == Ok("all");
    match (all, part) {
        (true, Part::Metadata) => 1500,
        (true, Part::Data) => 500,
        (false, Part::Metadata) => 12,
        (false, Part::Data) => 6,
    }
}

/// The bytes of a file that hold data, by the table in its seal, and all others.
fn positions(bytes: &[u8], part: Part) -> Vec<usize> {
    let number = |at: usize| {
        let bytes: [u8; 8] = bytes[at..at + 8].try_into().unwrap();
        usize::try_from(u64::from_le_bytes(bytes)).unwrap()
    };
    let tail = bytes.len() - 32;
    assert_eq!(&bytes[tail + 24..], b"SLGSEAL1");
    let (count, length) = (number(tail), number(tail + 8));
    let mut is_data = vec![false; bytes.len()];
    for span in 0..count {
        let (offset, size) = (number(length + span * 16), number(length + span * 16 + 8));
        is_data[offset..offset + size].fill(true);
    }
    (0..bytes.len()).filter(|&at| is_data[at] == (part == Part::Data)).collect()
}

/// A run in which a file is damaged, and the command that reads the file.
struct Target {
    case: Case,
    /// The damaged file.
    file: &'static str,
    /// Commands that come after it.
    commands: &'static [&'static str],
    /// What is removed before they run, and made by them.
    results: &'static [&'static str],
    whole: Vec<u8>,
    expected: BTreeMap<String, String>,
}

impl Target {
    fn new(
        case: Case,
        file: &'static str,
        commands: &'static [&'static str],
        results: &'static [&'static str],
    ) -> Self {
        let whole = std::fs::read(case.path(file)).unwrap();
        let mut target = Self { case, file, commands, results, whole, expected: BTreeMap::new() };
        std::fs::rename(target.case.path("run"), target.case.path("kept")).unwrap();
        let ended = target.run_commands(&target.whole.clone());
        assert_eq!(ended, Ok(true), "undamaged");
        target.expected = target.results();
        assert!(!target.expected.is_empty());
        target
    }

    fn results(&self) -> BTreeMap<String, String> {
        let all = contents(&self.case.path("run"));
        let is_result = |name: &str| self.results.iter().any(|folder| name.starts_with(folder));
        all.into_iter().filter(|(name, _)| is_result(name)).collect()
    }

    /// Runs the commands on a file of these bytes; `Ok(true)` if all of them exit with 0.
    fn run_commands(&self, bytes: &[u8]) -> Result<bool, String> {
        let run = self.case.path("run");
        drop(std::fs::remove_dir_all(&run));
        copy_folder(&self.case.path("kept"), &run);
        for folder in self.results {
            drop(std::fs::remove_dir_all(run.join(folder)));
        }
        std::fs::write(self.case.path(self.file), bytes).unwrap();
        for line in self.commands {
            match ended(&self.case, line)? {
                (0, _) => {}
                (3..=5, stderr) if stderr.contains(".h5") => return Ok(false),
                (code, stderr) => return Err(format!("{line}: exit {code}: {stderr}")),
            }
        }
        Ok(true)
    }

    fn flip(&self, at: usize, bit: u64) -> Result<bool, String> {
        let mut bytes = self.whole.clone();
        bytes[at] ^= 1 << bit;
        let silent = self.run_commands(&bytes)?;
        if silent && self.results() != self.expected {
            return Err("exit 0 with other results".into());
        }
        Ok(silent)
    }

    fn sweep(&self) {
        let mut random = Random::new(seed());
        let mut failures = Vec::new();
        let mut count = 0;
        for part in [Part::Metadata, Part::Data] {
            let positions = positions(&self.whole, part);
            let mut silent = 0;
            for _ in 0..tries(part) {
                let at = positions[usize::try_from(random.below(positions.len() as u64)).unwrap()];
                let bit = random.below(8);
                count += 1;
                match self.flip(at, bit) {
                    Ok(unnoticed) => silent += usize::from(unnoticed),
                    Err(problem) => {
                        failures.push(format!("{part:?}, byte {at}, bit {bit}: {problem}"))
                    }
                }
            }
            // Data that the commands do not read, such as the thumbnail, can be damaged.
            let allowed = if part == Part::Data { tries(part) / 2 } else { 0 };
            assert!(silent <= allowed, "{}, {part:?}: {silent} unnoticed", self.file);
        }
        let (file, seed) = (self.file, seed());
        assert!(
            failures.is_empty(),
            "{file}, seed {seed}, {count} flips:\n{}",
            failures.join("\n")
        );
    }
}

/// Exit code and messages of a command, which must end by itself and in time.
fn ended(case: &Case, line: &str) -> Result<(i32, String), String> {
    let mut command = case.slidegrid(line).command();
    let messages = case.path("messages");
    let stderr = std::fs::File::create(&messages).unwrap();
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(stderr);
    let mut child = command.spawn().unwrap();
    let started = Instant::now();
    let status = loop {
        match child.try_wait().unwrap() {
            Some(status) => break status,
            None if started.elapsed() > LIMIT => {
                child.kill().unwrap();
                child.wait().unwrap();
                return Err(format!("{line}: hangs"));
            }
            None => std::thread::sleep(Duration::from_millis(2)),
        }
    };
    let stderr = String::from_utf8_lossy(&std::fs::read(&messages).unwrap()).into_owned();
    match status.code() {
        Some(code) => Ok((code, stderr)),
        None => Err(format!("{line}: {status}: {stderr}")),
    }
}

fn planned(compression: &str) -> Case {
    let case = Case::usual();
    let keys = ["tiling.patches_per_group=40", "predict.stride=16", "stitch.png=false"];
    let split = case.slidegrid("split --quiet --run run --config c.toml a.png");
    split.set(&keys).set(&[&format!("tiling.compression=\"{compression}\"")]).done();
    case.slidegrid("master plan --quiet --run run").done();
    case
}

const PREDICT: &str = "predict --quiet --run run --all";
const STITCH: &str = "stitch --quiet --run run --all";

#[test]
fn patches() {
    Target::new(planned("none"), "run/patches/a.h5", &[PREDICT, STITCH], &["scores", "heatmaps"])
        .sweep();
}

#[test]
fn compressed_patches() {
    Target::new(planned("gzip"), "run/patches/a.h5", &[PREDICT, STITCH], &["scores", "heatmaps"])
        .sweep();
}

#[test]
fn scores() {
    let case = planned("none");
    case.slidegrid(PREDICT).done();
    Target::new(case, "run/scores/a/t1.h5", &[STITCH], &["heatmaps"]).sweep();
}

#[test]
fn heatmaps() {
    let case = planned("none");
    case.slidegrid(PREDICT).done();
    case.slidegrid(STITCH).set(&["stitch.all_classes=true"]).done();
    const EXPORT: &str = "export --quiet --run run --all --format csv --out run/exports";
    Target::new(case, "run/heatmaps/a.h5", &[EXPORT], &["exports"]).sweep();
}

/// Files of version 1 have no checksums: they may be read with another content, but they
/// crash nothing.
#[test]
fn a_heatmap_of_version_1_crashes_nothing() {
    let case = Case::new();
    let whole = std::fs::read(repository("tests/data/formats/v1/heatmap.h5")).unwrap();
    let path: PathBuf = case.write("slide.h5", &whole);
    let mut random = Random::new(seed());
    let heap = whole.windows(4).position(|bytes| bytes == b"GCOL").unwrap();
    for attempt in 0..tries(Part::Metadata) {
        let mut bytes = whole.clone();
        // Every other one in the heap of texts, which HDF5 does not check.
        let within = if attempt % 2 == 0 { heap..heap + 400 } else { 0..whole.len() };
        let at = within.start + usize::try_from(random.below(within.len() as u64)).unwrap();
        bytes[at] ^= 1 << random.below(8);
        std::fs::write(&path, bytes).unwrap();
        match ended(&case, "study features slide.h5") {
            Ok((0 | 3..=5, _)) => {}
            other => panic!("byte {at}: {other:?}"),
        }
    }
}
