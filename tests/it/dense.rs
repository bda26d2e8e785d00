//! The methods `dense` and `cascade`, from slide to heatmap.

use std::path::{Path, PathBuf};

use crate::common::{Case, assert_same, model_card, noise};
use ndarray::{Array2, Array3, s};
use slidegrid::scores::{CascadeMeta, ScoresMeta, Screen, read_scores};

/// The value as a byte.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "30 to 252")]
fn byte(value: f32) -> u8 {
    value as u8
}

/// A slide of smooth blobs on a texture, so that scores differ from place to place.
pub(crate) fn slide(rows: usize, cols: usize) -> Array3<u8> {
    blobs(rows, cols, 5)
}

/// As [`slide`], with the noise of a seed.
pub(crate) fn blobs(rows: usize, cols: usize, seed: u64) -> Array3<u8> {
    let mut slide = noise(rows, cols, seed);
    slide.indexed_iter_mut().for_each(|((y, x, c), value)| {
        let wave = (y as f32 / (17.0 + c as f32)).sin() * (x as f32 / 23.0).cos();
        *value = byte(f32::from(*value) * 0.4 + 90.0 + 60.0 * wave);
    });
    slide
}

/// The padded network with its classes the other way round: few points are positive.
fn rare(case: &Case) -> PathBuf {
    let card = model_card("padded");
    let text = std::fs::read_to_string(&card).unwrap();
    let text = text
        .replace("positive = \"tumor\"", "positive = \"normal\"")
        .replace("\"padded.onnx\"", &format!("{:?}", card.with_extension("onnx")));
    case.write("rare.toml", text)
}

/// Configuration of a run of `model` by `method`; 24 px tiles, every one tissue.
fn config(case: &Case, card: &Path, method: &str, stride: u32, more: &str) -> PathBuf {
    let text = format!(
        "[model]\ncard = {:?}\nmpp = \"level0\"\n[tissue]\nmethod = \"all\"\n[tiling]\ntile = 24\nblock = 2\npatches_per_group = 3\n\
         [predict]\nstride = {stride}\nengine = \"tract\"\nthreads = 2\nmethod = {method:?}\n{more}",
        card
    );
    case.write(&format!("{method}-{stride}.toml"), text)
}

/// Attributes of the first group's scores.
fn scores_meta(case: &Case, run: &str) -> ScoresMeta {
    read_scores(&case.path(run).join("scores/slide/t1.h5")).unwrap().meta
}

#[test]
fn without_padding_dense_heatmaps_are_the_windows_own() {
    let case = Case::new();
    let path = case.slide("slide.png", &slide(130, 171));
    // Tiles of 24 px: neither 5 nor 7 divides them, so every patch has its own phase.
    for stride in [4, 5, 7, 8, 30] {
        for method in ["window", "dense"] {
            let config = config(&case, &model_card("valid"), method, stride, "");
            case.run(&format!("{method}{stride}"), &config, &path, &[]);
        }
        let window = case.heatmap(&format!("window{stride}"), "slide");
        assert_same(&window, &case.heatmap(&format!("dense{stride}"), "slide"), 1e-4);
    }
    let meta = scores_meta(&case, "dense5");
    let dense = meta.dense.unwrap();
    assert_eq!((meta.method.as_str(), dense.exact, dense.reach_px), ("dense", true, 0));
    assert!(dense.sampled > 50 && dense.rms < 1e-5, "{dense:?}");
}

#[test]
fn images_of_dense_runs_keep_to_the_memory_that_is_given() {
    let case = Case::new();
    let path = case.slide("slide.png", &slide(220, 220));
    let keys = "dense_tolerance = 1.0\n";
    let config = config(&case, &model_card("padded"), "dense", 4, keys);
    let scored = |run: &str, key: &str| {
        case.run(run, &config, &path, &["tiling.block=8", "predict.threads=1", key]);
        let meta = scores_meta(&case, run);
        (meta.dense.unwrap().image_px.unwrap(), meta.computed_px, case.heatmap(run, "slide"))
    };
    let (large_px, least, whole) = scored("much", "predict.dense_map_mb=900");
    let (small_px, more, cut) = scored("little", "predict.dense_map_mb=1");
    assert!(small_px < large_px && more > least, "{small_px} {large_px} {more} {least}");
    assert_same(&whole, &cut, 2e-5);
}

