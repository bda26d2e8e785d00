//! The whole pipeline against `tests/reference/pipeline.py`, which makes masks,
//! patches, scores and heatmaps a second time with OpenSlide, OpenCV,
//! scikit-image and onnxruntime. `SLIDEGRID_TEST_PYTHON` names the Python that has them.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::common::reference::{self, printed};
use crate::common::{Case, model_card, needs, noise, repository};

/// Runs to compare, in one folder.
struct Parity {
    case: Case,
    ort_library: String,
    runs: Vec<PathBuf>,
}

impl Parity {
    fn new() -> Self {
        Self { case: Case::new(), ort_library: reference::ort_library(), runs: Vec::new() }
    }

    /// A synthetic slide, 0.25 um/px.
    fn synth(&self, width: u32, height: u32, seed: u32) -> PathBuf {
        let size = format!("--width {width} --height {height} --seed {seed}");
        let line = format!("synth --out synth --slides 1 --tumor-fraction 1 {size}");
        self.case.slidegrid(&line).done();
        self.case.path("synth/slides/demo_tumor_001.tif")
    }

    /// Runs the pipeline; `set` are configuration keys.
    fn run(&mut self, slide: &Path, card: &Path, engine: &str, set: &[&str]) {
        let name = format!("run{}-{}-{engine}", self.runs.len(), stem(card));
        let text = format!(
            "[model]\ncard = {card:?}\n[tissue]\nmethod = \"otsu-hs\"\n[predict]\nstride = 50\nthreads = 1\n[stitch]\npng = false\n"
        );
        let config = self.case.write("config.toml", text);
        let engine_key = format!("predict.engine={engine}");
        let library_key = format!("predict.ort_library={}", self.ort_library);
        let mut keys = [set, &[&engine_key]].concat();
        if engine == "ort" {
            keys.push(&library_key);
        }
        self.case.run(&name, &config, slide, &keys);
        self.runs.push(self.case.path(&name));
    }

    /// The reference's report on each run; each must be sound.
    fn compare(&self) -> Vec<Value> {
        let text = printed("pipeline.py", &self.runs);
        let reports: Vec<Value> = serde_json::from_str(&text).unwrap();
        assert_eq!(reports.len(), self.runs.len());
        for report in &reports {
            assert_eq!(report["ok"], true, "{report:#}");
            assert_eq!(report["mask_tiles_unexplained"], 0, "{report:#}");
            for counted in ["patches_checked", "points_checked", "tissue_tiles"] {
                assert!(report[counted].as_u64().unwrap() > 0, "{counted}: {report:#}");
            }
            let engine = report["engine"].as_str().unwrap().split(' ').next().unwrap();
            assert!(report["run"].as_str().unwrap().ends_with(engine), "{report:#}");
        }
        reports
    }
}

fn stem(path: &Path) -> &str {
    path.file_stem().unwrap().to_str().unwrap()
}

fn number(report: &Value, name: &str) -> f64 {
    report[name].as_f64().unwrap_or_else(|| panic!("{name}: {report:#}"))
}

/// Pixels are the slide's own and scores onnxruntime's.
fn assert_exact(report: &Value) {
    assert_eq!(report["exact_plane"], true, "{report:#}");
    let rounding = f64::from(u8::from(report["interpolated"] == true));
    assert!(number(report, "max_pixel_difference") <= rounding, "{report:#}");
    assert!(number(report, "max_abs_score_difference") <= 1e-4, "{report:#}");
}

/// A slide of 2,304 x 2,056 px: the last tile of each row and column is ragged
/// and stride 50 divides neither tile nor block.
#[test]
fn synthetic_slides_score_as_onnxruntime_scores_them() {
    let mut parity = Parity::new();
    let slide = parity.synth(2304, 2056, 3);
    let level0 = "model.mpp=level0";
    let runs: [(&str, &str, &[&str]); 8] = [
        ("padded", "tract", &["tiling.block=1", "tiling.patches_per_group=7"]),
        ("padded", "ort", &["tiling.compression=gzip"]),
        ("valid", "tract", &["tiling.group_memory_mb=6"]),
        ("valid", "ort", &["tiling.block=1", "tiling.compression=gzip"]),
        ("nhwc", "tract", &["tiling.block=3", "predict.stride=37"]),
        ("nhwc", "ort", &["tiling.tile=100", "predict.batch=5"]),
        // A window of 51 px.
        ("odd", "tract", &["tiling.block=3"]),
        ("odd", "ort", &["predict.stride=37"]),
    ];
    for (network, engine, set) in runs {
        parity.run(&slide, &model_card(network), engine, &[&[level0], set].concat());
    }
    let card = preparing_card(&parity.case);
    for engine in ["tract", "ort"] {
        parity.run(&slide, &card, engine, &[level0]);
    }
    for card in demo_networks() {
        for engine in ["tract", "ort"] {
            parity.run(&slide, &card, engine, &["predict.stride=224", level0]);
        }
    }
    for report in parity.compare() {
        assert_exact(&report);
        assert_eq!(report["mask_tiles_differing"], 0, "{report:#}");
        // Means of a coarser level round differently, and its pixels do not
        // split where tiles of 100 px end: tiles at a threshold change sides.
        assert!(number(&report, "max_tile_mean_difference_from_level_0") <= 8.0, "{report:#}");
        let tiles = number(&report, "mask_tiles");
        assert!(number(&report, "mask_tiles_differing_from_level_0") <= 0.03 * tiles, "{report:#}");
    }
}

