//! Colour normalisation against tests/reference/stains.py, which uses torchstain, scikit-learn,
//! scikit-image and OpenCV. `SLIDEGRID_TEST_PYTHON` names the Python that has them.

use ndarray::{Array3, s};
use serde_json::{Value, json};
use slidegrid::internal::normalize::{
    ColourMethod, lab_to_rgb, normalize_patch, rgb_to_lab, standardize_luminosity,
};

use crate::common::{Case, needs, noise, reference};
use crate::normalize::pictures::{FIRST, SECOND, Scanner, bytes};

/// Side of the part of a real picture that is compared, because the reference is slow.
const CROP_PX: usize = 224;

/// The middle of H&E pictures.
fn real_pictures() -> Vec<(String, Array3<u8>)> {
    const STAINED: [&str; 6] = [
        "histoqc-template1.png",
        "histoqc-template2.png",
        "mopadi-TCGA-AD-6964-tile-16896-20480.jpg",
        "nct-crc-kather1.tif",
        "stardist-histo.jpg",
        "tupac-tr-002-r34-c34.png",
    ];
    STAINED
        .iter()
        .map(|name| needs::shared_data(&format!("histology/{name}")))
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
fn compare(template: &Array3<u8>, pictures: &[(String, Array3<u8>)]) -> Value {
    let case = Case::new();
    case.slide("template.png", template);
    let mut cases = Vec::new();
    for (name, picture) in pictures {
        case.slide(&format!("{name}.png"), picture);
        for method in ColourMethod::ALL {
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
    case.write("cases.json", Value::from(cases).to_string());
    colours(&case);
    serde_json::from_str(&reference::printed("stains.py", [case.folder()])).unwrap()
}

/// Colours of all kinds, as L*a*b* and back, and with standardised brightness.
fn colours(case: &Case) {
    let picture = noise(200, 300, 5);
    case.slide("colours.png", &picture);
    let rgb = bytes(&picture);
    let lab: Vec<[f64; 3]> = rgb.as_chunks().0.iter().map(|&pixel| rgb_to_lab(pixel)).collect();
    let back: Vec<[f64; 3]> = lab.iter().map(|&lab| lab_to_rgb(lab)).collect();
    case.write("colours.lab.json", json!({"lab": lab, "back": back}).to_string());
    let mut standard = rgb;
    standardize_luminosity(&mut standard).unwrap();
    case.slide("colours.standard.png", &Array3::from_shape_vec(picture.dim(), standard).unwrap());
}

fn assert_alike(report: &Value) {
    for case in report["cases"].as_array().unwrap() {
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
    let other = Scanner { stains: [[0.58, 0.75, 0.32], [0.05, 0.90, 0.43]], light: 238.0 };
    let pictures = [
        ("second".to_owned(), SECOND.tissue(230, 300, 2)),
        ("other".to_owned(), other.tissue(256, 256, 7)),
        ("template-again".to_owned(), FIRST.tissue(256, 256, 1)),
    ];
    assert_alike(&compare(&FIRST.tissue(256, 256, 1), &pictures));
}

#[test]
fn real_tissue_is_normalised_as_the_references_do() {
    let pictures = real_pictures();
    let (_, template) = pictures.last().unwrap();
    assert_alike(&compare(template, &pictures));
}