#[test]
fn score_files_say_what_area_was_computed_and_scored() {
    let case = Case::new();
    let path = case.slide("slide.png", &slide(96, 96));
    for method in ["window", "dense"] {
        let config = config(&case, &model_card("valid"), method, 4, "share = false\n");
        case.run(method, &config, &path, &[]);
    }
    // Three of four patches of 48 px, whose sides have 12 points.
    let (window, dense) = (scores_meta(&case, "window"), scores_meta(&case, "dense"));
    let points = 3 * 12 * 12;
    assert_eq!((window.windows, window.scored_px()), (points, points * 16));
    let side_px = u64::from(window.window_px);
    assert_eq!(window.computed_px, points * side_px.pow(2));
    // Nothing pads: each patch is one image of 12 windows along a side.
    assert_eq!(dense.computed_px, 3 * (11 * 4 + side_px).pow(2));
    assert_eq!(dense.scored_px(), window.scored_px());
}

#[test]
fn blocks_groups_and_threads_do_not_change_a_padded_network_s_dense_heatmap() {
    let case = Case::new();
    let path = case.slide("slide.png", &slide(130, 171));
    let config = config(&case, &model_card("padded"), "dense", 5, "dense_tolerance = 1.0\n");
    case.run("base", &config, &path, &[]);
    let base = case.heatmap("base", "slide");
    for (run, set) in [
        ("block1", &["tiling.block=1", "tiling.patches_per_group=5"][..]),
        ("block3", &["tiling.block=3", "predict.threads=1"]),
        ("block9", &["tiling.block=9"]),
    ] {
        case.run(run, &config, &path, set);
        assert_same(&base, &case.heatmap(run, "slide"), 2e-5);
    }
    let dense = scores_meta(&case, "base").dense.unwrap();
    assert!(!dense.exact && dense.reach_px > 0 && dense.sampled > 50, "{dense:?}");
}

#[test]
fn a_padded_network_s_dense_scores_are_refused_beyond_the_tolerance() {
    let case = Case::new();
    let path = case.slide("slide.png", &slide(100, 100));
    let config = config(&case, &model_card("padded"), "dense", 8, "dense_tolerance = 0.0\n");
    case.slidegrid("run --quiet --run run --config").arg(config).arg(path).exits(4);
    let markers = std::fs::read_dir(case.path("run/logs/predict")).unwrap();
    let marker = markers.map(Result::unwrap).next().unwrap();
    let message = std::fs::read_to_string(marker.path()).unwrap();
    assert!(message.contains("dense_tolerance = 0") && message.contains("--force"), "{message}");
    case.slidegrid("predict --quiet --run run --all --force").done();
    let dense = scores_meta(&case, "run").dense.unwrap();
    assert!(dense.forced && dense.rms > 0.0, "{dense:?}");
}

#[test]
fn patches_without_the_margin_are_refused_with_the_way_out() {
    let case = Case::new();
    let path = case.slide("slide.png", &slide(100, 100));
    let config = config(&case, &model_card("padded"), "window", 8, "");
    case.slidegrid("split --quiet --run run --config").arg(config).arg(path).done();
    case.slidegrid("master plan --run run").done();
    let dense = "predict --quiet --run run --slide slide --group 1 --method dense";
    case.slidegrid(dense).exits(3).mentions(&["[predict] method = \"dense\"", "0 px"]);
}

#[test]
fn a_cascade_of_few_positive_windows_screens_by_windows_further_apart() {
    let case = Case::new();
    let path = case.slide("slide.png", &slide(130, 171));
    let window = config(&case, &rare(&case), "window", 4, "");
    case.run("window", &window, &path, &[]);
    let window = case.heatmap("window", "slide");
    let middle = median(&window);
    let more = format!("refine_above = {middle}\naudit_bound = 0.05\ndense_tolerance = 0.0\n");
    let config = config(&case, &rare(&case), "cascade", 4, &more);
    case.run("cascade", &config, &path, &[]);
    let cascade = case.heatmap("cascade", "slide");
    let dense = scores_meta(&case, "cascade").dense.unwrap();
    let counts = cascade_counts(&case, "cascade");
    assert!(counts.refine_from <= f64::from(middle) + 1e-6);
    assert_eq!((counts.refine_to, counts.audited_high), (None, 0));
    assert!(!dense.open.is_empty() && counts.screen == Screen::Windows { step_px: 8 }, "{dense:?}");
    assert!(counts.coarse > 0 && counts.audited > 0, "{counts:?}");
    assert!(counts.refined > 0 && counts.screened > 0, "{counts:?}");
    // Scores above the threshold are exact; those below were screened.
    let (mut exact, mut screened) = (0, 0);
    for (cascade, window) in cascade.iter().zip(&window) {
        let same = (cascade - window).abs() < 1e-6;
        (exact, screened) = (exact + usize::from(same), screened + usize::from(!same));
        assert!(
            same || f64::from(*cascade) < counts.refine_from,
            "{cascade} for {window}: {dense:?}"
        );
    }
    assert!(exact as u64 >= counts.exact() && screened > 0, "{exact} {screened}");
    // Another tiling chooses the same points.
    case.run("other", &config, &path, &["tiling.block=3", "tiling.patches_per_group=2"]);
    assert_same(&cascade, &case.heatmap("other", "slide"), 2e-5);
}

