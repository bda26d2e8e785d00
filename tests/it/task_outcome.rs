//! The line about its outcome that a task writes to its log, and the reason read from it.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use slidegrid::internal::jobs::{
    End, LogEnd, Outcome, OutcomeKind, Reason, VARIABLE, WorkItem, reason_in_log, reason_of,
};

use crate::bad_input::tiff;
use crate::common::cli::send;
use crate::common::fake_scheduler::{fake_slurm, fake_text, path_with_fakes, with_fakes};
use crate::common::needs::MemoryDisk;
use crate::common::{Case, noise};

/// One group of some 14,000 windows: long enough to be interrupted.
const SLOW: &str = "[tissue]\nmethod = \"all\"\n[tiling]\ntile = 48\nblock = 1\npatches_per_group = 99\n[predict]\nstride = 1\nengine = \"tract\"\nthreads = 1\nbatch = 8\ncheckpoint_min = 0.0001\n[cluster]\nmax_requeues = 0\n";

/// Runs a task, and returns its log.
#[track_caller]
fn log_of(case: &Case, line: &str, code: i32) -> String {
    let command = case.slidegrid(line).env(VARIABLE, "1");
    let log = command.exits(code).stderr;
    let count = log.matches("slidegrid-outcome: ").count();
    assert_eq!(count, 1, "{log}");
    log
}

/// The reason that a log on disk gives, with an exit code and without.
fn reasons(case: &Case, log: &str, code: i32, item: &WorkItem) -> [Option<Reason>; 2] {
    let log = LogEnd::read(&case.write("task.log", log)).unwrap();
    [Some(reason_of(&End::ExitCode(code), &log, item)), reason_in_log(&log, item)]
}

fn group(slide: &str, number: u32) -> WorkItem {
    WorkItem::Predict(slide.into(), number.try_into().unwrap())
}

/// Both slides of the usual case, split and planned.
fn planned() -> Case {
    let case = Case::usual();
    case.slidegrid("split -q --run run --config c.toml a.png b.png").done();
    case.slidegrid("master plan -q --run run").done();
    case
}

#[test]
fn the_reason_of_a_failure_is_read_from_the_line_that_the_program_writes() {
    let case = planned();
    let split = |slide: &str| WorkItem::Split(slide.into());
    let stitch = |slide: &str| WorkItem::Stitch(slide.into());
    let cut = |name: &str| case.edit(name, |bytes| bytes.truncate(bytes.len() * 2 / 3));
    let expect = |line: &str, code: i32, item: WorkItem, reason: Reason| {
        let log = log_of(&case, line, code);
        let found = reasons(&case, &log, code, &item);
        assert_eq!(found, [Some(reason), Some(reason)], "{line}: {log}");
    };
    let no_engine = "predict --run run --slide a --group 1 --engine ort --ort-library none.so";
    expect(no_engine, 3, group("a", 1), Reason::NoEngine);
    expect("predict --run run --slide a --grup 1", 2, group("a", 1), Reason::ExitCode(2));
    expect("predict --run run --slide a --group 99", 2, group("a", 99), Reason::ExitCode(2));
    expect("stitch --run run --slide a", 4, stitch("a"), Reason::ExitCode(4));
    // One of two slides is damaged: the other one's groups are done.
    cut("run/patches/b.h5");
    let log = log_of(&case, "predict --run run --all", 5);
    assert_eq!(reasons(&case, &log, 5, &group("b", 1))[0], Some(Reason::Damaged), "{log}");
    expect("predict --run run --slide b --group 1", 4, group("b", 1), Reason::Damaged);
    // Scores that are done are kept, and then found damaged.
    cut("run/scores/a/t1.h5");
    expect("stitch --run run --slide a", 4, stitch("a"), Reason::Damaged);
    std::fs::remove_file(case.path("b.png")).unwrap();
    expect("split --run run --task 2", 4, split("b"), Reason::ExitCode(4));
    // A task without a failure has no reason.
    let log = log_of(&case, "predict --run run --slide a", 0);
    assert_eq!(reasons(&case, &log, 0, &group("a", 1))[1], None, "{log}");
    // Without the variable, a command for a person writes no line.
    case.slidegrid("predict --run run --slide a").done().omits("slidegrid-outcome");
}

