//! A dry run prints the scripts of jobs, and changes nothing.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::common::cli::Outcome;
use crate::common::fake_scheduler::{fake_slurm, with_fakes};
use crate::common::{Case, noise};

const CONFIG: &str = "[tissue]\nmethod = \"all\"\n[tiling]\ntile = 24\nblock = 1\npatches_per_group = 9\n[predict]\nstride = 8\nengine = \"tract\"\nthreads = 1\n[cluster]\nscheduler = \"slurm\"\n";

/// A case with two slides, a configuration, and a SLURM that accepts jobs.
fn case() -> Case {
    let case = Case::new();
    for name in ["a.png", "b.png"] {
        case.slide(name, &noise(72, 72, 3));
    }
    case.config("c.toml", "padded", CONFIG);
    fake_slurm(&case);
    case
}

/// Every file and folder below a folder: inode, time of the last change, and bytes.
fn tree(folder: &Path) -> BTreeMap<PathBuf, (u64, i64, Vec<u8>)> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let metadata = std::fs::metadata(&path).unwrap();
            let bytes = if metadata.is_dir() {
                folders.push(path.clone());
                Vec::new()
            } else {
                std::fs::read(&path).unwrap()
            };
            let changed_ns = metadata.ctime() * 1_000_000_000 + metadata.ctime_nsec();
            found.insert(path, (metadata.ino(), changed_ns, bytes));
        }
    }
    found
}

/// `slidegrid LINE --run run`, which prints jobs in place of results.
#[track_caller]
fn exits(case: &Case, line: &str, code: i32) -> Outcome {
    Outcome::wait(with_fakes(case, line).spawn()).has_code(code)
}

/// Runs a command, which must print scripts and change nothing.
#[track_caller]
fn changes_nothing(case: &Case, line: &str) -> String {
    changes_only(case, line, &|_| false)
}

/// Runs `master submit`, which must print scripts and write nothing but them, in new files, and
/// the look-up table that they read.
#[track_caller]
fn writes_scripts(case: &Case, line: &str) {
    drop(std::fs::remove_dir_all(case.path("run/jobs")));
    drop(std::fs::remove_dir_all(case.path("run/logs/predict")));
    let (jobs, logs) = (case.path("run/jobs"), case.path("run/logs"));
    let table = case.path("run/lookup.csv");
    let printed = changes_only(case, line, &|path| {
        let is_script = path.extension().is_some_and(|suffix| suffix == "sh");
        path == jobs
            || path == table
            || (path.starts_with(&jobs) && is_script)
            || path.starts_with(&logs)
    });
    let script = case.read("run/jobs/predict_a.sh");
    assert!(printed.contains(script.trim_end()), "{printed}\n{script}");
    assert!(case.path("run/logs/predict").is_dir());
    assert!(case.read("run/lookup.csv").contains(",a,"), "the scripts read the table");
}

/// Runs a command, which must print scripts and change nothing but what `may_change` names.
#[track_caller]
fn changes_only(case: &Case, line: &str, may_change: &dyn Fn(&Path) -> bool) -> String {
    let watched = || {
        let mut found = tree(&case.path(""));
        // A folder changes with what is in it.
        found.retain(|path, _| !(may_change(path) || path.ends_with("run")));
        found
    };
    let before = watched();
    let printed = exits(case, line, 0).stdout;
    assert!(printed.contains("\nexec ") || printed.contains("slidegrid "), "{line}: {printed}");
    let after = watched();
    let names = |tree: &BTreeMap<PathBuf, _>| tree.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&after), names(&before), "{line}");
    for (path, found) in after {
        assert!(before[&path] == found, "{line}: {} has changed", path.display());
    }
    printed
}

#[test]
fn a_dry_run_of_a_new_run_makes_no_run_directory() {
    let case = case();
    let printed =
        changes_nothing(&case, "run --dry-run --config c.toml --set model.mpp=level0 a.png b.png");
    assert!(printed.contains("split 1-2 (2 tasks)"), "{printed}");
    assert!(!case.path("run").exists());
    // The scripts are those of the run itself.
    exits(&case, "run --config c.toml --set model.mpp=level0 a.png b.png", 0);
    let script = case.read("run/jobs/split.sh");
    assert!(printed.contains(script.trim_end()), "{printed}\n{script}");
}

#[test]
fn a_dry_run_of_a_run_changes_nothing_in_any_state() {
    let case = case();
    let split = "split -q --run run --config c.toml --set model.mpp=level0 a.png";
    case.slidegrid(split).done();
    // The table of tasks is missing, and a slide is new.
    let printed = changes_nothing(&case, "run --dry-run b.png");
    assert!(printed.contains("split 2 (1 tasks)") && printed.contains("predict a 1"), "{printed}");
    writes_scripts(&case, "master submit --dry-run --set cluster.memory_mb=900");
    case.slidegrid("master plan -q --run run").done();
    changes_nothing(&case, "master retry --dry-run --time-factor 2");
    for scheduler in ["local", "slurm", "sge", "pbs", "lsf"] {
        let line = format!("master submit --dry-run --scheduler {scheduler}");
        writes_scripts(&case, &line);
    }
    // Jobs that are in the journal, and a command that was killed while it submitted one.
    with_fakes(&case, "master submit").done();
    let journal = case.read("run/jobs/submitted.jsonl");
    let last = journal.lines().last().unwrap();
    case.write("run/jobs/pending.json", last);
    changes_nothing(&case, "master retry --dry-run");
    changes_nothing(&case, "run --dry-run");
    // Damaged patches are named, and not set aside.
    case.write("run/patches/a.h5", "short");
    let before = tree(&case.path(""));
    with_fakes(&case, "master retry --dry-run").run().mentions(&["run/patches/a.h5"]);
    assert!(tree(&case.path("")) == before);
}
