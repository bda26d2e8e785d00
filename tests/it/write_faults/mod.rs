//! One system call of `split`, `master plan`, `predict` or `stitch` fails. Then the command
//! fails, or its results are those of an undisturbed command; no incomplete file has a final
//! name; and the same command, given again, completes everything.
//!
//! The test tries a sample of the calls, drawn from [`seed`]. All of them, some thousand, are
//! tried by
//!
//! ```text
//! SLIDEGRID_WRITE_FAULTS=all cargo test --test it write_faults
//! ```

#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

mod tracer;

use std::collections::BTreeMap;
use std::path::PathBuf;

use tempfile::TempDir;
use tracer::{Fault, Kind, Traced};

use crate::common::cli::Slidegrid;
use crate::common::contents::contents;
use crate::common::harness::ignore;
use crate::common::seed::{Random, seed};
use crate::common::{copy_folder, model_card};

/// Tries of each way to store patches when not all are made.
const SAMPLE: usize = 40;

/// Two groups, saved after every batch; all that can be exported.
const CONFIG: &str = r#"
[model]
card = CARD
mpp = "level0"
[tissue]
method = "all"
[tiling]
tile = 32
block = 1
patches_per_group = 6
compression = COMPRESSION
coords = ["clam"]
[predict]
stride = 8
engine = "tract"
threads = 1
batch = 48
checkpoint_min = 1e-9
[stitch]
npy = true
all_classes = true
export = ["asap", "ome-tiff", "ome-zarr", "geojson", "csv", "deepzoom"]
"#;

/// The commands, each on what those before it have made.
const STAGES: [&str; 4] = [
    "split --quiet --threads 1 --run run --config c.toml a.png",
    "master plan --quiet --run run",
    "predict --quiet --threads 1 --all --run run",
    "stitch --quiet --all --run run",
];

struct Bench {
    folder: TempDir,
    /// What a run holds before and after each stage.
    states: Vec<BTreeMap<String, String>>,
    /// How many calls of each kind each stage makes.
    calls: Vec<BTreeMap<Kind, usize>>,
}

impl Bench {
    fn new(compression: &str) -> Self {
        // By its real name, which is what the calls' files are known by.
        let above = std::env::temp_dir().canonicalize().unwrap();
        let folder = tempfile::tempdir_in(above).unwrap();
        let config = CONFIG.replace("CARD", &format!("{:?}", model_card("centre32")));
        let config = config.replace("COMPRESSION", &format!("{compression:?}"));
        std::fs::write(folder.path().join("c.toml"), config).unwrap();
        let mut state = 7_u32;
        let picture = image::RgbImage::from_fn(100, 70, |_, _| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            image::Rgb([1, 2, 3].map(|byte| state.to_le_bytes()[byte]))
        });
        picture.save(folder.path().join("a.png")).unwrap();
        let mut bench = Self { folder, states: vec![BTreeMap::new()], calls: Vec::new() };
        for stage in 0..STAGES.len() {
            if stage > 0 {
                copy_folder(&bench.path(&format!("s{stage}")), &bench.path("run"));
            }
            let traced = bench.run(stage, None).unwrap_or_else(|error| {
                ignore(format!("processes cannot be traced here: {error}"))
            });
            assert_eq!(traced.code, Some(0), "{}", bench.stderr());
            if !traced.calls.contains_key(&Kind::Write) {
                ignore("calls cannot be counted here");
            }
            bench.calls.push(traced.calls);
            bench.states.push(contents(&bench.path("run")));
            std::fs::rename(bench.path("run"), bench.path(&format!("s{}", stage + 1))).unwrap();
        }
        bench
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A stage in the folder `run`; its stdout is a file there too.
    fn run(&self, stage: usize, fault: Option<(Kind, usize, Fault)>) -> std::io::Result<Traced> {
        let log = |name: &str| std::fs::File::create(self.path(name)).unwrap();
        std::fs::create_dir_all(self.path("log")).unwrap();
        let command = Slidegrid::new(self.folder.path(), STAGES[stage]);
        let mut command = command.env("TMPDIR", self.folder.path()).command();
        command.stdout(log("log/out")).stderr(log("log/err"));
        tracer::run(&mut command, &self.path("run"), fault)
    }

    fn stderr(&self) -> String {
        std::fs::read_to_string(self.path("log/err")).unwrap()
    }

