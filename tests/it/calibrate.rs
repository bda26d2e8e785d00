//! A head fitted over the slides of a run, from `calibrate` to heatmaps.

use crate::common::{Case, assert_same};
use serde_json::Value;
use slidegrid::scores::{Screen, read_scores};

/// Configuration of a run of the padded demonstration network.
fn config(case: &Case, method: &str, more: &str) -> std::path::PathBuf {
    let text = format!(
        "[model]\ncard = {:?}\n[predict]\nstride = 48\nmethod = {method:?}\nengine = \"tract\"\naudit_bound = 0.02\n{more}",
        case.path("synth/model/demo-padded.toml")
    );
    case.write(&format!("{method}.toml"), text)
}

fn fit(case: &Case, run: &str) -> Value {
    let bytes = std::fs::read(case.path(run).join("calibration/fit.json")).unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

#[test]
fn a_fit_over_the_slides_serves_its_run_and_another_one() {
    let case = Case::new();
    case.slidegrid("synth --out synth --slides 4 --tumor-fraction 0.75 --size 2000 --seed 11")
        .done();
    let dense = config(&case, "dense", "");
    let slides = case.path("synth/slides");
    case.slidegrid("split -q --run run --config").arg(&dense).arg(&slides).done();
    case.slidegrid("calibrate -q --run run").done();
    let found = fit(&case, "run");
    let judged = &found["judged"];
    let count = |key: &str| judged[key].as_u64().unwrap();
    assert_eq!((&found["open"], found["slides"].as_array().unwrap().len()), (&"".into(), 4));
    assert!(count("windows") > 200 && count("positives") >= 16, "{judged}");
    assert!(judged["rms"].as_f64().unwrap() < 0.05, "{judged}");
    assert!(count("lost") * 20 <= count("positives"), "{judged}");
    // A run has one fit.
    case.slidegrid("calibrate --run run").done().mentions(&["has its fit"]);
    case.slidegrid("run -q --run run").done();
    let name = "demo_tumor_001";
    let heatmap = case.heatmap("run", name);

    // One slide of another run, by the same fit.
    let slide = slides.join(format!("{name}.tif"));
    let given = format!("predict.calibration={:?}", case.path("run/calibration/fit.json"));
    let other = case.slidegrid("run -q --run other --set").arg(&given);
    other.arg("--config").arg(&dense).arg(&slide).done();
    assert_same(&heatmap, &case.heatmap("other", name), 1e-6);
    let hash = |run: &str| {
        let path = case.path(run).join(format!("scores/{name}/t1.h5"));
        read_scores(&path).unwrap().meta.config_sha256
    };
    assert_eq!(hash("run"), hash("other"));
    // By its own windows, results are others and so is the hash.
    case.run("own", &dense, &slide, &[]);
    assert_ne!(hash("run"), hash("own"));

    // A fit that has changed is refused.
    let path = case.path("run/calibration/fit.json");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, format!("{text}\n")).unwrap();
    case.slidegrid("redo -q --run other demo_tumor_001").exits(3).mentions(&["SHA-256"]);
}

#[test]
fn a_fit_without_tumor_is_no_screen_and_a_cascade_takes_windows() {
    let case = Case::new();
    case.slidegrid("synth --out synth --slides 4 --tumor-fraction 0 --size 1400 --seed 12").done();
    let cascade = config(&case, "cascade", "");
    case.slidegrid("split -q --run run --config")
        .arg(&cascade)
        .arg(case.path("synth/slides"))
        .done();
    case.slidegrid("calibrate -q --run run").exits(5).mentions(&["cannot serve as a screen"]);
    assert!(!fit(&case, "run")["open"].as_str().unwrap().is_empty());
    case.slidegrid("run -q --run run").done();
    let path = case.path("run/scores/demo_normal_001/t1.h5");
    let meta = read_scores(&path).unwrap().meta;
    assert!(matches!(meta.cascade.unwrap().screen, Screen::Windows { .. }));
    assert!(meta.dense.unwrap().open.contains("cannot serve as a screen"));
}

/// Stages of the jobs that were submitted, in order; jobs of one stage in a row count once.
fn submitted(case: &Case) -> Vec<String> {
    let lines = case.read("run/jobs/submitted.jsonl");
    let stage = |line: &str| {
        let job: Value = serde_json::from_str(line).unwrap();
        job["stage"].as_str().unwrap().to_owned()
    };
    let mut stages: Vec<String> = lines.lines().map(stage).collect();
    stages.dedup();
    stages
}

#[test]
fn jobs_fit_once_before_groups_are_scored_and_a_failed_fit_is_told() {
    let case = Case::new();
    case.slidegrid("synth --out synth --slides 4 --tumor-fraction 0.75 --size 1000 --seed 15")
        .done();
    let cascade = config(&case, "cascade", "");
    let slides = case.path("synth/slides");
    case.slidegrid("split -q --run run --config").arg(&cascade).arg(&slides).done();
    // A file stands where the fit is to be written.
    case.write("run/calibration", "in the way");
    let submit = "master submit --run run --scheduler local --set cluster.cpus=1";
    let told = ["calibrate has ended without the fit", "master retry"];
    case.slidegrid(submit).exits(5).mentions(&told);
    assert_eq!(submitted(&case), ["calibrate"]);
    assert!(!case.path("run/scores").exists(), "a task has scored without the fit");
    let log = case.path("run/logs/calibrate/calibrate.1.log");
    let log = log.to_str().unwrap();
    case.slidegrid("status --run run").exits(5).prints(&["calibrate: failed", log]);
    let state = case.slidegrid("status --json --run run").exits(5).json();
    assert_eq!(
        (&state["calibrate"]["state"], &state["calibrate"]["log"]),
        (&"failed".into(), &log.into())
    );

    std::fs::remove_file(case.path("run/calibration")).unwrap();
    let again = case.slidegrid("master retry --run run --scheduler local").run();
    again.has_code(0).mentions(&["again: calibrate: exit code 4"]);
    let stages = submitted(&case);
    assert_eq!(stages[..2], ["calibrate", "predict"], "{stages:?}");
    assert_eq!(stages.iter().filter(|stage| *stage == "calibrate").count(), 1);
    let state = case.slidegrid("status --json --run run").json();
    assert_eq!((&state["totals"]["done"], &state["calibrate"]), (&4.into(), &Value::Null));
    // The fit is that of a command given by hand.
    case.slidegrid("split -q --run alone --config").arg(&cascade).arg(&slides).done();
    case.slidegrid("calibrate -q --run alone").run();
    assert_eq!(fit(&case, "run")["head"], fit(&case, "alone")["head"]);
}
