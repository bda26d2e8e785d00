//! The contents of the report's files.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use libdeflater::Decompressor;
use serde_json::Value;

use crate::common::Case;
use crate::report::cohort::{SIZE, SPOT, report, run};

/// [`crate::report::cohort::ODD`] as a folder.
const ODD_FOLDER: &str = "odd~20~3Cb~3E~26~27~22~20~2350~25~3F~20~C3~A9";

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// The argument of the last call in a script.
fn argument(path: &Path, call: &str) -> Value {
    let text = read(path);
    let line = text.lines().find(|line| line.starts_with(call)).unwrap();
    let (_, rest) = line.split_once(", ").unwrap();
    serde_json::from_str(rest.strip_suffix(");").unwrap()).unwrap()
}

fn base64(text: &str) -> Vec<u8> {
    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut bytes, mut bits, mut held) = (Vec::new(), 0_u32, 0);
    for character in text.trim_end_matches('=').chars() {
        bits = bits << 6 | u32::try_from(ALPHABET.find(character).unwrap()).unwrap();
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push(u8::try_from(bits >> held & 255).unwrap());
        }
    }
    bytes
}

/// Rows, columns and bytes of a layer.
fn cells(layer: &Value) -> (usize, usize, Vec<u8>) {
    let side = |name: &str| usize::try_from(layer[name].as_u64().unwrap()).unwrap();
    let (rows, cols) = (side("rows"), side("cols"));
    let packed = base64(layer["data"].as_str().unwrap());
    let mut bytes = vec![0; rows * cols];
    let length = Decompressor::new().zlib_decompress(&packed, &mut bytes).unwrap();
    assert_eq!(length, rows * cols);
    (rows, cols, bytes)
}

/// Rows of the table, in order: the tags and text of each.
fn rows(page: &str) -> Vec<&str> {
    page.split("<tr data-folder").skip(1).map(|rest| rest.split("</tr>").next().unwrap()).collect()
}

#[test]
fn the_page_lists_the_outcome_of_every_slide() {
    let case = Case::new();
    run(&case);
    assert_eq!(report(&case, &[]), "run/report/index.html\n");
    let page = read(&case.path("run/report/index.html"));
    let rows = rows(&page);
    let states: Vec<&str> = (rows.iter())
        .map(|row| row.split("data-state=\"").nth(1).unwrap().split('"').next().unwrap())
        .collect();
    assert_eq!(states, ["failed", "failed", "no-tissue", "done"]);
    assert!(rows[0].contains(">broken</a>") && rows[0].contains("truncated"), "{}", rows[0]);
    assert!(rows[2].contains("no tissue found"), "{}", rows[2]);
    assert!(rows[3].contains(">tumor</td>") && rows[3].contains(">0.9"), "{}", rows[3]);

    // The odd slide, in HTML, in its address and as a folder.
    let odd = rows[1];
    assert!(odd.contains(">odd &lt;b&gt;&amp;&#39;&quot; #50%? é</a>"), "{odd}");
    assert!(odd.contains("#slide=odd%20%3Cb%3E%26%27%22%20%2350%25%3F%20%C3%A9\""), "{odd}");
    assert!(odd.contains(&format!("=\"{ODD_FOLDER}\"")), "{odd}");
    assert!(odd.contains("groups without scores: 2"), "{odd}");
    assert!(odd.contains("&lt;script&gt;alert(1)&lt;/script&gt;"), "{odd}");
    assert!(!page.contains("<script>alert") && !page.contains("<b>&"));
    let facts = read(&case.path("run/report/slides").join(ODD_FOLDER).join("facts.js"));
    assert!(facts.contains("\\u003cscript>alert(1)") && !facts.contains('<'), "{facts}");

    // Every file that the page shows lies beside the page.
    assert!(!page.contains("http:") && !page.contains("https:"), "an address of a network");
    for text in ["tract", "model_sha256", "Groups without scores", "run.toml", "core-hours"] {
        assert!(page.contains(text), "{text}");
    }
}