#[test]
fn a_cascade_leaves_alone_what_its_screen_is_sure_of_on_request() {
    let case = Case::new();
    let path = case.slide("slide.png", &slide(130, 171));
    let card = model_card("padded");
    case.run("window", &config(&case, &card, "window", 6, ""), &path, &[]);
    let window = case.heatmap("window", "slide");
    // Most of this slide is positive.
    let high = f64::from(median(&window));
    assert!(high > 0.5, "{high}");
    let more = format!("refine_below = {high}\naudit_bound = 0.01\n");
    case.run("cascade", &config(&case, &card, "cascade", 6, &more), &path, &[]);
    let cascade = case.heatmap("cascade", "slide");
    let counts = cascade_counts(&case, "cascade");
    let to = counts.refine_to.unwrap();
    assert!(to >= high && counts.refined > 0 && counts.audited_high > 0, "{counts:?}");
    let mut left = 0;
    for (cascade, window) in cascade.iter().zip(&window) {
        let (same, score) = ((cascade - window).abs() < 1e-6, f64::from(*cascade));
        left += u64::from(!same && score >= to);
        assert!(same || score >= to || score < counts.refine_from, "{cascade} for {window}");
    }
    assert!(left > 0 && left <= counts.screened, "{left} of {counts:?}");
    let below = window.iter().zip(&cascade).filter(|(w, c)| **w < 0.5 && f64::from(**c) >= to);
    assert_eq!(below.count(), 0, "{counts:?}");
    assert_eq!(counts.refuted, 0, "{counts:?}");
}

#[test]
fn a_cascade_loses_no_detection_of_the_demo_network() {
    let case = Case::new();
    case.slidegrid("synth --out synth --slides 1 --tumor-fraction 1 --size 2000 --seed 3").done();
    let slide = case.path("synth/slides/demo_tumor_001.tif");
    let heatmaps = ["window", "cascade"].map(|method| {
        let text = format!(
            "[model]\ncard = {:?}\n[predict]\nstride = 48\nmethod = {method:?}\nengine = \"tract\"\naudit_bound = 0.02\n",
            case.path("synth/model/demo-padded.toml")
        );
        let config = case.write(&format!("{method}.toml"), text);
        case.run(method, &config, &slide, &[]);
        case.heatmap(method, "demo_tumor_001")
    });
    let [window, cascade] = &heatmaps;
    let detections = window.iter().zip(cascade).filter(|(window, _)| **window > 0.5);
    let (all, kept) = detections
        .fold((0, 0), |(all, kept), (_, cascade)| (all + 1, kept + usize::from(*cascade > 0.5)));
    assert!(all > 20, "{all} detections: another seed?");
    assert_eq!(kept, all);
    let path = case.path("cascade").join("scores/demo_tumor_001/t1.h5");
    let counts = read_scores(&path).unwrap().meta.cascade.unwrap();
    assert_eq!((counts.missed, counts.screen), (0, Screen::Dense), "{counts:?}");
    assert!(
        counts.screened > counts.refined && counts.missed_bound_of_slide() <= 0.02,
        "{counts:?}"
    );
    // Scores above the threshold are exact; those below were screened.
    for (window, cascade) in window.iter().zip(cascade).filter(|(window, _)| !window.is_nan()) {
        let same = (cascade - window).abs() < 1e-4;
        assert!(same || f64::from(*cascade) < counts.refine_from, "{cascade} for {window}");
    }
}

/// The counts of the cascades of all groups together.
fn cascade_counts(case: &Case, run: &str) -> CascadeMeta {
    let folder = case.path(run).join("scores/slide");
    let groups = (1..).map(|k| folder.join(format!("t{k}.h5"))).take_while(|path| path.exists());
    let mut counts = CascadeMeta::default();
    for meta in groups.map(|path| read_scores(&path).unwrap().meta) {
        let of = meta.cascade.unwrap();
        assert_eq!(of.points(), meta.windows);
        (counts.refine_from, counts.refine_to, counts.screen) =
            (of.refine_from, of.refine_to, of.screen);
        counts.refined += of.refined;
        counts.screened += of.screened;
        counts.audited += of.audited;
        counts.audited_high += of.audited_high;
        counts.refuted += of.refuted;
        counts.coarse += of.coarse;
    }
    counts
}

/// The middle score of a heatmap.
fn median(heatmap: &Array2<f32>) -> f32 {
    let mut scores: Vec<f32> = heatmap.slice(s![.., ..]).iter().copied().collect();
    scores.sort_by(f32::total_cmp);
    scores[scores.len() / 2]
}
