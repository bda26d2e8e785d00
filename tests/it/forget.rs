//! `slidegrid forget`: what it removes, what it leaves, what it refuses.

use std::path::Path;
use std::time::Instant;

use crate::common::contents::contents;
use crate::common::fake_scheduler::{fake_slurm, fake_text, with_fakes};
use crate::common::{Case, copy_folder, noise};

/// Slides `a`, `b` and `c`, done; `b` has settings of its own and every kind of file.
fn three_slides() -> Case {
    let case = Case::usual();
    case.slide("c.png", &noise(64, 96, 3));
    case.write("t.csv", "slide,mpp,tissue_method\na.png,,\nb.png,0.5,all\nc.png,,\n");
    let command = case.slidegrid("run --quiet --run run --config c.toml --manifest t.csv");
    let keys = ["tiling.coords=[\"clam\"]", "stitch.export=[\"geojson\",\"deepzoom\"]"];
    command.set(&keys).set(&["stitch.npy=true"]).done();
    case.slidegrid("report --quiet --run run").done();
    case
}

/// The files below a folder whose paths hold `b` as a name.
fn of_slide_b(folder: &Path) -> Vec<String> {
    let is_of_b = |path: &&String| {
        path.split('/')
            .any(|part| part == "b" || ["b.", "b_"].iter().any(|start| part.starts_with(start)))
    };
    contents(folder).into_keys().filter(|path| is_of_b(&path)).collect()
}

#[test]
fn all_of_a_slide_goes_and_all_else_stays() {
    let case = three_slides();
    case.write("run/logs/predict/b_t2.failed", "no reason\n");
    case.write("run/logs/predict/b_t2_t1.failed", "of a slide b_t2\n");
    case.slidegrid("split --quiet --masks-only --run run").done();
    let before = of_slide_b(&case.path("run"));
    assert!(before.len() > 12, "{before:?}");
    assert!(case.read("run/run.toml").contains("mpp_of"));
    let files = |name: &str| std::fs::read(case.path(name)).unwrap();
    let kept = ["run/patches/a.h5", "run/heatmaps/a.h5", "run/scores/c/t1.h5", "b.png"];
    let bytes = kept.map(files);
    let line = "forget: removed b; the run has 2 slides now";
    let words = [line, "note: what these commands have made still counts the slide: report"];
    case.slidegrid("forget --run run b").done().mentions(&words);
    let left = of_slide_b(&case.path("run"));
    let report = |path: &String| path.starts_with("report/");
    let left: Vec<_> = left.into_iter().filter(|path| !report(path)).collect();
    assert_eq!(left, ["logs/predict/b_t2_t1.failed"]);
    assert_eq!(kept.map(files), bytes);
    assert!(!case.read("run/run.toml").contains("mpp_of"), "{}", case.read("run/run.toml"));
    let table = "start,end,name,groups,patches\n1,5,a,5,20\n9,10,c,2,6\n";
    assert_eq!(case.read("run/lookup.csv"), table);
    let names = |table: &str| -> Vec<String> {
        let first = |line: &str| line.split(',').next().unwrap().to_owned();
        case.read(table).lines().skip(1).map(first).collect()
    };
    assert_eq!(names("run/slides.csv"), ["a", "c"]);
    case.slidegrid("report --quiet --run run").done();
    assert_eq!(of_slide_b(&case.path("run")), ["logs/predict/b_t2_t1.failed"]);
    case.slidegrid("verify --run run").done().prints(&["0 problems"]);
    // Nothing is made again, and the rows of before go on.
    case.slidegrid("run --quiet --run run").done();
    assert_eq!(kept.map(files), bytes);
    assert_eq!(case.read("run/lookup.csv"), table);
    case.slidegrid("stitch --quiet --run run --task 2").done().prints(&["c.h5"]);
    let words = ["no slide b", "slidegrid status"];
    case.slidegrid("forget --run run b").exits(2).mentions(&words);
    // The slide comes back with numbers that were never given.
    case.slidegrid("run --quiet --run run b.png").done();
    assert_eq!(case.read("run/lookup.csv"), format!("{table}11,13,b,3,12\n"));
    assert_eq!(names("run/slides.csv"), ["a", "c", "b"]);
}

#[test]
fn the_last_slide_and_those_without_groups_can_be_forgotten() {
    let case = Case::usual();
    case.write("bad.png", "no picture");
    case.slidegrid("run --quiet --run run --config c.toml a.png bad.png").exits(5);
    case.slidegrid("forget --quiet --run run a bad a").done();
    assert_eq!(case.slidegrid("status --run run --json").json()["slides"], serde_json::json!([]));
    case.slidegrid("verify --run run").done().prints(&["0 problems"]);
    case.slidegrid("run --quiet --run run b.png").done();
    assert!(case.read("run/lookup.csv").ends_with("\n6,8,b,3,12\n"));
    // Patches that were put there by hand have no row.
    std::fs::copy(case.path("run/patches/b.h5"), case.path("kept.h5")).unwrap();
    case.slidegrid("forget --quiet --run run b").done();
    std::fs::copy(case.path("kept.h5"), case.path("run/patches/b.h5")).unwrap();
    case.slidegrid("forget --quiet --run run b").done();
    assert!(!case.path("run/patches/b.h5").exists());
}