#[test]
fn maps_lie_where_the_slide_is() {
    let case = Case::new();
    run(&case);
    report(&case, &[]);
    let layers = argument(&case.path("run/report/slides/spot/layers.js"), "slidegrid.layers(");
    // Working px are 2 level-0 px, and points 8 working px apart.
    let heat = &layers["heat"];
    assert_eq!((heat["cell"].as_f64(), heat["origin"].as_f64()), (Some(16.0), Some(-8.0)));
    let (rows, cols, bytes) = cells(heat);
    let map = case.heatmap("run", "spot");
    assert_eq!(map.dim(), (rows, cols));
    for ((row, col), &score) in map.indexed_iter() {
        let byte = bytes[row * cols + col];
        let found = (f32::from(byte) - 1.0) / 254.0;
        assert_eq!(byte == 0, score.is_nan());
        assert!(byte == 0 || (found - score).abs() <= 0.5 / 254.0 + 1e-6, "{found} {score}");
        // Points on the spot's border see pixels of both sides.
        let (x, y) = (16 * col, 16 * row);
        let on = |least: usize, most: usize, at: usize, away: usize| {
            at >= least + away && at + away < most
        };
        let inside = on(SPOT[0], SPOT[2], x, 2) && on(SPOT[1], SPOT[3], y, 2);
        let outside = x + 2 < SPOT[0] || x >= SPOT[2] + 2 || y + 2 < SPOT[1] || y >= SPOT[3] + 2;
        assert!(!inside || byte > 230, "({x}, {y}) is {byte}");
        assert!(!outside || byte < 128, "({x}, {y}) is {byte}");
    }
    let size = [SIZE[0] as f64, SIZE[1] as f64];
    assert_eq!(layers["size"], serde_json::json!(size));
    assert_eq!(layers["picture"], serde_json::json!(size));
    assert_eq!(layers["mpp"], 0.5);
    let corners: Vec<f64> =
        serde_json::from_value(layers["truth"]["outlines"][0]["points"].clone()).unwrap();
    assert_eq!(corners[..4], [SPOT[0], SPOT[1], SPOT[2], SPOT[1]].map(|px| px as f64));
    let found = layers["detections"].as_array().unwrap();
    assert_eq!(found.len(), 1);
    let [x, y] = [&found[0][1], &found[0][2]].map(|at| at.as_f64().unwrap());
    assert!((x - 400.0).abs() <= 8.0 && (y - 160.0).abs() <= 8.0, "{x} {y}");
    let (tile_rows, tile_cols, tissue) = cells(&layers["tissue"]);
    assert_eq!((tile_rows, tile_cols, layers["tissue"]["cell"].as_f64()), (15, 20, Some(32.0)));
    assert_eq!((tissue[0], tissue[7 * tile_cols + 10]), (0, 1));

    // Where a group failed there is tissue without scores.
    let odd = case.path("run/report/slides").join(ODD_FOLDER);
    let layers = argument(&odd.join("layers.js"), "slidegrid.layers(");
    let (_, _, tissue) = cells(&layers["tissue"]);
    assert_eq!([0, 1, 2].map(|kind| tissue.contains(&kind)), [true; 3]);
    assert!(!layers["heat"].is_null() && layers["truth"].is_null());
    assert!(odd.join("slide.jpg").exists() && odd.join("thumb.jpg").exists());
}

#[test]
fn a_second_report_makes_only_what_changed() {
    let case = Case::new();
    let run = run(&case);
    report(&case, &[]);
    let file = |slide: &str, name: &str| run.join("report/slides").join(slide).join(name);
    let inode = |slide: &str, name: &str| fs::metadata(file(slide, name)).unwrap().ino();
    let (spot, glass) = (inode("spot", "slide.jpg"), inode("glass", "layers.js"));
    let page = fs::metadata(run.join("report/index.html")).unwrap().ino();
    report(&case, &[]);
    assert_eq!((spot, glass), (inode("spot", "slide.jpg"), inode("glass", "layers.js")));
    assert_ne!(page, fs::metadata(run.join("report/index.html")).unwrap().ino());
    // A heatmap with another time of change is drawn again.
    let heatmap = run.join("heatmaps/spot.h5");
    let bytes = fs::read(&heatmap).unwrap();
    fs::write(&heatmap, bytes).unwrap();
    report(&case, &[]);
    assert_ne!(spot, inode("spot", "slide.jpg"));
    assert_eq!(glass, inode("glass", "layers.js"));
}

