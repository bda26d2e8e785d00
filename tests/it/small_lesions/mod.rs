//! A normal slide with one small lesion, which a screen must not lose silently.
//!
//! `cargo test --test it small_lesions -- --ignored --nocapture` tries more places, sizes
//! and networks: CONTRIBUTING.md.

mod lesion;
mod sweep;

use std::path::{Path, PathBuf};

use crate::common::cli::Slidegrid;
use crate::common::{Case, assert_same};
use lesion::Lesion;
use slidegrid::heatmap_h5::{HeatmapMeta, read_heatmap, read_heatmap_meta};
use slidegrid::internal::scores::{PartScores, points_to_draw, write_part};
use slidegrid::scores::{CascadeMeta, Scores, Screen, read_scores, read_scores_meta};

/// Default share of a slide's points that may be missed.
const BOUND: f64 = 0.0033;

/// A slide whose sample contains almost nothing of its lesion.
const UNSEEN: Lesion = Lesion { seed: 13, size_px: 3000, side_px: 320, place: 0.5 };
/// A smaller one.
const SMALL: Lesion = Lesion { seed: 13, size_px: 2200, side_px: 256, place: 0.5 };
const STRIDE_PX: u32 = 32;

/// Configuration of a run of a demonstration network by `method`.
fn config(case: &Case, network: &str, method: &str, more: &str) -> PathBuf {
    let card = format!("{}/configs/models/{network}.toml", env!("CARGO_MANIFEST_DIR"));
    let text = format!(
        "[slides]\nmpp = 0.25\n[model]\ncard = {card:?}\n[tissue]\nmethod = \"otsu-s\"\n\
         [predict]\nstride = {STRIDE_PX}\nmethod = {method:?}\n{more}"
    );
    case.write(&format!("{network}-{method}.toml"), text)
}

/// `slidegrid run`, to be started.
fn run(case: &Case, name: &str, config: &Path, slide: &Path, keys: &[&str]) -> Slidegrid {
    let command = case.slidegrid("run --quiet --run").arg(name).arg("--config").arg(config);
    command.set(keys).arg(slide)
}

fn heatmap_meta(case: &Case, run: &str) -> HeatmapMeta {
    read_heatmap_meta(&case.path(run).join("heatmaps/slide.h5")).unwrap()
}

/// The counts of each group of a cascade.
fn groups(case: &Case, run: &str) -> Vec<CascadeMeta> {
    let folder = case.path(run).join("scores/slide");
    let files = (1..).map(|k| folder.join(format!("t{k}.h5"))).take_while(|path| path.exists());
    files.map(|path| read_scores_meta(&path).unwrap().cascade.unwrap()).collect()
}

