//! What the system reports is told as such: a file that cannot be looked at or read now is
//! neither missing nor damaged. It is not set aside, made anew or left out, and once it can
//! be read, the same command goes on.
//!
//! A link to itself stands for a file that the system gives no answer about: looking at it and
//! opening it fail for everybody, root included (ELOOP), and [`Path::exists`] calls it missing.

use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use crate::common::Case;
use crate::common::cli::Slidegrid;
use crate::common::contents::contents;
use crate::common::harness::ignore;

/// A file or folder that cannot be asked for until this value is dropped.
struct Veiled {
    path: PathBuf,
    kept: PathBuf,
}

impl Veiled {
    fn new(case: &Case, name: &str) -> Self {
        let (path, kept) = (case.path(name), case.path("kept_elsewhere"));
        if path.exists() {
            std::fs::rename(&path, &kept).unwrap();
        }
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(&path, &path).unwrap();
        assert!(path.metadata().is_err() && !path.exists());
        Self { path, kept }
    }
}

impl Drop for Veiled {
    fn drop(&mut self) {
        std::fs::remove_file(&self.path).unwrap();
        if self.kept.exists() {
            std::fs::rename(&self.kept, &self.path).unwrap();
        }
    }
}

/// Runs the program as somebody who is not root, and to whom the folder of the case belongs.
fn as_user(case: &Case, line: &str) -> Slidegrid {
    const NOBODY: u32 = 65534;
    let is_root = std::fs::metadata("/proc/self").unwrap().uid() == 0;
    let command = case.slidegrid(line);
    if !is_root {
        return command;
    }
    give(case.folder(), NOBODY);
    let user = format!("setpriv --reuid={NOBODY} --regid={NOBODY} --clear-groups");
    let probe = format!("{user} test -x {}", env!("CARGO_BIN_EXE_slidegrid"));
    if !std::process::Command::new("sh").args(["-c", &probe]).status().unwrap().success() {
        ignore("root needs setpriv, and a folder that others may enter, to be somebody else");
    }
    command.after(&format!("exec {user} \"$0\" \"$@\""))
}

fn give(path: &Path, user: u32) {
    chown(path, Some(user), Some(user)).unwrap();
    for entry in std::fs::read_dir(path).unwrap() {
        let entry = entry.unwrap();
        match entry.file_type().unwrap().is_dir() {
            true => give(&entry.path(), user),
            false => chown(entry.path(), Some(user), Some(user)).unwrap(),
        }
    }
}

fn allow(case: &Case, name: &str, mode: u32) {
    std::fs::set_permissions(case.path(name), PermissionsExt::from_mode(mode)).unwrap();
}

/// Slides `a` and `b` with heatmaps.
fn two_done() -> Case {
    let case = Case::usual();
    case.slidegrid("run --run run --config c.toml a.png b.png").done();
    case
}

const ELOOP: &str = "Too many levels of symbolic links";

#[test]
fn no_command_takes_what_it_cannot_look_at_for_missing() {
    let case = two_done();
    let whole = contents(&case.path("run"));
    for (veiled, line, code) in [
        ("run/patches/a.h5", "split --run run", 5),
        ("run/patches/a.h5", "master plan --run run", 5),
        ("run/patches/a.h5", "stitch --run run --slide a", 4),
        ("run/patches/a.h5", "run --run run", 5),
        ("run/patches", "split --run run", 4),
        ("run/patches", "master plan --run run", 4),
        ("run/patches", "predict --run run --slide a --group 1", 0),
        ("run/patches", "stitch --run run --all", 4),
        ("run/patches", "status --run run", 4),
        ("run/slides.csv", "split --run run a.png", 4),
        ("run/slides.csv", "master plan --run run", 4),
        ("run/slides.csv", "status --run run", 4),
        ("run/lookup.csv", "master plan --run run", 4),
        ("run/lookup.csv", "status --run run", 4),
        ("run/logs/split/a.json", "split --run run", 4),
        ("run/scores/a/t2.h5", "predict --run run --all", 5),
        ("run/scores/a/t2.h5", "stitch --run run --slide a", 0),
        ("run/scores/a", "predict --run run --slide a --group 1", 4),
        ("run/scores/a", "status --run run", 4),
        ("run/heatmaps/a.h5", "stitch --run run --all", 5),
        ("run/heatmaps", "stitch --run run --slide a", 4),
        ("run/heatmaps", "status --run run", 4),
        ("run/jobs/cluster.toml", "master submit --run run --scheduler slurm --dry-run", 4),
    ] {
        let veil = Veiled::new(&case, veiled);
        let ended = case.slidegrid(line).run();
        assert_eq!(ended.code, Some(code), "{veiled}: {ended:#?}");
        if code != 0 {
            ended.mentions(&[ELOOP]).omits("delete").omits("damaged").omits("no slides yet");
        }
        drop(veil);
        let found = contents(&case.path("run"));
        let differs = |name: &&String| whole.get(*name) != found.get(*name);
        let differing: Vec<_> = whole.keys().chain(found.keys()).filter(differs).collect();
        let results = differing.into_iter().filter(|name| !name.starts_with("logs/"));
        assert_eq!(results.collect::<Vec<_>>(), [""; 0], "{veiled}: {line}");
        case.slidegrid("run --run run").done();
    }
}

/// A heatmap with holes in place of scores that cannot be looked at would be wrong in silence.
#[test]
fn scores_that_cannot_be_looked_at_are_no_missing_scores() {
    let case = Case::scored();
    let veil = Veiled::new(&case, "run/scores/a/t2.h5");
    let stitch = "stitch --run run --slide a --allow-missing";
    case.slidegrid(stitch).exits(4).mentions(&["t2.h5", ELOOP]);
    assert!(!case.path("run/heatmaps/a.h5").exists());
    drop(veil);
    case.slidegrid(stitch).done().omits("left out");
}

