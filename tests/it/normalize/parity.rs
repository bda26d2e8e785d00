//! Against tests/reference/stains.py: torchstain, scikit-learn, scikit-image and
//! OpenCV. `SLIDEGRID_TEST_PYTHON` names the Python that has them.

use std::path::{Path, PathBuf};
use std::process::Command;

use ndarray::{Array3, s};
use serde_json::{Value, json};
use slidegrid::normalize::{
    Method, lab_to_rgb, normalize_patch, rgb_to_lab, standardize_luminosity,
};

use crate::common::reference::python;
use crate::common::{Case, noise};
use crate::normalize::pictures::{FIRST, SECOND, Scanner, bytes};

/// Side of what is compared of a real picture: the reference takes its time.
const CROP_PX: usize = 224;

/// The middle of H&E pictures, where there are any.
fn real_pictures() -> Vec<(String, Array3<u8>)> {
    const STAINED: [&str; 6] = [
        "histoqc-template1.png",
        "histoqc-template2.png",
        "mopadi-TCGA-AD-6964-tile-16896-20480.jpg",
        "nct-crc-kather1.tif",
        "stardist-histo.jpg",
        "tupac-tr-002-r34-c34.png",
    ];
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    let data = std::env::var_os("SLIDEGRID_SHARED_DATA").map_or(beside, PathBuf::from);
    STAINED
        .iter()
        .map(|name| data.join("histology").join(name))
        .filter(|path| {
            let there = path.exists();
            if !there {
                println!("skipped: no {}", path.display());
            }
            there
        })
        .map(|path| {
            let rgb = image::open(&path).unwrap().to_rgb8();
            let shape = (rgb.height() as usize, rgb.width() as usize, 3);
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            let picture = Array3::from_shape_vec(shape, rgb.into_raw()).unwrap();
            let start = |side: usize| (side - CROP_PX) / 2;
            let (row, col) = (start(shape.0), start(shape.1));
            (name, picture.slice(s![row..row + CROP_PX, col..col + CROP_PX, ..]).to_owned())
        })
        .collect()
}

/// Normalises every picture with every method, and asks the reference.
fn compare(template: &Array3<u8>, pictures: &[(String, Array3<u8>)], python: &str) -> Value {
    let case = Case::new();
    case.slide("template.png", template);
    let mut cases = Vec::new();
    for (name, picture) in pictures {
        case.slide(&format!("{name}.png"), picture);
        for method in Method::ALL {
            let target = method.estimate(&bytes(template)).unwrap();
            let mut rgb = bytes(picture);
            let estimate = method.estimate(&rgb).unwrap_or_else(|e| panic!("{name} {method}: {e}"));
            normalize_patch(&mut rgb, &target).unwrap();
            let changed = Array3::from_shape_vec(picture.dim(), rgb).unwrap();
            case.slide(&format!("{name}.{method}.png"), &changed);
            let stains = estimate.stains().map(|stains| stains.vectors());
            cases.push(json!({"name": name, "method": method.name(), "stains": stains}));
        }
    }
    case.text("cases.json", &Value::from(cases).to_string());
    colours(&case);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference/stains.py");
    let output = Command::new(python).arg(script).arg(case.path("")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Colours of all kinds, as L*a*b* and back, and with standardised brightness.
fn colours(case: &Case) {
    let picture = noise(200, 300, 5);
    case.slide("colours.png", &picture);
    let rgb = bytes(&picture);
    let lab: Vec<[f64; 3]> = rgb.as_chunks().0.iter().map(|&pixel| rgb_to_lab(pixel)).collect();
    let back: Vec<[f64; 3]> = lab.iter().map(|&lab| lab_to_rgb(lab)).collect();
    case.text("colours.lab.json", &json!({"lab": lab, "back": back}).to_string());
    let mut standard = rgb;
    standardize_luminosity(&mut standard).unwrap();
    case.slide("colours.standard.png", &Array3::from_shape_vec(picture.dim(), standard).unwrap());
}

fn assert_alike(report: &Value) {
    for case in report["cases"].as_array().unwrap() {
        println!("{case}");
        assert!(case["within_one"].as_f64().unwrap() >= 0.99, "{case:#}");
    }
    let colours = &report["colours"];
    assert!(colours["lab"].as_f64().unwrap() < 1e-3, "{colours}");
    assert!(colours["back"].as_f64().unwrap() < 1e-3, "{colours}");
    // OpenCV's rounding, colour by colour.
    assert!(colours["standard_within_one"].as_f64().unwrap() > 0.9999, "{colours}");
    assert!(colours["standard_differing"].as_f64().unwrap() < 0.001, "{colours}");
}

#[test]
fn synthetic_tissue_is_normalised_as_the_references_do() {
    let Some(python) = python() else { return };
    let other = Scanner { stains: [[0.58, 0.75, 0.32], [0.05, 0.90, 0.43]], light: 238.0 };
    let pictures = [
        ("second".to_owned(), SECOND.tissue(230, 300, 2)),
        ("other".to_owned(), other.tissue(256, 256, 7)),
        ("template-again".to_owned(), FIRST.tissue(256, 256, 1)),
    ];
    assert_alike(&compare(&FIRST.tissue(256, 256, 1), &pictures, &python));
}

#[test]
fn real_tissue_is_normalised_as_the_references_do() {
    let Some(python) = python() else { return };
    let pictures = real_pictures();
    let Some((_, template)) = pictures.last() else { return };
    assert_alike(&compare(template, &pictures, &python));
}