#[test]
fn damage_is_reported_and_the_rest_is_shown() {
    let case = Case::new();
    let run = run(&case);
    // No patches any more, and no slide either; a heatmap cut short.
    fs::remove_file(run.join("patches/spot.h5")).unwrap();
    fs::remove_file(case.path("slides/spot.png")).unwrap();
    let out = case.path("elsewhere");
    let command = || case.slidegrid("report -q --json --run run --out elsewhere");
    let summary = command().json();
    assert_eq!((&summary["slides"], &summary["states"]["done"]), (&4.into(), &1.into()));
    let layers = argument(&out.join("slides/spot/layers.js"), "slidegrid.layers(");
    assert!(layers["picture"].is_null() && !layers["heat"].is_null(), "{layers}");
    assert!(layers["notes"][0].as_str().unwrap().contains("spot.png"), "{layers}");

    fs::write(run.join("heatmaps/spot.h5"), "not HDF5").unwrap();
    command().exits(5).mentions(&["spot.h5", "damaged"]);
    let page = read(&out.join("index.html"));
    assert!(rows(&page).iter().any(|row| row.contains(">spot</a>") && row.contains("\"failed\"")));
}

#[test]
fn a_study_is_shown_and_not_run() {
    let case = Case::new();
    let run = run(&case);
    let study = run.join("study");
    fs::create_dir_all(study.join("detections/window-8")).unwrap();
    fs::write(study.join("detections/window-8/spot.csv"), "0.75,100,120\n").unwrap();
    let settings = serde_json::json!([{
        "source": "window", "stride_px": 8, "auc": 0.875, "auc_change": 0.0,
        "auc_interval_95": {"low": 0.5, "high": 1.0}, "froc_score": null,
        "froc_interval_95": null, "lesions": 3, "lesions_hit": 2, "false_positives": 1,
        "windows": 1234567, "core_hours": 0.5, "saving": 0.0,
        "slides": [{"name": "spot", "is_tumor": true, "score": 0.625, "lesions": 3,
                    "lesions_hit": 2, "false_positives": 1}],
        "coverage": [
            {"slide": "spot", "lesion": 1, "x": 100, "y": 120, "major_axis_um": 310.4,
             "is_itc": false, "points": 3147, "scored": 5, "share": 5.0 / 3147.0, "score": null,
             "reason": null},
            {"slide": "spot", "lesion": 2, "x": 300, "y": 320, "major_axis_um": 410.0,
             "is_itc": false, "points": 50, "scored": 0, "share": 0.0, "score": null,
             "reason": "not scored: <outside>"},
            {"slide": "spot", "lesion": 3, "x": 500, "y": 520, "major_axis_um": 110.0,
             "is_itc": true, "points": 9, "scored": 0, "share": 0.0, "score": null,
             "reason": null},
        ],
    }]);
    let json = serde_json::json!({
        "version": 1, "slides": 4, "tumor_slides": 1, "rules": "Rules <here>.",
        "settings": settings,
    });
    fs::write(study.join("study.json"), json.to_string()).unwrap();
    fs::write(study.join("roc.svg"), "<svg xmlns='x'><script>alert(2)</script></svg>").unwrap();
    report(&case, &[]);
    let page = read(&run.join("report/index.html"));
    assert!(page.contains("Rules &lt;here&gt;.") && page.contains("0.875"), "study's table");
    assert!(page.contains("data:image/svg+xml;base64,") && !page.contains("alert(2)"));
    assert!(page.contains("window, stride 8: 2 of 2 lesions to find have scores on less"));
    assert!(
        page.contains("<td>5 of 3\u{202f}147</td><td>0.2 %</td><td>missed</td>"),
        "its lesions"
    );
    assert!(
        page.contains("<td>missed: not scored: &lt;outside&gt;</td>") && !page.contains("of 9<")
    );
    assert!(rows(&page).iter().any(|row| row.contains(">spot</a>") && row.contains(">0.625</td>")));
    let layers = argument(&run.join("report/slides/spot/layers.js"), "slidegrid.layers(");
    assert_eq!(layers["detections"], serde_json::json!([[0.75, 100.0, 120.0]]));
    fs::write(study.join("study.json"), "{}").unwrap();
    case.slidegrid("report -q --run run").exits(4).mentions(&["study.json", "slidegrid study"]);
}