#[test]
fn an_interrupted_forget_is_completed_by_the_same_command() {
    let case = three_slides();
    copy_folder(&case.path("run"), &case.path("before"));
    let started = Instant::now();
    case.slidegrid("forget --quiet --run run b c").done();
    let took = started.elapsed();
    let expected = contents(&case.path("run"));
    let mut cut = 0;
    for part in 0..16 {
        std::fs::remove_dir_all(case.path("run")).unwrap();
        copy_folder(&case.path("before"), &case.path("run"));
        let mut child = case.slidegrid("forget --quiet --run run b c").spawn();
        std::thread::sleep(took.mul_f64(f64::from(part) / 12.0));
        child.kill().unwrap();
        child.wait().unwrap();
        if contents(&case.path("run")) == expected {
            continue;
        }
        cut += 1;
        case.slidegrid("status --run run").while_others_write().done();
        case.slidegrid("forget --quiet --run run b c").done();
        let found = contents(&case.path("run"));
        let names = |files: &std::collections::BTreeMap<String, String>| -> Vec<String> {
            files.keys().cloned().collect()
        };
        assert_eq!(names(&found), names(&expected), "after {part}/12");
        assert_eq!(found, expected, "after {part}/12");
    }
    assert!(cut > 0, "no try was cut off");
}

#[test]
fn a_forget_killed_after_the_rows_went_is_completed() {
    let case = Case::planned();
    case.write("run/jobs/forgetting.json", "[\"x\",\"y\"]");
    case.slidegrid("forget --quiet --run run x").done();
    assert_eq!(case.read("run/jobs/forgetting.json"), "[\"y\"]");
    case.slidegrid("forget --quiet --run run x y").exits(2).mentions(&["no slide x"]);
    case.slidegrid("forget --quiet --run run y").done();
    assert!(!case.path("run/jobs/forgetting.json").exists());
    case.slidegrid("verify --run run").done().prints(&["0 problems"]);
}

/// What queued tasks use is not removed under them, and the jobs of before keep their slides.
#[test]
fn a_forget_is_refused_while_tasks_use_the_slide_or_its_row() {
    let case = Case::usual();
    case.write("bad.png", "no picture");
    case.slide("c.png", &noise(64, 96, 3));
    case.write("t.csv", "slide\na.png\nb.png\nbad.png\nc.png\n");
    case.slidegrid("split --quiet --run run --config c.toml a.png").done();
    case.slidegrid("split --quiet --run run --masks-only --manifest t.csv").run();
    fake_slurm(&case);
    with_fakes(&case, "master submit --quiet --scheduler slurm").done();
    let submitted: Vec<serde_json::Value> = case
        .read("run/jobs/submitted.jsonl")
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let split = submitted.iter().find(|job| job["stage"] == "split").unwrap();
    assert_eq!(split["items"], "2-4", "rows b, bad, c");
    let id = split["id"].as_str().unwrap();
    // Task 2 is `bad`, task 3 is `c`.
    fake_text(&case, "squeue", &format!("{id}_3|PENDING||(null)|Priority\n"));
    for name in ["c", "b", "bad", "a"] {
        let words = ["split c is queued or running", "wait for it or cancel it"];
        with_fakes(&case, &format!("forget {name}")).exits(4).mentions(&words);
    }
    fake_text(&case, "squeue", &format!("{id}_1|RUNNING|5|n1|None\n"));
    with_fakes(&case, "forget a").exits(4).mentions(&["split b is queued"]);
    with_fakes(&case, "forget --quiet bad").done();
    // The job's third task was and is that of `c`, now in the third row.
    fake_text(&case, "squeue", &format!("{id}_3|RUNNING|5|n1|None\n"));
    with_fakes(&case, "forget c").exits(4).mentions(&["split c is queued"]);
    with_fakes(&case, "forget b").exits(4).mentions(&["split c is queued"]);
    // A queue that does not answer may hold tasks.
    crate::common::fake_scheduler::fake(&case, "squeue", "echo down >&2; exit 1");
    with_fakes(&case, "forget a").exits(4).mentions(&["nothing is removed"]);
    assert!(case.path("run/patches/a.h5").exists());
    fake_text(&case, "squeue", "");
    with_fakes(&case, "forget --quiet a").done();
    case.slidegrid("verify --run run").run().prints(&["0 problems"]);
}