    /// Disturbs one call, and returns what went wrong, if anything did.
    fn try_one(&self, stage: usize, fault: (Kind, usize, Fault)) -> Result<Ended, String> {
        let run = self.path("run");
        drop(std::fs::remove_dir_all(&run));
        if stage > 0 {
            copy_folder(&self.path(&format!("s{stage}")), &run);
        }
        let traced = self.run(stage, Some(fault)).map_err(|e| e.to_string())?;
        let (stderr, found) = (self.stderr(), contents(&run));
        let expected = &self.states[stage + 1];
        let differs = |found: &BTreeMap<String, String>| {
            let names = expected.keys().chain(found.keys());
            let mut names = names.filter(|&name| expected.get(name) != found.get(name));
            names.next().cloned()
        };
        let ended = match traced.code {
            Some(0) => match differs(&found) {
                Some(name) => return Err(format!("exit 0, and {name} differs; stderr: {stderr}")),
                None => Ended::Same,
            },
            Some(3..=5) if !stderr.trim().is_empty() => Ended::Failed,
            code => return Err(format!("exit {code:?}, stderr: {stderr}")),
        };
        // The tables of all slides leave out, or say of, what failed; so do logs.
        let tables = ["slides.csv", "lookup.csv"];
        let is_result = |name: &str| !name.starts_with("logs/") && !tables.contains(&name);
        for (name, content) in found.iter().filter(|(name, _)| is_result(name)) {
            let known =
                [expected, &self.states[stage]].iter().any(|s| s.get(name) == Some(content));
            let whole = name.ends_with(".part.h5") && !content.starts_with("damaged");
            if !known && !whole {
                return Err(format!("{name} is not what it should be, after: {stderr}"));
            }
        }
        let again = self.run(stage, None).map_err(|e| e.to_string())?;
        let found = contents(&run);
        match (again.code, differs(&found)) {
            (Some(0), None) => Ok(ended),
            (code, other) => {
                Err(format!("again: exit {code:?}, differs: {other:?}: {}", self.stderr()))
            }
        }
    }

    /// Every call of every stage with every fault that it can have.
    fn all(&self) -> Vec<(usize, (Kind, usize, Fault))> {
        let mut tries = Vec::new();
        for (stage, calls) in self.calls.iter().enumerate() {
            for (&kind, &count) in calls {
                for &fault in faults(kind) {
                    tries.extend((1..=count).map(|number| (stage, (kind, number, fault))));
                }
            }
        }
        tries.sort_by_key(|&(stage, (kind, number, fault))| {
            (stage, kind, number, format!("{fault:?}"))
        });
        tries
    }
}

/// How a disturbed command ended.
#[derive(Debug, PartialEq, Eq)]
enum Ended {
    Failed,
    Same,
}

fn faults(kind: Kind) -> &'static [Fault] {
    const BROKEN: Fault = Fault::Error(libc::EIO);
    const FULL: Fault = Fault::Error(libc::ENOSPC);
    match kind {
        Kind::Write => &[BROKEN, FULL, Fault::Short, Fault::Lost],
        Kind::Sync | Kind::Rename | Kind::Size | Kind::Make | Kind::Close => &[BROKEN, FULL],
        Kind::Read => &[BROKEN],
        Kind::Look => &[BROKEN, Fault::Error(libc::EACCES), Fault::Error(libc::ESTALE)],
        Kind::Open => &[BROKEN, Fault::Error(libc::EACCES), Fault::Error(libc::EMFILE)],
        Kind::List => &[BROKEN],
    }
}

/// Calls that ask for files, and change nothing.
const ASKING: [Kind; 3] = [Kind::Look, Kind::Open, Kind::List];

fn sweep(compression: &str, is_tried: impl Fn(Kind) -> bool) {
    let bench = Bench::new(compression);
    let mut all = bench.all();
    all.retain(|&(_, (kind, ..))| is_tried(kind));
    let tries = match std::env::var("SLIDEGRID_WRITE_FAULTS").as_deref() {
        Ok("all") => all,
        _ => Random::new(seed()).sample(all, SAMPLE),
    };
    let (mut failed, mut wrong) = (0, Vec::new());
    for &(stage, fault) in &tries {
        match bench.try_one(stage, fault) {
            Ok(Ended::Failed) => failed += 1,
            Ok(Ended::Same) => {}
            Err(problem) => {
                let command = STAGES[stage].split(' ').next().unwrap();
                wrong.push(format!("{command}, {fault:?}: {problem}"));
            }
        }
    }
    let (count, seed) = (tries.len(), seed());
    assert!(wrong.is_empty(), "seed {seed}, {count} tries, wrong:\n{}", wrong.join("\n"));
    assert!(failed > count / 4, "seed {seed}: {failed} of {count} tries reached the program");
}

#[test]
fn a_fault_is_a_failure_or_changes_nothing() {
    sweep("none", |kind| !ASKING.contains(&kind));
}

#[test]
fn a_fault_with_compressed_patches_is_a_failure_or_changes_nothing() {
    sweep("gzip", |kind| !ASKING.contains(&kind));
}

/// What the system does not tell is neither "no such file" nor "damaged".
#[test]
fn a_file_that_cannot_be_asked_for_is_a_failure_or_changes_nothing() {
    sweep("none", |kind| ASKING.contains(&kind));
}