#[test]
fn a_screen_that_has_seen_no_tumor_is_not_used_and_loses_nothing() {
    let case = Case::new();
    let slide = UNSEEN.slide(&case, "slide.png");
    run(&case, "window", &config(&case, "demo-padded", "window", ""), &slide, &[]).done();
    let window = case.heatmap("window", "slide");
    let detections = window.iter().filter(|&&score| score > 0.5).count();
    assert!(detections >= 30, "{detections} detections: another seed?");

    let cascade = config(&case, "demo-padded", "cascade", "");
    run(&case, "cascade", &cascade, &slide, &[]).done();
    let meta = heatmap_meta(&case, "cascade");
    let (dense, counts) = (meta.dense.clone().unwrap(), meta.cascade.unwrap());
    assert!(dense.open.contains("sampled windows") && dense.near.unwrap() < 40, "{dense:?}");
    assert_eq!(counts.screen, Screen::Windows { step_px: 64 });
    // Nothing above 0.5 is lost, and the audit meets its bound.
    let found = case.heatmap("cascade", "slide");
    for (at, (&exact, &found)) in window.iter().zip(&found).enumerate() {
        assert_eq!(exact.is_nan(), found.is_nan());
        assert!(
            exact.is_nan() || exact <= 0.5 || (exact - found).abs() < 1e-4,
            "{at}: {exact} {found}"
        );
    }
    let points = window.iter().filter(|score| !score.is_nan()).count() as u64;
    assert_eq!((counts.points(), counts.missed), (points, 0), "{counts:?}");
    assert_eq!(counts.drawn, points_to_draw(points, BOUND));
    assert!(
        counts.missed_bound_of_slide() <= BOUND && meta.audit_failure().is_none(),
        "{counts:?}"
    );
    // The screen itself and what it raises; the audit is large on so small a slide.
    assert!(counts.coarse + counts.refined < points / 2, "{counts:?}");
    assert!(counts.screened > points / 4, "{counts:?}");
    // Points that are left alone are low, as the screened points around them are.
    let low = found.iter().zip(&window).filter(|(f, w)| !f.is_nan() && (**f - **w).abs() > 1e-4);
    assert!(low.into_iter().all(|(found, _)| f64::from(*found) < counts.refine_from));
    let status = status(&case, "cascade");
    assert!(status.screen.as_deref().unwrap().contains("single windows 64 px apart"), "{status:?}");
    assert_eq!(status.partial, None);

    // Other blocks, groups, threads and batches choose the same points.
    let other =
        ["tiling.block=2", "tiling.patches_per_group=5", "predict.threads=1", "predict.batch=3"];
    run(&case, "other", &cascade, &slide, &other).done();
    assert_same(&found, &case.heatmap("other", "slide"), 2e-4);
    assert!(groups(&case, "other").len() > 3);
    let again = heatmap_meta(&case, "other").cascade.unwrap();
    assert_eq!((again.drawn, again.coarse, again.missed), (counts.drawn, counts.coarse, 0));
    assert!(again.screened.abs_diff(counts.screened) < 3, "{again:?} {counts:?}");

    a_resumed_cascade_scores_the_same(&case, &cascade, &slide);
    every_point_is_its_own_screen_at_a_coarse_stride(&case, &slide);
    dense_is_refused(&case, &slide);
}

/// Half of a group's points without the record of how they were scored are not used, so that
/// the audit is that of all points.
fn a_resumed_cascade_scores_the_same(case: &Case, config: &Path, slide: &Path) {
    let whole = case.path("cascade/scores/slide/t1.h5");
    let scores = read_scores(&whole).unwrap();
    let half = |values: &[i32]| -> Vec<i32> { values.iter().step_by(2).copied().collect() };
    let (row, col) = (half(&scores.row), half(&scores.col));
    let mut meta = scores.meta.clone();
    (meta.windows, meta.cascade) = (row.len() as u64, None);
    let score = scores.score.slice(ndarray::s![..;2, ..]).to_owned();
    let total = scores.row.len() as u64;
    let part = PartScores { scores: Scores { meta, row, col, score }, total, how: None };
    write_part(&whole.with_file_name("t1.part.h5"), &part).unwrap();
    std::fs::remove_file(&whole).unwrap();
    let before = case.heatmap("cascade", "slide");
    std::fs::remove_file(case.path("cascade/heatmaps/slide.h5")).unwrap();
    run(case, "cascade", config, slide, &[]).done();
    assert_same(&before, &case.heatmap("cascade", "slide"), 0.0);
    let meta = read_scores_meta(&whole).unwrap();
    assert_eq!((meta.resumed_windows, meta.cascade), (0, scores.meta.cascade));
}

fn every_point_is_its_own_screen_at_a_coarse_stride(case: &Case, slide: &Path) {
    let window = config(case, "demo-padded", "window", "");
    let coarse = ["predict.stride=80"];
    run(case, "window80", &window, slide, &coarse).done();
    let cascade = config(case, "demo-padded", "cascade", "");
    run(case, "cascade80", &cascade, slide, &coarse).done();
    assert_same(&case.heatmap("window80", "slide"), &case.heatmap("cascade80", "slide"), 1e-4);
    let counts = heatmap_meta(case, "cascade80").cascade.unwrap();
    assert_eq!((counts.coarse, counts.screened), (counts.points(), 0), "{counts:?}");
}

