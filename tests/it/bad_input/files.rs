//! Files of a run that are damaged, foreign, newer or missing.

use slidegrid::heatmap_h5::read_heatmap;

use crate::common::{Case, seal};

/// A fault of an HDF5 file, and a word of the message about it.
fn spoil(case: &Case, name: &str, how: &str) -> &'static str {
    match how {
        "cut" => {
            case.edit(name, |bytes| bytes.truncate(bytes.len() * 2 / 3));
            "cut short"
        }
        "empty" => {
            case.write(name, "");
            "not a whole HDF5 file"
        }
        "foreign" => {
            std::fs::remove_file(case.path(name)).unwrap();
            let file = hdf5::File::with_options()
                .with_fapl(|p| p.file_locking(false))
                .create(case.path(name))
                .unwrap();
            file.new_dataset_builder().with_data(&[1, 2]).create("x").unwrap();
            "expected format"
        }
        "newer" => {
            seal::edit(&case.path(name), |file| {
                file.attr("version").unwrap().write_scalar(&3_i64).unwrap();
            });
            "update slidegrid"
        }
        other => panic!("{other}"),
    }
}

/// Faults by damage: the file is set aside, and the next command makes it again.
const DAMAGED: [&str; 2] = ["cut", "empty"];

/// Faults of complete files that this program cannot use: they stay until the user removes
/// them.
const OTHER: [&str; 2] = ["foreign", "newer"];

/// Checks that no file is set aside any longer.
fn all_made_again(case: &Case) {
    for folder in ["run/patches", "run/scores/a", "run/heatmaps"] {
        for entry in std::fs::read_dir(case.path(folder)).unwrap() {
            let name = entry.unwrap().file_name();
            assert!(!name.to_string_lossy().contains("damaged"), "{name:?}");
        }
    }
}

#[test]
fn patches() {
    for how in DAMAGED.into_iter().chain(OTHER) {
        let case = Case::usual();
        case.slidegrid("split --run run --config c.toml a.png b.png").exits(0);
        let word = spoil(&case, "run/patches/a.h5", how);
        // One file names the failure; the other slide is finished.
        case.slidegrid("master plan --run run").exits(5).says(&["run/patches/a.h5", word]);
        case.slidegrid("stitch --run run --slide a").exits(4).says(&["run/patches/a.h5", word]);
        if OTHER.contains(&how) {
            case.slidegrid("run --run run").exits(5).says(&["run/patches/a.h5", word]);
            assert!(case.path("run/heatmaps/b.h5").exists(), "{how}");
            std::fs::remove_file(case.path("run/patches/a.h5")).unwrap();
        }
        case.slidegrid("run --run run").exits(0);
        assert!(case.path("run/heatmaps/a.h5").exists(), "{how}");
        all_made_again(&case);
    }
}

#[test]
fn patches_damaged_between_plan_and_predict() {
    for how in DAMAGED.into_iter().chain(OTHER) {
        let case = Case::planned();
        let word = spoil(&case, "run/patches/a.h5", how);
        // Of two tasks only the first one finds the file.
        for task in [2, 3] {
            let outcome = case.slidegrid(&format!("predict --run run --task {task}")).exits(4);
            assert_eq!(outcome.stderr.matches("error: ").count(), 1, "{outcome:?}");
            outcome.says(&["run/patches/a.h5", word]);
        }
        let status = case.slidegrid("status --run run").exits(5);
        assert!(status.stdout.contains(word), "{status:?}");
    }
}

#[test]
fn scores() {
    for how in DAMAGED {
        let case = Case::scored();
        let files = ["run/scores/a/t2.h5", "run/scores/a/t4.h5"];
        let words = files.map(|file| spoil(&case, file, how));
        // Both are found at once, and scored again at once.
        let first = [files[0], words[0], "t2.h5.damaged", "slidegrid predict", "1 more"];
        case.slidegrid("stitch --run run --all").exits(4).says(&first);
        let outcome = case.slidegrid("predict --run run --all").exits(0);
        assert_eq!(outcome.stderr.matches(" s (").count(), 2, "{outcome:?}");
        case.slidegrid("stitch --run run --all").exits(0);
        all_made_again(&case);
        // The stage that made the file finds the damage as well.
        let word = spoil(&case, files[1], how);
        case.slidegrid("predict --run run --all").exits(0).says(&[files[1], word]);
        all_made_again(&case);
    }
    for how in OTHER {
        let case = Case::scored();
        let file = "run/scores/a/t2.h5";
        let word = spoil(&case, file, how);
        case.slidegrid("stitch --run run --all").exits(4).says(&[file, word]);
        case.slidegrid("predict --run run --all").exits(5).says(&[file, word]);
        std::fs::remove_file(case.path(file)).unwrap();
        case.slidegrid("run --run run").exits(0);
    }
}

