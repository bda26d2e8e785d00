//! Exports: other programs read every score in its place, and exports are made when they are
//! requested.
//!
//! The readers are Python packages (tests/reference/read_exports.py), see CONTRIBUTING.md;
//! tests that need no reader run without them.
#![expect(clippy::cast_possible_truncation, reason = "tests count small numbers")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::common::{Case, noise, reference};
use ndarray::Array2;
use slidegrid::heatmap_h5::{HeatmapMeta, HeatmapWriter};

const FORMATS: [&str; 6] = ["asap", "ome-tiff", "ome-zarr", "geojson", "csv", "deepzoom"];
const SUFFIXES: [&str; 6] =
    ["_likelihood_map.tif", ".ome.tif", ".ome.zarr", ".geojson.gz", ".csv", ".dzi"];

/// A heatmap of a slide of `width` x `height` level-0 px; `mpp` per level-0 px.
fn meta(stride: u32, downsample: f64, [width, height]: [u32; 2], mpp: Option<f64>) -> HeatmapMeta {
    let working = |px: u32| ((f64::from(px) / downsample - 1e-6).ceil() as u32).max(1);
    HeatmapMeta {
        slide: "slide".into(),
        stride_px: stride,
        window_px: 64,
        downsample,
        mpp_x: mpp.map(|mpp| mpp * downsample),
        mpp_y: mpp.map(|mpp| mpp * downsample),
        width_px: working(width),
        height_px: working(height),
        level0_width_px: width,
        level0_height_px: height,
        classes: vec!["normal".into(), "tumor, µ".into()],
        positive: 1,
        method: "window".into(),
        ..HeatmapMeta::default()
    }
}

/// Different scores above 0 for all points but some.
fn scores(meta: &HeatmapMeta, seed: u64) -> Array2<f32> {
    let (rows, cols) = meta.shape();
    let mut state = seed | 1;
    let step = 1.0 / (rows * cols + 1) as f32;
    Array2::from_shape_fn((rows, cols), |(row, col)| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let number = (row * cols + col + 1) as f32 * step;
        if state.is_multiple_of(4) { f32::NAN } else { number }
    })
}

fn write(path: &Path, meta: &HeatmapMeta, score: &Array2<f32>, all_classes: bool) {
    let mut writer = HeatmapWriter::create(path, meta, score.view()).unwrap();
    if all_classes {
        writer.write_class(0, score.mapv(|v| 1.0 - v).view()).unwrap();
        writer.write_class(1, score.view()).unwrap();
    }
    writer.finish().unwrap();
}

/// `slidegrid export FILE --format ...` of all formats, beside the file.
fn export_all(case: &Case, file: &Path) {
    let formats = FORMATS.iter().flat_map(|format| ["--format", format]);
    case.slidegrid("export -q").arg(file).args(formats).done();
}

/// Number of files of each kind that the Python readers found correct.
fn checked(folder: &Path) -> BTreeMap<String, usize> {
    serde_json::from_str(&reference::printed("read_exports.py", [folder])).unwrap()
}

/// Sizes and strides where exports could go wrong, and random ones.
fn cases() -> Vec<HeatmapMeta> {
    let mut metas = vec![
        meta(16, 1.0, [1600, 800], Some(0.25)),
        meta(7, 1.0, [333, 1001], Some(0.243)),
        meta(224, 1.0, [2220, 2967], Some(0.499)),
        meta(1, 1.0, [37, 21], Some(0.5)),
        meta(16, 0.25 / 0.243, [1711, 903], Some(0.243)),
        meta(16, 0.5, [300, 200], Some(0.5)),
        // One point; a slide smaller than the stride, thin, of one pixel.
        meta(64, 1.0, [64, 64], Some(0.25)),
        meta(224, 1.0, [50, 90], None),
        meta(8, 1.0, [3, 1000], Some(0.25)),
        meta(16, 1.0, [1, 1], Some(0.25)),
        // More than a tile, a chunk, a shard.
        meta(2, 1.0, [4500, 40], Some(0.25)),
    ];
    let mut state = 0x5eed_u64;
    let mut next = |most: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 33) % most
    };
    for _ in 0..10 {
        let stride = 1 + next(90) as u32;
        let downsample = [1.0, 1.02 + next(300) as f64 / 100.0][next(2) as usize];
        let side = |n: u64| 1 + (n as f64 * f64::from(stride) * downsample / 10.0) as u32;
        let size = [side(next(400)), side(next(400))];
        metas.push(meta(stride, downsample, size, Some(0.2 + next(100) as f64 / 100.0)));
    }
    metas
}

