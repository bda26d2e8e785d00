//! `slidegrid bench`: measurements are real, settings that cannot be measured are reported, and
//! no file is left behind.

use std::path::Path;

use serde_json::Value;
use slidegrid::internal::config::Config;

use crate::common::cli::{Outcome, Slidegrid, send};
use crate::common::{Case, model_card};

/// `slidegrid bench infer` of a test network, with few and short measurements.
fn infer(model: &str, more: &str) -> Slidegrid {
    let line = "bench infer --quiet --seconds 0.05 --repeats 2 --model";
    let command = Slidegrid::new(&std::env::temp_dir(), line).while_others_write();
    command.arg(model_card(model)).args(more.split_whitespace())
}

/// The recommendation, read as the configuration it is to be pasted into.
fn pasted(outcome: &Outcome) -> Config {
    let text = &outcome.stdout;
    let section = text.find("\n[").unwrap_or_else(|| panic!("no section in {text}"));
    Config::parse(&text[section..], "recommended", Path::new("/"), &[]).unwrap()
}

#[test]
fn every_setting_is_measured_and_one_recommended() {
    let report = infer("padded", "--engines tract --batches 1,2 --threads 1,2 --json").json();
    let rows = report["settings"].as_array().unwrap();
    let sizes: Vec<(u64, u64)> = rows
        .iter()
        .map(|row| (row["batch"].as_u64().unwrap(), row["threads"].as_u64().unwrap()))
        .collect();
    assert_eq!(sizes, [(1, 1), (1, 2), (2, 1), (2, 2)]);
    for row in rows {
        let number = |key: &str| row[key].as_f64().unwrap();
        assert!(row["version"].as_str().unwrap().starts_with("tract 0."));
        let rate = &row["windows_per_s"];
        let (median, least, most) = (&rate["median"], &rate["least"], &rate["most"]);
        assert!(least.as_f64() <= median.as_f64() && median.as_f64() <= most.as_f64());
        assert!(least.as_f64().unwrap() > 0.0);
        let per_core = median.as_f64().unwrap() / number("threads");
        assert!((number("windows_per_core_s") - per_core).abs() < 1e-6 * per_core);
        // As much memory as a process with a network takes, and less than the machine has.
        assert!((5e6..2e9).contains(&number("peak_rss_bytes")));
    }
    let best = &report["recommended"];
    assert!(rows.contains(best), "{best}");
    assert_eq!(report["not_measured"].as_array().unwrap().len(), 0);
}

#[test]
fn the_recommendation_can_be_pasted() {
    let outcome = infer("padded", "--engines tract --batches 2 --threads 1").done();
    let predict = pasted(&outcome).predict;
    assert_eq!((predict.engine.name(), predict.batch), ("tract", Some(2)));
    outcome.prints(&["--threads 1"]);
}

#[test]
fn what_cannot_be_measured_is_reported() {
    let missing = "/nonexistent/libonnxruntime.so";
    let more =
        format!("--batches 1 --threads 1 --ort-library {missing} --json --engines ort,tract");
    let report = infer("padded", &more).json();
    let failure = &report["not_measured"][0];
    assert_eq!(failure["what"], "ort");
    assert!(failure["reason"].as_str().unwrap().contains(missing), "{failure}");
    assert_eq!(report["settings"].as_array().unwrap().len(), 1);

    // An operator that fails only when it runs.
    let outcome = infer("unknown_operator", "--engines tract --batches 1 --threads 1").exits(3);
    let outcome =
        outcome.prints(&["not measured: tract, batch 1, 1 thread: ", "org.example:Sharpen"]);
    assert!(!outcome.stdout.contains("[predict]"), "{outcome:?}");
}

#[test]
fn a_batch_that_the_graph_fixes_is_the_only_one() {
    let report = infer("batch4", "--engines tract --threads 1 --json").json();
    let rows = report["settings"].as_array().unwrap();
    assert_eq!((rows.len(), rows[0]["batch"].as_u64()), (1, Some(4)));
}

/// `slidegrid bench io` on the folder `disk`, which is made.
fn io(case: &Case, patch_px: u32, more: &str) -> Slidegrid {
    std::fs::create_dir_all(case.path("disk")).unwrap();
    case.slidegrid(&format!("bench io --quiet --dir disk --out out --patch-px {patch_px} {more}"))
}

/// How many files are left on `disk`.
fn left(case: &Case) -> usize {
    std::fs::read_dir(case.path("disk")).unwrap().count()
}

#[test]
fn storage_is_measured_drawn_and_left_clean() {
    let case = Case::new();
    let more = "--sizes 8,3 --compressions none,gzip,gzip-9 --repeats 2 --json";
    let report = io(&case, 64, more).json();
    let rows = report["settings"].as_array().unwrap();
    let settings: Vec<(u64, &str)> = rows
        .iter()
        .map(|row| (row["size"].as_u64().unwrap(), row["compression"].as_str().unwrap()))
        .collect();
    let expected =
        [(3, "none"), (8, "none"), (3, "gzip-1"), (8, "gzip-1"), (3, "gzip-9"), (8, "gzip-9")];
    assert_eq!(settings, expected);
    assert_eq!(report["patches"], 8);
    for row in rows {
        for rate in ["write_mb_s", "whole_mb_s", "each_mb_s"] {
            assert!(row[rate]["least"].as_f64().unwrap() > 0.0, "{row}");
        }
    }
    let stored = |at: usize| rows[at]["stored_share"].as_f64().unwrap();
    assert!(stored(1) >= 1.0);
    assert!(stored(5) <= stored(3) && stored(3) < stored(1));
    assert_eq!(left(&case), 0);
    let out = case.path("out");
    let svg = std::fs::read_to_string(out.join("io.svg")).unwrap();
    for words in ["none, a group at once", "gzip-9, patch by patch", "MB of pixels per second"] {
        assert!(svg.contains(words), "{words}");
    }
    assert!(image::open(out.join("io.png")).unwrap().width() > 500);
    let kept: Value = serde_json::from_slice(&std::fs::read(out.join("io.json")).unwrap()).unwrap();
    assert_eq!(kept, report);
}

#[test]
fn storage_settings_can_be_pasted_and_the_page_cache_is_mentioned() {
    let case = Case::new();
    let outcome = io(&case, 64, "--sizes 4 --repeats 1").done();
    let tiling = pasted(&outcome).tiling;
    // 4 patches of 12,288 bytes.
    assert_eq!((tiling.group_memory_mb, tiling.patches_per_group), (Some(1), None));
    outcome.prints(&["posix_fadvise", "# plot: "]);
}

#[test]
fn too_little_space_is_refused_before_anything_is_written() {
    let case = Case::new();
    io(&case, 7680, "--sizes 65536").exits(4).mentions(&["are free", "are needed"]);
    assert_eq!(left(&case), 0);
    for (patch_px, wrong) in [(66, ""), (64, "--compressions zip"), (64, "--sizes 0")] {
        io(&case, patch_px, wrong).exits(2);
    }
}

/// A limit on file sizes makes writing fail half-way; a signal ends it.
#[test]
fn nothing_is_left_after_an_error_or_a_signal() {
    let case = Case::new();
    io(&case, 256, "--sizes 64").after("ulimit -f 2000").exits(4);
    assert_eq!(left(&case), 0);

    let child = io(&case, 256, "--sizes 2048").spawn();
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while left(&case) == 0 {
        assert!(std::time::Instant::now() < deadline, "no file after a minute");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    send("TERM", &child);
    let outcome = Outcome::wait(child).has_code(5).mentions(&["SIGTERM"]);
    assert_eq!(left(&case), 0, "{outcome:?}");
}