/// A complete file with points that the slide does not have.
#[test]
fn scores_outside_the_slide() {
    let case = Case::scored();
    let file = "run/scores/a/t2.h5";
    seal::edit(&case.path(file), |file| {
        let rows = file.dataset("row").unwrap();
        rows.write(&vec![1_000_000; rows.size()]).unwrap();
        rows.delete_attr("xxh3").unwrap();
    });
    case.slidegrid("stitch --run run --all").exits(4).says(&[file, "t2.h5.damaged"]);
    case.slidegrid("run --run run").exits(0);
    all_made_again(&case);
}

#[test]
fn scores_of_another_slide_or_group() {
    let case = Case::scored();
    std::fs::copy(case.path("run/scores/a/t1.h5"), case.path("run/scores/a/t2.h5")).unwrap();
    case.slidegrid("stitch --run run --all").exits(4).says(&[
        "run/scores/a/t2.h5",
        "group is 1, expected 2",
        "slidegrid predict",
    ]);
}

#[test]
fn heatmaps() {
    for how in DAMAGED.into_iter().chain(OTHER) {
        let case = Case::scored();
        case.slidegrid("stitch --run run --all").exits(0);
        let whole = case.heatmap("run", "a");
        let word = spoil(&case, "run/heatmaps/a.h5", how);
        if DAMAGED.contains(&how) {
            // The command that reads it first sets it aside.
            let status = case.slidegrid("status --run run").exits(5).stdout;
            assert!(status.contains("0 of 1 slides done, 1 failed"), "{status}");
            assert!(status.contains(word), "{status}");
            case.slidegrid("stitch --run run --all").exits(0);
            spoil(&case, "run/heatmaps/a.h5", how);
            let words = ["warning: ", "run/heatmaps/a.h5", word];
            case.slidegrid("stitch --run run --all").exits(0).says(&words);
        } else {
            case.slidegrid("stitch --run run --all").exits(4).says(&["run/heatmaps/a.h5", word]);
            let status = case.slidegrid("status --run run").exits(5).stdout;
            assert!(status.contains("1 of 1 slides done"), "{status}");
            assert!(status.contains("the heatmap cannot be read now: "), "{status}");
            std::fs::remove_file(case.path("run/heatmaps/a.h5")).unwrap();
            case.slidegrid("stitch --run run --all").exits(0);
        }
        assert_eq!(case.heatmap("run", "a"), whole);
        all_made_again(&case);
    }
}

/// A damaged file of each kind has failed for `status` and for `master retry`, and the retry
/// makes it again.
#[test]
fn a_retry_mends_what_is_damaged() {
    let case = Case::scored();
    case.slidegrid("stitch --run run --all").exits(0);
    let whole = case.heatmap("run", "a");
    let again = |dry: &str| {
        let line = format!("master retry --run run --scheduler local {dry}");
        case.slidegrid(&line).exits(0).stderr
    };
    for (file, retry, split, trouble) in [
        ("heatmaps/a.h5", "again: stitch a: damaged file; the same request", "done", "stitch"),
        (
            "scores/a/t2.h5",
            "again: predict a t2: damaged file; the same request",
            "done",
            "predict",
        ),
        ("patches/a.h5", "again: split a: damaged file; the same request", "failed", ""),
    ] {
        let word = spoil(&case, &format!("run/{file}"), "cut");
        if !file.starts_with("heatmaps") {
            // A command reads the file and sets it aside.
            std::fs::remove_file(case.path("run/heatmaps/a.h5")).unwrap();
            case.slidegrid("stitch --run run --all").exits(4);
        }
        let report = case.slidegrid("status --run run --json").exits(5).json();
        assert_eq!(
            (&report["totals"]["done"], &report["totals"]["failed"]),
            (&0.into(), &1.into())
        );
        let slide = &report["slides"][0];
        assert_eq!(slide["split"], split);
        assert!(slide.to_string().contains(word), "{slide}");
        if !trouble.is_empty() {
            let ended = &slide["ended"][0];
            assert_eq!((&ended["stage"], &ended["reason"]), (&trouble.into(), &"damaged".into()));
        }
        let outcome = again("--dry-run");
        assert!(outcome.contains(retry), "{outcome}");
        again("");
        let report = case.slidegrid("status --run run --json").exits(0).json();
        assert_eq!(report["totals"]["done"], 1, "{report:#}");
        assert_eq!(case.heatmap("run", "a"), whole, "{file}");
        all_made_again(&case);
    }
}