fn dense_is_refused(case: &Case, slide: &Path) {
    let dense = config(case, "demo-padded", "dense", "[tiling]\npatches_per_group = 3\n");
    run(case, "dense", &dense, slide, &[]).exits(4);
    let marker =
        std::fs::read_dir(case.path("dense/logs/predict")).unwrap().next().unwrap().unwrap();
    let message = std::fs::read_to_string(marker.path()).unwrap();
    for word in ["sampled windows", "slidegrid redo --run", "--method window", "--force"] {
        assert!(message.contains(word), "{message}");
    }
    case.slidegrid("predict -q --run dense --all --force").done();
    case.slidegrid("stitch -q --run dense --all").done();
    let meta = heatmap_meta(case, "dense").dense.unwrap();
    assert!(meta.forced && !meta.open.is_empty(), "{meta:?}");
    let status = status(case, "dense");
    assert!(status.screen.as_deref().unwrap().contains("used nevertheless"), "{status:?}");

    // A dense run's slide can be done by windows as well.
    case.slidegrid("redo -q --run dense slide --method window").done();
    assert_same(&case.heatmap("window", "slide"), &case.heatmap("dense", "slide"), 1e-4);
}

/// The slide in the output of `status --json`.
#[derive(Debug)]
struct Reported {
    screen: Option<String>,
    partial: Option<String>,
    done: bool,
}

fn status(case: &Case, run: &str) -> Reported {
    let outcome = case.slidegrid("status --json --run").arg(run).run();
    let found = outcome.json();
    let slide = &found["slides"][0];
    assert_eq!(outcome.code, Some(if slide["partial"].is_null() { 0 } else { 5 }), "{found}");
    let text = |key: &str| slide[key].as_str().map(ToOwned::to_owned);
    Reported {
        screen: text("screen"),
        partial: text("partial"),
        done: found["totals"]["done"] == 1,
    }
}

#[test]
fn a_miss_makes_the_slide_partial_until_it_is_done_by_windows() {
    let case = Case::new();
    let slide = SMALL.slide(&case, "slide.png");
    let cascade =
        config(&case, "demo-padded", "cascade", "[tiling]\nblock = 2\npatches_per_group = 4\n");
    run(&case, "run", &cascade, &slide, &[]).done();
    let count = groups(&case, "run").len();
    assert!(count > 2, "{count} groups");
    blind_the_screen(&case);

    // Each group that misses something says so, and so does the slide.
    let root = case.path("run");
    let predict = || case.slidegrid("predict -q --run run --all");
    predict().exits(5);
    let of_groups = groups(&case, "run");
    let missed: u64 = of_groups.iter().map(|group| group.missed).sum();
    assert!(missed > 0 && of_groups.iter().all(|g| g.screen == Screen::Dense), "{of_groups:?}");
    // Also when the scores, and then the heatmap, are there already.
    predict().exits(5);
    let stitch = || case.slidegrid("stitch -q --run run --all");
    stitch().exits(5);
    stitch().exits(5);
    run(&case, "run", &cascade, &slide, &[]).exits(5);
    let meta = heatmap_meta(&case, "run");
    let counts = meta.cascade.unwrap();
    assert_eq!(counts.missed, missed);
    assert_eq!(counts.drawn, points_to_draw(counts.points(), BOUND), "{counts:?}");
    assert!(counts.missed_bound_of_slide() > BOUND && meta.audit_failure().is_some());
    let file = hdf5::File::open(root.join("heatmaps/slide.h5")).unwrap();
    let partial: hdf5::types::FixedUnicode<1000> =
        file.attr("partial").unwrap().read_scalar().unwrap();
    assert_eq!(Some(partial.to_string()), meta.audit_failure());
    file.close().unwrap();
    let view = status(&case, "run");
    let message = view.partial.unwrap();
    assert!(!view.done && message.contains(&format!("found {missed} of")), "{message}");
    assert!(
        message.contains("slidegrid redo --run") && message.contains("--method window slide"),
        "{message}"
    );
    case.slidegrid("report -q --run run").done();
    let page = std::fs::read_to_string(root.join("report/index.html")).unwrap();
    assert!(page.contains("partial") && page.contains("--method window slide"));

    // The command that it names.
    std::fs::write(root.join("heatmaps/slide_files"), "of an export").unwrap();
    case.slidegrid("redo -q --run run slide --method window").done();
    assert!(!root.join("heatmaps/slide_files").exists());
    let window = config(&case, "demo-padded", "window", "");
    run(&case, "window", &window, &slide, &[]).done();
    assert_same(&case.heatmap("window", "slide"), &case.heatmap("run", "slide"), 1e-4);
    let meta = heatmap_meta(&case, "run");
    assert_eq!((meta.method.as_str(), meta.audit_failure(), meta.cascade), ("window", None, None));
    assert_eq!(status(&case, "run").partial, None);
    // It stays so, also for the configuration that the run was made with.
    run(&case, "run", &cascade, &slide, &[]).done();
    assert_eq!(heatmap_meta(&case, "run").method, "window");

    scores_of_another_method_are_refused(&case, &root);
}

