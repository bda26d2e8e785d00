//! `tests/reference/tissue_judge.py` on cases whose figures are known.

use std::fs;
use std::path::Path;

use image::{GrayImage, Luma};
use serde_json::{Value, json};
use slidegrid::internal::synth::{Cohort, make};

use crate::common::{Case, reference};

const SLIDE: &str = "demo_tumor_001";

/// 10 x 7 tiles of 224 px.
const SIZE: (u32, u32) = (2240, 1568);

fn split(case: &Case, run: &str, mask: &Path) {
    let mask = format!("tissue.mask=\"{}\"", mask.display());
    let line = "split -q --threads 1 --config quickstart.toml --run";
    let command = case.slidegrid(line).arg(run).set(&["tissue.method=\"mask\"", &mask]);
    command.arg(format!("slides/{SLIDE}.tif")).done();
}

/// Exit code, and the line about the slide.
fn judged(folder: &Path, run: &str, truth: [&str; 2]) -> (i32, String) {
    let mut command = reference::script("tissue_judge.py");
    command.arg(folder.join(run)).arg(truth[0]).arg(folder.join(truth[1]));
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let code = output.status.code().unwrap();
    assert!(code < 2, "{text}{}", String::from_utf8_lossy(&output.stderr));
    (code, text.lines().next().unwrap().to_owned())
}

/// A rectangle of tiles (left, top, right, bottom), as QuPath would write it.
fn feature(class: &str, tiles: [f64; 4]) -> Value {
    let [left, top, right, bottom] = tiles.map(|tile| tile * 224.0);
    let ring = [[left, top], [right, top], [right, bottom], [left, bottom], [left, top]];
    json!({
        "type": "Feature",
        "properties": {"classification": {"name": class}},
        "geometry": {"type": "Polygon", "coordinates": [ring]},
    })
}

#[test]
fn the_judge_counts_areas_and_holds_them_to_its_bar() {
    let case = Case::new();
    let folder = case.folder();
    let cohort = Cohort {
        slides: 1,
        seed: 5,
        width_px: SIZE.0,
        height_px: SIZE.1,
        um_per_px: 0.25,
        tumor_fraction: 1.0,
        threads: 1,
        force: false,
    };
    make(&cohort, folder, |_| {}).unwrap();

    // Outlines: five columns and four rows of tiles are marked, from (2, 1).
    let mask = GrayImage::from_fn(10, 7, |x, y| {
        Luma([if (2..7).contains(&x) && (1..5).contains(&y) { 255 } else { 0 }])
    });
    let path = folder.join("five_by_four.png");
    mask.save(&path).unwrap();
    split(&case, "rectangle", &path);
    fs::create_dir(folder.join("outlines")).unwrap();
    let outlined = |features: &[&Value], uncertain_px: f64| {
        let collection = json!({
            "type": "FeatureCollection", "uncertain_px": uncertain_px, "features": features,
        });
        let file = folder.join(format!("outlines/{SLIDE}.geojson"));
        fs::write(file, collection.to_string()).unwrap();
        judged(folder, "rectangle", ["--outlines", "outlines"])
    };
    let all = feature("tissue", [2.0, 1.0, 7.0, 5.0]);
    let holds = |found: (i32, String), code: i32, parts: &[&str]| {
        assert_eq!(found.0, code, "{}", found.1);
        assert!(parts.iter().all(|part| found.1.contains(part)), "{} {parts:?}", found.1);
    };
    holds(outlined(&[&all], 0.0), 0, &["tissue 1.0000", "(0 of 20)", "  ok"]);
    // Half a column of tissue too many: 5 of 5.5, and with a band of a quarter tile
    // 4.75 x 3.5 of 5 x 3.5.
    let wide = feature("tissue", [2.0, 1.0, 7.5, 5.0]);
    holds(outlined(&[&wide], 0.0), 1, &["tissue 0.9091", "tissue left out"]);
    holds(outlined(&[&wide], 56.0), 1, &["tissue 0.9500"]);
    let unclear = feature("uncertain", [6.9, 0.0, 9.0, 7.0]);
    holds(outlined(&[&wide, &unclear], 0.0), 0, &["1.0000"]);
    // A column without tissue is four tiles of twenty; as fat it is none.
    let narrow = feature("tissue", [2.0, 1.0, 6.0, 5.0]);
    holds(outlined(&[&narrow], 0.0), 1, &["empty 0.2000 (4 of 20)", "empty tiles"]);
    let ink = feature("pen", [6.0, 1.0, 7.0, 5.0]);
    holds(outlined(&[&narrow, &ink], 0.0), 1, &["(4 of 20)"]);
    let fat = feature("fat", [6.0, 1.0, 8.0, 5.0]);
    holds(outlined(&[&narrow, &fat], 0.0), 0, &["fat 0.5000", "(0 of 20)"]);
    let lesion = feature("lesion", [6.2, 2.0, 7.2, 3.0]);
    holds(outlined(&[&all, &lesion], 0.0), 1, &["lesion 0.8000", "1 of 1 lesions left out"]);
    holds(outlined(&[], 0.0), 1, &["empty 1.0000 (20 of 20)"]);

    // A synthetic slide's own map: its pixels are a fourteenth of a tile.
    let map = image::open(folder.join(format!("tissue/{SLIDE}.png"))).unwrap().into_luma8();
    let marked = |x: u32, y: u32| mask.get_pixel(x / 14, y / 14)[0] > 0;
    let tissue: Vec<bool> = map
        .enumerate_pixels()
        .filter(|pixel| pixel.2[0] == 255)
        .map(|(x, y, _)| marked(x, y))
        .collect();
    let share = tissue.iter().filter(|&&marked| marked).count() as f64 / tissue.len() as f64;
    let found = judged(folder, "rectangle", ["--synth", "."]);
    holds(found, 1, &[&format!("tissue {share:.4}")]);
    // A mask made from the map itself passes.
    let covered = GrayImage::from_fn(10, 7, |column, row| {
        let mut pixels = (0..14).flat_map(|y| (0..14).map(move |x| (x, y)));
        Luma([if pixels.any(|(x, y)| map.get_pixel(14 * column + x, 14 * row + y)[0] > 0) {
            255
        } else {
            0
        }])
    });
    let path = folder.join("covered.png");
    covered.save(&path).unwrap();
    split(&case, "covered", &path);
    let found = judged(folder, "covered", ["--synth", "."]);
    holds(found, 0, &["tissue 1.0000", "fat 1.0000", "lesion 1.0000", "empty 0.0000", "  ok"]);
}