#[test]
fn a_part_file_that_cannot_be_read_now_is_kept() {
    let case = Case::planned();
    let part = case.write("run/scores/a/t1.part.h5", "of an earlier try");
    let veil = Veiled::new(&case, "run/scores/a/t1.part.h5");
    let predict = "predict --run run --slide a --group 1";
    case.slidegrid(predict).exits(4).mentions(&["t1.part.h5", ELOOP]).omits("set aside");
    drop(veil);
    assert_eq!(std::fs::read(&part).unwrap(), b"of an earlier try");
    // This one is damaged, and that is said.
    case.slidegrid(predict).done().says(&["t1.part.h5", "set aside as"]);
}

#[test]
fn a_plan_does_not_shrink_without_a_word() {
    let case = two_done();
    let table = case.read("run/lookup.csv");
    let veil = Veiled::new(&case, "run/patches/a.h5");
    let plan = case.slidegrid("master plan --run run").exits(5);
    plan.says(&["run/patches/a.h5", ELOOP, "a keeps its 5 groups"]);
    assert_eq!(case.read("run/lookup.csv"), table);
    std::fs::remove_file(case.path("run/lookup.csv")).unwrap();
    let plan = case.slidegrid("master plan --run run").exits(5);
    plan.says(&["run/patches/a.h5", ELOOP, "a is not in the table"]);
    drop(veil);
    case.slidegrid("master plan --run run").done().omits("warning");
    // Both slides are back; the numbers of one that was away are new ones.
    let rows = case.read("run/lookup.csv");
    assert!(rows.contains(",a,5,20\n") && rows.contains(",b,3,12\n"), "{rows}");
    assert_eq!(rows.lines().count(), 3, "{rows}");
    // Patches may be removed once they are scored; that their tasks are gone is said.
    std::fs::remove_file(case.path("run/patches/a.h5")).unwrap();
    let plan = case.slidegrid("master plan --run run").done();
    plan.says(&["warning: a", "was in the table of tasks", "patches/a.h5 is gone"]);
    case.slidegrid("master plan --run run").done().omits("warning");
}

#[test]
fn what_may_not_be_read_is_not_damaged_and_a_report_forgets_it_afterwards() {
    let case = two_done();
    let whole = contents(&case.path("run"));
    let same = || {
        let mut found = contents(&case.path("run"));
        found.retain(|name, _| !name.starts_with("report/") && !name.starts_with("logs/"));
        whole
            .iter()
            .all(|(name, content)| name.starts_with("logs/") || found.get(name) == Some(content))
            && found.len() == whole.keys().filter(|name| !name.starts_with("logs/")).count()
    };
    for (name, lines) in [
        (
            "run/patches/a.h5",
            [
                ("split --run run", 5),
                ("master plan --run run", 5),
                ("stitch --run run --all", 5),
                ("report --run run", 5),
            ]
            .as_slice(),
        ),
        (
            "run/heatmaps/b.h5",
            &[("stitch --run run --all", 5), ("status --run run", 5), ("report --run run", 5)],
        ),
        ("run/scores/a/t1.h5", &[("predict --run run --all", 5), ("report --run run", 5)]),
    ] {
        for &(line, code) in lines {
            allow(&case, name, 0);
            let ended = as_user(&case, line).run();
            let shown = format!("{}\n{}", ended.stdout, ended.stderr);
            assert_eq!(ended.code, Some(code), "{name}: {ended:#?}");
            assert!(shown.contains("Permission denied"), "{name}: {ended:#?}");
            ended.omits("delete").omits("damaged").omits("may write to");
            allow(&case, name, 0o644);
            assert!(same(), "{name}: {line}");
        }
        as_user(&case, "report --run run").done().omits("Permission");
    }
    allow(&case, "run/patches", 0);
    as_user(&case, "master plan --run run").exits(4).mentions(&["run/patches", "Permission"]);
    allow(&case, "run/patches", 0o755);
    assert!(same());
    as_user(&case, "run --run run").done();
}

#[test]
fn too_few_open_files_damage_nothing() {
    let case = two_done();
    let whole = contents(&case.path("run"));
    let lines = [
        "split --run run",
        "master plan --run run",
        "predict --run run --all",
        "stitch --run run --all",
        "report --run run",
    ];
    for line in lines {
        let mut failed = 0;
        for limit in 3..16 {
            let ended = case.slidegrid(line).after(&format!("ulimit -n {limit}")).run();
            // The dynamic loader ends with 127 where it cannot open a library.
            assert!(matches!(ended.code, Some(0 | 3..=5 | 127)), "{limit}: {ended:#?}");
            if ended.code != Some(0) {
                failed += 1;
                let of_loader = ended.code == Some(127) && ended.stderr.contains("Error 24");
                assert!(of_loader || ended.stderr.contains("open files"), "{limit}: {ended:#?}");
            }
            ended.omits("delete").omits("damaged");
        }
        assert!(failed > 0, "{line}");
        let found = contents(&case.path("run"));
        for (name, content) in whole.iter().filter(|(name, _)| !name.starts_with("logs/")) {
            assert_eq!(found.get(name), Some(content), "{line}: {name}");
        }
        assert!(found.keys().all(|name| !name.contains(".damaged")), "{line}");
    }
    case.slidegrid("report --run run").done().omits("warning");
    case.slidegrid("run --run run").done();
}