#[test]
fn tables() {
    let case = Case::planned();
    for (table, command) in [
        ("lookup.csv", "predict --run run --all"),
        ("slides.csv", "stitch --run run --task 1"),
        ("slides.csv", "split --run run"),
    ] {
        let kept = std::fs::read(case.path("run").join(table)).unwrap();
        case.write(&format!("run/{table}"), "a,b\n1,\"x\n");
        case.slidegrid(command).exits(4).says(&[table, "not a"]);
        case.write(&format!("run/{table}"), kept);
    }
    std::fs::remove_file(case.path("run/lookup.csv")).unwrap();
    case.slidegrid("predict --run run --task 1")
        .exits(4)
        .says(&["run/lookup.csv", "slidegrid master plan --run run"]);
    case.write("run/run.toml", "[resolved]\nversion = 7\n");
    case.slidegrid("predict --run run --task 1").exits(3).mentions(&["run/run.toml"]);
}

#[test]
fn groups_without_scores() {
    let case = Case::planned();
    for task in [1, 2, 4] {
        case.slidegrid(&format!("predict --run run --task {task}")).exits(0);
    }
    case.slidegrid("stitch --run run --all").exits(4).says(&[
        "a: 2 of 5 groups have no scores: 3,5",
        "slidegrid predict",
        "--allow-missing",
    ]);
    assert!(!case.path("run/heatmaps").exists());

    case.slidegrid("stitch --run run --all --allow-missing")
        .exits(5)
        .says(&["warning: a: left out 2 groups without scores: 3,5"]);
    let path = case.path("run/heatmaps/a.h5");
    let (meta, partial) = read_heatmap(&path).unwrap();
    let missing: Vec<u32> = meta.missing_groups.iter().map(|group| group.get()).collect();
    assert_eq!(missing, [3, 5]);
    let unscored = partial.iter().filter(|score| score.is_nan()).count();
    assert!(unscored > 0 && unscored < partial.len());
    let picture = std::fs::read(case.path("run/heatmaps/a.png")).unwrap();
    let status = case.slidegrid("status --run run").exits(0);
    assert!(status.stdout.contains("0 of 1 slides done"), "{status:?}");

    for task in [3, 5] {
        case.slidegrid(&format!("predict --run run --task {task}")).exits(0);
    }
    let status = case.slidegrid("status --run run").exits(5);
    assert!(status.stdout.contains("made without 2 groups"), "{status:?}");
    case.slidegrid("stitch --run run --all").exits(0);
    let (meta, whole) = read_heatmap(&path).unwrap();
    assert!(meta.missing_groups.is_empty());
    assert!(whole.iter().all(|score| score.is_finite()));
    assert!(partial.iter().zip(&whole).all(|(a, b)| a.is_nan() || a == b));
    assert_ne!(picture, std::fs::read(case.path("run/heatmaps/a.png")).unwrap(), "hatching");
    let status = case.slidegrid("status --run run").exits(0);
    assert!(status.stdout.contains("1 of 1 slides done"), "{status:?}");
}

#[test]
fn a_slide_that_failed_cannot_be_stitched_by_task() {
    let case = Case::usual();
    case.write("list.txt", "none.png\na.png\n");
    case.slidegrid("split --run run --config c.toml list.txt").exits(5);
    case.slidegrid("stitch --run run --task 1").exits(4).says(&["none", "no such slide"]);
}