#[test]
fn every_reader_finds_every_score_in_its_place() {
    let case = Case::new();
    let folder = case.path("heatmaps");
    let metas = cases();
    for (number, meta) in metas.iter().enumerate() {
        let score = scores(meta, number as u64 * 77 + 1);
        let file = folder.join(format!("case{number}.h5"));
        write(&file, meta, &score, number % 2 == 0);
        export_all(&case, &file);
    }
    let empty = meta(16, 1.0, [400, 300], Some(0.25));
    let missing = HeatmapMeta {
        missing_groups: [2u32, 3].map(|k| k.try_into().unwrap()).to_vec(),
        ..empty.clone()
    };
    for (name, meta) in [("empty", empty), ("missing", missing)] {
        let score = Array2::from_elem(meta.shape(), f32::NAN);
        write(&folder.join(format!("{name}.h5")), &meta, &score, true);
        export_all(&case, &folder.join(format!("{name}.h5")));
    }
    let heatmaps = metas.len() + 2;
    for suffix in SUFFIXES {
        let files = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name());
        let found = files.filter(|name| name.to_string_lossy().ends_with(suffix)).count();
        assert_eq!(found, heatmaps, "{suffix}");
    }
    let expected = FORMATS.map(|format| (format.to_owned(), heatmaps));
    assert_eq!(checked(case.folder()), BTreeMap::from(expected));
}

#[test]
fn an_export_made_again_is_the_same_and_replaces_the_old() {
    let case = Case::new();
    let file = case.path("heatmaps/a.h5");
    let meta = meta(16, 1.0, [1000, 700], Some(0.25));
    write(&file, &meta, &scores(&meta, 5), false);
    export_all(&case, &file);
    let before = files_below(file.parent().unwrap());
    assert!(before.len() > 15, "{before:?}");
    export_all(&case, &file);
    assert!(
        before == files_below(file.parent().unwrap()),
        "files differ, or temporary ones are left"
    );
}

/// Every file of a folder, by path.
fn files_below(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => all.extend(files_below(&path)),
            false => drop(all.insert(path.clone(), fs::read(&path).unwrap())),
        }
    }
    all
}

fn features(path: &Path) -> Vec<serde_json::Value> {
    let mut text = String::new();
    let mut packed = flate2::read::GzDecoder::new(fs::File::open(path).unwrap());
    std::io::Read::read_to_string(&mut packed, &mut text).unwrap();
    let collection: serde_json::Value = serde_json::from_str(&text).unwrap();
    collection["features"].as_array().unwrap().clone()
}

#[test]
fn geojson_holds_the_requested_features() {
    let case = Case::new();
    let file = case.path("a.h5");
    // Points 4 um apart: the default radius of 187 um is 47 points.
    let meta = meta(16, 1.0, [1600, 1600], Some(0.25));
    let mut score = Array2::from_elem(meta.shape(), 0.25_f32);
    score[[10, 20]] = 0.875;
    score[[12, 22]] = 0.75;
    score[[80, 90]] = 0.625;
    score[[0, 0]] = f32::NAN;
    write(&file, &meta, &score, false);
    let export = |more: &str| {
        case.slidegrid(&format!("export -q a.h5 --format geojson {more}")).done();
        features(&case.path("a.geojson.gz"))
    };
    assert_eq!(export("").len(), 3);
    assert_eq!(export("--min-score 0").len(), 100 * 100 - 1);
    assert_eq!(export("--min-score 0.7").len(), 2);
    let found = export("--objects detections");
    assert_eq!(found.len(), 2, "the second maximum is within the first one's reach");
    let first = &found[0];
    assert_eq!(first["properties"]["objectType"], "detection");
    assert_eq!(first["properties"]["measurements"]["prob_tumor, µ"], 0.875);
    // The window of 64 px centred on x = 320, y = 160.
    let ring = serde_json::json!([[[352, 128], [352, 192], [288, 192], [288, 128], [352, 128]]]);
    let numbers = |value: &serde_json::Value| value.to_string().replace(".0", "");
    assert_eq!(numbers(&first["geometry"]["coordinates"]), numbers(&ring));
}

#[test]
fn detections_need_a_resolution_and_the_error_says_so() {
    let case = Case::new();
    let file = case.path("a.h5");
    let meta = meta(16, 1.0, [160, 160], None);
    write(&file, &meta, &scores(&meta, 5), false);
    case.slidegrid("export -q a.h5 --format geojson --objects detections").exits(4);
    assert!(!case.path("a.geojson.gz").exists());
}

