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