/// The padded network with a card whose every preparation step matters.
fn preparing_card(case: &Case) -> PathBuf {
    let onnx = model_card("padded").with_extension("onnx");
    case.write(
        "preparing.toml",
        format!(
            "file = {onnx:?}\nwindow = 64\nmpp = 0.5\nlayout = \"nchw\"\nrange = \"signed\"\n\
             mean = [-0.3, 0.1, 0.45]\nstd = [0.4, 1.5, 0.7]\nchannels = \"bgr\"\n\
             classes = [\"tumor\", \"normal\"]\npositive = \"tumor\"\nactivation = \"sigmoid\"\n"
        ),
    )
}

/// The demo networks, with padding and without.
fn demo_networks() -> Vec<PathBuf> {
    let mut cards: Vec<_> = std::fs::read_dir(repository("configs/models"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            stem(path).starts_with("demo-") && path.extension().is_some_and(|e| e == "toml")
        })
        .collect();
    cards.sort();
    assert_eq!(cards.len(), 2, "{cards:?}");
    cards
}

/// Noise with transparent parts, the hardest picture to resample.
fn transparent_noise(case: &Case, width: usize, height: usize) -> PathBuf {
    let path = case.path("noise.png");
    let (rgb, alpha) = (noise(height, width, 11), noise(height, width, 12));
    let mut picture = image::RgbaImage::new(width.try_into().unwrap(), height.try_into().unwrap());
    for (x, y, pixel) in picture.enumerate_pixels_mut() {
        let at = |channel| [y as usize, x as usize, channel];
        // Half the picture is opaque.
        let opacity = if x < 400 { 255 } else { alpha[at(0)] };
        *pixel = image::Rgba([rgb[at(0)], rgb[at(1)], rgb[at(2)], opacity]);
    }
    picture.save(&path).unwrap();
    path
}

#[test]
fn pictures_are_seen_as_pillow_sees_them() {
    let mut parity = Parity::new();
    let slide = transparent_noise(&parity.case, 901, 733);
    let set = ["model.mpp=level0", "tiling.tile=48", "tiling.block=2", "predict.stride=29"];
    for engine in ["tract", "ort"] {
        parity.run(&slide, &model_card("valid"), engine, &set);
    }
    parity.compare().iter().for_each(assert_exact);
}

#[test]
fn a_level_of_the_right_resolution_is_taken_as_it_is() {
    let mut parity = Parity::new();
    // Odd sides: the level of half resolution has half a pixel less.
    let slide = parity.synth(2301, 2049, 6);
    parity.run(&slide, &model_card("padded"), "tract", &["model.mpp=0.5", "tiling.block=1"]);
    parity.run(&slide, &model_card("nhwc"), "ort", &["model.mpp=0.5", "tiling.tile=64"]);
    for report in parity.compare() {
        assert_exact(&report);
    }
}

#[test]
fn resampled_slides_are_pillows_to_two_grey_levels() {
    let mut parity = Parity::new();
    let picture = transparent_noise(&parity.case, 901, 733);
    let given = "slides.mpp=0.25";
    for mpp in ["model.mpp=0.5", "model.mpp=0.41"] {
        let set = [mpp, given, "tiling.tile=48", "predict.stride=29"];
        parity.run(&picture, &model_card("valid"), "tract", &set);
    }
    let slide = parity.synth(2301, 2049, 6);
    for mpp in ["model.mpp=0.4", "model.mpp=0.8"] {
        parity.run(&slide, &model_card("padded"), "ort", &[mpp, "tiling.tile=100"]);
    }
    for report in parity.compare() {
        assert_eq!(report["exact_plane"], false, "{report:#}");
        assert!(number(&report, "max_pixel_difference") <= 2.0, "{report:#}");
        // On the pixels that the patches hold, scores agree without a tolerance for resampling.
        assert!(number(&report, "max_abs_score_difference_on_stored_pixels") <= 1e-4, "{report:#}");
        assert!(number(&report, "max_abs_score_difference") <= 0.05, "{report:#}");
    }
}

#[test]
fn a_real_slide_scores_as_onnxruntime_scores_it() {
    let mut parity = Parity::new();
    let slide = needs::shared_data("slides/CMU-1-Small-Region.svs");
    for network in ["padded", "valid"] {
        for (engine, block) in [("tract", "tiling.block=1"), ("ort", "tiling.block=4")] {
            // The cards ask for 0.5 um/px and the slide has 0.499.
            parity.run(&slide, &model_card(network), engine, &[block]);
        }
    }
    parity.compare().iter().for_each(assert_exact);
}
