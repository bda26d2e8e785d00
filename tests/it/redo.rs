//! `slidegrid redo`: what it makes again, what it refuses, and the numbers of tasks afterwards.

use crate::common::fake_scheduler::{fake_slurm, fake_text, with_fakes};
use crate::common::{Case, noise};

/// Slides `a`, `b` and `c`, done.
fn three_slides() -> Case {
    let case = Case::usual();
    case.slide("c.png", &noise(64, 96, 3));
    case.slidegrid("run --quiet --run run --config c.toml a.png b.png c.png").done();
    case
}

#[test]
fn task_numbers_are_never_given_twice() {
    let case = three_slides();
    let table = "start,end,name,groups,patches\n1,5,a,5,20\n6,8,b,3,12\n9,10,c,2,6\n";
    assert_eq!(case.read("run/lookup.csv"), table);
    // The same again: nothing moves.
    case.slidegrid("master plan --quiet --run run").done();
    assert_eq!(case.read("run/lookup.csv"), table);
    // Of more groups, of as many, and the last one of the table.
    case.slide("b.png", &noise(100, 130, 5));
    case.slidegrid("redo --quiet --run run b").done();
    let table = "start,end,name,groups,patches\n1,5,a,5,20\n9,10,c,2,6\n11,15,b,5,20\n";
    assert_eq!(case.read("run/lookup.csv"), table);
    for again in [16, 21] {
        case.slidegrid("redo --quiet --run run b --split").done();
        let last = format!("{again},{},b,5,20\n", again + 4);
        assert!(case.read("run/lookup.csv").ends_with(&last), "{}", case.read("run/lookup.csv"));
    }
    let table = case.read("run/lookup.csv");
    case.slidegrid("run --quiet --run run").done();
    assert_eq!(case.read("run/lookup.csv"), table);
    case.slidegrid("verify --run run").done().prints(&["0 problems"]);
    // A number that is no more, and one that is.
    let gone = ["lookup.csv", "12 tasks, with the numbers 1-5,9-10,21-25"];
    case.slidegrid("predict --run run --task 12").exits(2).mentions(&gone);
    std::fs::remove_file(case.path("run/scores/b/t2.h5")).unwrap();
    case.slidegrid("predict --quiet --run run --task 22").done();
    assert!(case.path("run/scores/b/t2.h5").exists());
}

#[test]
fn numbers_stay_used_while_a_slide_waits_for_its_split() {
    let case = three_slides();
    case.slidegrid("redo --quiet --run run c --split --later").done();
    let status = case.slidegrid("status --run run --json").json();
    assert_eq!(status["slides"][2]["split"], "waiting", "{status}");
    assert_eq!(
        case.read("run/lookup.csv"),
        "start,end,name,groups,patches\n1,5,a,5,20\n6,8,b,3,12\n"
    );
    // Twice does no harm, and neither does a plan before the split.
    case.slidegrid("redo --quiet --run run c --split --later").done();
    case.slidegrid("master plan --quiet --run run").done();
    case.slidegrid("run --quiet --run run").done();
    assert!(
        case.read("run/lookup.csv").ends_with("\n11,12,c,2,6\n"),
        "{}",
        case.read("run/lookup.csv")
    );
    case.slidegrid("verify --run run").done();
}

/// What queued tasks use is not removed under them.
#[test]
fn a_redo_is_refused_while_tasks_use_what_it_removes() {
    let case = Case::planned();
    case.slide("b.png", &noise(70, 100, 2));
    case.slidegrid("split --quiet --run run b.png").done();
    case.slidegrid("master plan --quiet --run run").done();
    case.slidegrid("predict --quiet --run run --slide b").done();
    fake_slurm(&case);
    with_fakes(&case, "master submit --quiet --scheduler slurm").done();
    let submitted = case.read("run/jobs/submitted.jsonl");
    let job = |slide: &str| -> String {
        let has = |line: &&str| {
            line.contains("\"predict\"") && line.contains(&format!("\"slide\":\"{slide}\""))
        };
        let line: serde_json::Value =
            serde_json::from_str(submitted.lines().find(has).unwrap()).unwrap();
        line["id"].as_str().unwrap().to_owned()
    };
    let patches = std::fs::read(case.path("run/patches/a.h5")).unwrap();
    for state in ["PENDING||(null)|Priority", "RUNNING|5|n1|None"] {
        fake_text(&case, "squeue", &format!("{}_2|{state}\n", job("a")));
        for line in ["redo a", "redo a --later", "redo a b", "redo b --split", "redo a --split"] {
            let words = ["predict a is queued or running", "wait for it or cancel it"];
            with_fakes(&case, line).exits(4).mentions(&words);
        }
        assert_eq!(std::fs::read(case.path("run/patches/a.h5")).unwrap(), patches);
        assert!(case.path("run/scores/b/t1.h5").exists());
    }
    // A queue that does not answer may hold tasks.
    crate::common::fake_scheduler::fake(&case, "squeue", "echo down >&2; exit 1");
    with_fakes(&case, "redo b").exits(4);
    assert!(case.path("run/scores/b/t1.h5").exists());
    // Another slide's tasks do not use the scores of this one.
    fake_text(&case, "squeue", &format!("{}_2|RUNNING|5|n1|None\n", job("a")));
    with_fakes(&case, "redo b --later").done();
    assert!(!case.path("run/scores/b").exists());
    fake_text(&case, "squeue", "");
    with_fakes(&case, "redo a --split --later").done();
    assert!(!case.path("run/patches/a.h5").exists());
}

#[test]
fn predict_warns_of_a_slide_that_was_replaced() {
    let case = Case::planned();
    case.slidegrid("predict --run run --slide a --group 1").done().omits("has changed");
    case.slide("a.png", &noise(100, 130, 9));
    let words = ["warning: a: ", "a.png has changed since it was split", "slidegrid redo"];
    let told = case.slidegrid("predict --quiet --run run --all").done().says(&words);
    assert_eq!(told.stderr.matches("has changed").count(), 1, "{told:#?}");
    case.slidegrid("redo --quiet --run run a").done();
    case.slidegrid("predict --run run --all").done().omits("has changed");
}