const STITCHED: &str = "mpp = \"level0\"\n[tissue]\nmethod = \"all\"\n[tiling]\ntile = 24\nblock = 2\npatches_per_group = 3\n[predict]\nstride = 8\nengine = \"tract\"\nthreads = 1\n[stitch]\nexport = [\"asap\", \"csv\"]\n";

#[test]
fn a_run_writes_its_exports_and_only_what_is_missing() {
    let case = Case::new();
    let slide = case.slide("slide.png", &noise(90, 110, 3));
    let config = case.config("config.toml", "centre32", STITCHED);
    case.run("run", &config, &slide, &[]);
    let folder = case.path("run/heatmaps");
    let file = |suffix: &str| folder.join(format!("slide{suffix}"));
    let (asap, csv) = (file("_likelihood_map.tif"), file(".csv"));
    let modified = |path: &Path| fs::metadata(path).unwrap().modified().unwrap();
    let before = [&asap, &file(".h5"), &file(".png")].map(|path| modified(path));
    assert!(csv.exists() && !file(".geojson.gz").exists());
    fs::remove_file(&csv).unwrap();
    // Another export is no other run.
    let wish = format!("stitch.export={FORMATS:?}");
    case.slidegrid("stitch -q --run run --all").set(&[wish.as_str()]).done();
    assert_eq!(before, [&asap, &file(".h5"), &file(".png")].map(|path| modified(path)));
    assert!(SUFFIXES.iter().all(|suffix| file(suffix).exists()));
    // Another place, from the run.
    case.slidegrid("export -q --run run --all --format csv --out elsewhere").done();
    let elsewhere = case.path("elsewhere/slide.csv");
    assert_eq!(fs::read(elsewhere).unwrap(), fs::read(&csv).unwrap());
    fs::remove_dir_all(case.path("run/patches")).unwrap();
    let expected = FORMATS.map(|format| (format.to_owned(), 1));
    assert_eq!(checked(&case.path("run")), BTreeMap::from(expected));
}

#[test]
fn split_writes_the_coordinates_of_its_tiles() {
    let case = Case::new();
    let path = case.slide("slide.png", &noise(150, 170, 3));
    let mask = noise(6, 7, 11).slice(ndarray::s![.., .., 0]).mapv(|v| u8::from(v < 128));
    let mask = case.mask("mask.png", &mask);
    for (name, mpp, coords) in
        [("a", "0.515", "[\"clam\", \"trident\"]"), ("b", "\"level0\"", "\"clam\"")]
    {
        let config = case.write(
            "config.toml",
            format!(
                "[tissue]\nmethod = \"mask\"\nmask = {mask:?}\n[model]\nmpp = {mpp}\n[slides]\nmpp = 0.5\n[tiling]\ntile = 24\nwindow = 32\ncoords = {coords}\n"
            ),
        );
        let run = case.path(name);
        case.slidegrid("split -q --run").arg(&run).arg("--config").arg(config).arg(&path).done();
        let clam = run.join("coords/slide.h5");
        assert!(clam.exists());
        let written = fs::metadata(&clam).unwrap().modified().unwrap();
        assert_eq!(run.join("coords/slide_patches.h5").exists(), name == "a");
        // Requested later, the file is made from the existing patches.
        let wish = "tiling.coords=[\"clam\",\"trident\"]";
        case.slidegrid("split -q --run").arg(&run).set(&[wish]).done();
        assert!(run.join("coords/slide_patches.h5").exists());
        assert_eq!(fs::metadata(&clam).unwrap().modified().unwrap(), written);
        let out = case.path("again");
        let patches = run.join("patches/slide.h5");
        let export = || case.slidegrid("export -q --format clam-coords").arg(&patches);
        export().arg("--out").arg(&out).done();
        assert!(out.join("slide.h5").exists());
        // CLAM's file has the name of the patch file and must not replace it.
        let before = fs::read(&patches).unwrap();
        let above = patches.parent().unwrap();
        export().arg("--out").arg(above).exits(4);
        export().exits(2);
        assert!(fs::read(&patches).unwrap() == before);
    }
    for name in ["a", "b"] {
        let expected = [("clam".to_owned(), 1), ("trident".to_owned(), 1)];
        assert_eq!(checked(&case.path(name)), BTreeMap::from(expected));
    }
}

#[test]
fn what_cannot_be_exported_is_named() {
    let case = Case::new();
    case.write("text.h5", "no HDF5");
    case.slidegrid("export -q text.h5 --format asap").exits(4);
    case.slidegrid("export --run none --all --format csv").exits(3).mentions(&["run.toml"]);
}