/// Earlier scores reappear, as from a task that was still running.
fn scores_of_another_method_are_refused(case: &Case, root: &Path) {
    let group = root.join("scores/slide/t1.h5");
    let stays = case.path("t1.h5");
    std::fs::copy(&group, &stays).unwrap();
    case.slidegrid("redo -q --run run slide --later").done();
    assert!(!root.join("scores/slide").exists() && !root.join("heatmaps/slide.h5").exists());
    std::fs::create_dir_all(group.parent().unwrap()).unwrap();
    std::fs::copy(&stays, &group).unwrap();
    let predict = case.slidegrid("predict -q --run run --task 1").run();
    assert_ne!(predict.code, Some(0), "{predict:?}");
    predict.mentions(&["made by method window, expected cascade"]);
    case.slidegrid("redo --run run nobody").exits(2);
    case.slidegrid("redo --run run slide --method dense").exits(3);
}

/// Stores a calibration that makes every score surely low, as one fitted to low scores alone
/// may, and removes all scores.
fn blind_the_screen(case: &Case) {
    let folder = case.path("run/scores/slide");
    let path = folder.join("calibration.json");
    let mut file: serde_json::Value =
        serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let fit = &mut file["calibrated"];
    fit["head"] = serde_json::Value::Null;
    fit["calibration"]["slope"] = serde_json::json!([0.1, 0.1]);
    fit["calibration"]["offset"] = serde_json::json!([5.0, -5.0]);
    // Of logits: a line through the scores themselves would leave the range of a softmax.
    fit["calibration"]["probabilities"] = true.into();
    fit["calibration"]["sums_to_one"] = true.into();
    fit["residual"] = serde_json::json!({ "rms": 0.005, "p99": 0.01 });
    fit["open"] = serde_json::json!("");
    fit["lowest_detection"] = serde_json::Value::Null;
    let hash = xxhash_rust::xxh3::xxh3_64(fit.to_string().as_bytes());
    file["xxh3"] = format!("{hash:016x}").into();
    std::fs::remove_dir_all(&folder).unwrap();
    std::fs::remove_file(case.path("run/heatmaps/slide.h5")).unwrap();
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(&path, serde_json::to_vec(&file).unwrap()).unwrap();
}

#[test]
fn a_network_without_padding_needs_no_calibration() {
    let case = Case::new();
    let slide = SMALL.slide(&case, "slide.png");
    let window = config(&case, "demo-valid", "window", "");
    run(&case, "window", &window, &slide, &[]).done();
    for method in ["dense", "cascade"] {
        let config = config(&case, "demo-valid", method, "");
        run(&case, method, &config, &slide, &[]).done();
        assert_same(&case.heatmap("window", "slide"), &case.heatmap(method, "slide"), 1e-4);
        let (meta, score) = read_heatmap(&case.path(method).join("heatmaps/slide.h5")).unwrap();
        let dense = meta.dense.as_ref().unwrap();
        assert!(dense.exact && dense.open.is_empty(), "{dense:?}");
        if let Some(counts) = meta.cascade {
            let points = score.iter().filter(|score| !score.is_nan()).count() as u64;
            assert_eq!((counts.screen, counts.points()), (Screen::Dense, points));
            assert!(counts.missed_bound_of_slide() <= BOUND && counts.screened > 0, "{counts:?}");
        }
    }
}