#[test]
fn patches_that_could_not_be_decoded_make_a_task_partial() {
    let case = Case::usual();
    let mut cut = tiff::tiled(4, 4);
    cut.truncate(cut.len() - 4 * tiff::TILE_BYTES - tiff::TILE_BYTES / 2);
    case.write("cut.tif", cut);
    let kinds = |line: &str| {
        let (outcome, _) = Outcome::find(&log_of(&case, line, 5));
        let outcome = outcome.unwrap();
        assert_eq!((outcome.exit, outcome.kind), (5, OutcomeKind::Partial), "{outcome:?}");
        assert!(outcome.items.iter().all(|item| item.slide == "cut"), "{outcome:?}");
        outcome.items.iter().map(|item| item.kind).collect::<Vec<_>>()
    };
    let split = kinds("split --run run --config c.toml cut.tif a.png");
    assert_eq!(split, [OutcomeKind::Partial]);
    case.slidegrid("master plan -q --run run").done();
    let groups = kinds("predict --run run --all");
    assert!(!groups.is_empty() && groups.iter().all(|kind| *kind == OutcomeKind::Partial));
}

#[test]
fn a_full_disk_is_the_reason_of_a_task() {
    let case = Case::usual();
    let _disk = MemoryDisk::mount(&case.path("disk"), "8m");
    case.slidegrid("split -q --run disk/run --config c.toml a.png").done();
    case.slidegrid("master plan -q --run disk/run").done();
    let rest = std::fs::File::create(case.path("disk/rest")).unwrap();
    let filled = std::io::copy(&mut std::io::repeat(1), &mut &rest).unwrap_err();
    assert_eq!(filled.kind(), std::io::ErrorKind::StorageFull);
    let line = "predict --run disk/run --slide a --group 1";
    let log = log_of(&case, line, 4);
    let found = reasons(&case, &log, 4, &group("a", 1));
    assert_eq!(found, [Some(Reason::DiskFull), Some(Reason::DiskFull)], "{log}");
}

/// The script that was submitted runs, is warned, and ends with 5. SLURM then knows only
/// that the task failed, or nothing any more.
#[test]
fn status_and_retry_call_a_warned_task_interrupted() {
    let case = Case::new();
    case.slide("slide.png", &noise(120, 120, 11));
    case.config("c.toml", "padded", SLOW);
    let split = "split -q --run run --config c.toml --set model.mpp=level0 slide.png";
    case.slidegrid(split).done();
    fake_slurm(&case);
    with_fakes(&case, "master submit --scheduler slurm").done();
    let log = std::fs::File::create(case.path("run/logs/predict/slide.7_1.log")).unwrap();
    let mut task = Command::new("bash")
        .arg(case.path("run/jobs/predict_slide.sh"))
        .env("SLURM_ARRAY_TASK_ID", "1")
        .env("PATH", path_with_fakes(&case))
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .unwrap();
    let part = case.path("run/scores/slide/t1.part.h5");
    let began = Instant::now();
    while !part.exists() {
        assert_eq!(task.try_wait().unwrap(), None, "it ended before it saved");
        assert!(began.elapsed() < Duration::from_secs(600), "no {}", part.display());
        std::thread::sleep(Duration::from_millis(5));
    }
    send("USR1", &task);
    assert_eq!(task.wait().unwrap().code(), Some(5));
    for accounts in ["7_1|FAILED|5:0|60|1|61|n1|2|None\n", ""] {
        fake_text(&case, "sacct", accounts);
        let report = with_fakes(&case, "status --json").exits(5).json();
        let ended = &report["slides"][0]["ended"];
        let expected = serde_json::json!(["predict", 1, "interrupted"]);
        let [stage, group, reason] = ["stage", "group", "reason"].map(|key| ended[0][key].clone());
        assert_eq!(serde_json::json!([stage, group, reason]), expected, "{report}");
        let table = with_fakes(&case, "status").exits(5).stdout;
        assert!(table.contains("interrupted, what was scored is saved"), "{table}");
        let retry = with_fakes(&case, "master retry --dry-run").done().stderr;
        let line =
            "again: predict slide t1: interrupted, what was scored is saved; the same request";
        assert!(retry.contains(line), "{retry}");
    }
}
