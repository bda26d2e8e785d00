//! The study's numbers against scikit-image, SciPy, scikit-learn and MONAI:
//! tests/reference/study.json, made by tests/reference/study_reference.py.

#![expect(clippy::cast_possible_truncation, reason = "tests count small numbers")]

use ndarray::{Array2, ArrayView2};
use serde_json::Value;
use slidegrid::metrics::auc::{auc, auc_difference};
use slidegrid::metrics::detect::{Detection, Neighbourhood, PeakRules, detect_peaks};
use slidegrid::metrics::features::{FeatureRules, NAMES, features};
use slidegrid::metrics::forest::{Forest, ForestRules};
use slidegrid::metrics::froc::{Froc, Interpolation, SlideHits};
use slidegrid::metrics::label::{Connectivity, Labels, fill_holes};
use slidegrid::metrics::lesions::{LesionRules, Lesions};
use slidegrid::metrics::mask::Mask;
use slidegrid::metrics::overlap::{per_class, threshold_sweep};
use slidegrid::metrics::raster::{Outline, SampleGrid, rasterise};
use slidegrid::metrics::region::RegionShape;

use crate::common::needs;

fn cases(name: &str) -> Vec<Value> {
    let text = include_str!("../reference/study.json");
    let all: Value = serde_json::from_str(text).unwrap();
    let cases = all[name].as_array().unwrap_or_else(|| panic!("no {name}")).clone();
    assert!(!cases.is_empty(), "{name}");
    cases
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
}

fn flags(value: &Value) -> Vec<bool> {
    numbers(value).into_iter().map(|v| v != 0.0).collect()
}

fn table(value: &Value) -> Array2<f64> {
    let rows: Vec<Vec<f64>> = value.as_array().unwrap().iter().map(numbers).collect();
    let shape = (rows.len(), rows[0].len());
    Array2::from_shape_vec(shape, rows.concat()).unwrap()
}

/// Rows of "0110".
fn drawn(value: &Value) -> Array2<bool> {
    let rows: Vec<&str> = value.as_array().unwrap().iter().map(|v| v.as_str().unwrap()).collect();
    Array2::from_shape_fn((rows.len(), rows[0].len()), |(r, c)| rows[r].as_bytes()[c] == b'1')
}

/// Heatmaps are kept as 64ths.
fn heatmap(value: &Value) -> Array2<f32> {
    table(value).mapv(|level| (level / 64.0) as f32)
}

fn mask_of(array: ArrayView2<'_, bool>) -> Mask {
    Mask::from_image(array, |&set| set)
}

fn close(found: f64, expected: f64, tolerance: f64, what: &str) {
    let scale = expected.abs().max(1.0);
    assert!((found - expected).abs() <= tolerance * scale, "{what}: {found}, expected {expected}");
}

#[test]
fn regions_are_scikit_images() {
    let mut measured = 0;
    for case in cases("regions") {
        let array = drawn(&case["mask"]);
        let mask = mask_of(array.view());
        let labels = Labels::find(&mask, Connectivity::Eight);
        for ((row, col), &region) in table(&case["labels"]).indexed_iter() {
            let found = labels.at(row as u32, col as u32).unwrap();
            assert_eq!(f64::from(found), region, "label at {row}, {col}");
        }
        assert_eq!(fill_holes(&mask).to_array(), drawn(&case["filled"]));
        assert_eq!(labels.without_border_regions().to_array(), drawn(&case["inside"]));
        for (runs, expected) in labels.regions().iter().zip(case["regions"].as_array().unwrap()) {
            let shape = RegionShape::measure(runs);
            let number = |name: &str| expected[name].as_f64().unwrap();
            assert_eq!(shape.area as f64, number("area"));
            assert_eq!(shape.bbox.map(f64::from).to_vec(), numbers(&expected["bbox"]));
            assert_eq!(shape.convex_area as f64, number("convex_area"), "{expected}");
            close(shape.eccentricity, number("eccentricity"), 1e-6, "eccentricity");
            close(shape.major_axis_px, number("major_axis"), 1e-9, "major axis");
            close(shape.extent(), number("extent"), 1e-12, "extent");
            close(shape.solidity(), number("solidity"), 1e-12, "solidity");
            for (found, expected) in shape.centroid.iter().zip(numbers(&expected["centroid"])) {
                close(*found, expected, 1e-12, "centroid");
            }
            measured += 1;
        }
    }
    assert_eq!(measured, 100);
}

#[test]
fn features_are_the_pipelines() {
    let mut taken = 0;
    for case in cases("features") {
        let heatmap = heatmap(&case["levels"]);
        for expected in case["taken"].as_array().unwrap() {
            let rules = FeatureRules {
                threshold: expected["threshold"].as_f64().unwrap() as f32,
                clear_border: expected["clear"].as_bool().unwrap(),
                tissue_points: case["tissue"].as_f64(),
            };
            let found = features(heatmap.view(), &rules);
            let expected = numbers(&expected["features"]);
            for ((name, found), expected) in NAMES.iter().zip(found).zip(expected) {
                close(found, expected, 2e-6, name);
            }
            taken += 1;
        }
    }
    assert_eq!(taken, 90);
}

#[test]
fn froc_is_monais() {
    for case in cases("froc") {
        let kind = case["kind"].as_str().unwrap();
        let slides: Vec<SlideHits> =
            case["slides"].as_array().unwrap().iter().map(|slide| hits_of(slide, kind)).collect();
        let froc = Froc::compute(&slides).unwrap();
        let (fps, sensitivity) = (numbers(&case["fps"]), numbers(&case["sensitivity"]));
        assert_eq!(froc.points.len(), fps.len(), "{kind}");
        for (point, (fp, sensitivity)) in froc.points.iter().zip(fps.iter().zip(sensitivity)) {
            close(point.false_positives, *fp, 1e-12, kind);
            close(point.sensitivity, sensitivity, 1e-12, kind);
        }
        close(froc.score(Interpolation::Linear), case["score"].as_f64().unwrap(), 1e-12, kind);
    }
}

/// Slides of the cases are at level 5, 0.243 um per level-0 px.
fn hits_of(slide: &Value, kind: &str) -> SlideHits {
    let [rows, cols] = numbers(&slide["size"])[..] else { panic!("no size") };
    let mut array = Array2::from_elem((rows as usize, cols as usize), false);
    for (row, runs) in slide["runs"].as_str().unwrap().split(';').enumerate() {
        for run in runs.split(',').filter(|run| !run.is_empty()) {
            let (start, end) = run.split_once('-').unwrap();
            let columns = start.parse::<usize>().unwrap()..end.parse().unwrap();
            array.slice_mut(ndarray::s![row, columns]).fill(true);
        }
    }
    let grid = SampleGrid::pixels(cols * 32.0, rows * 32.0, 32.0);
    let lesions = Lesions::find(&mask_of(array.view()), grid, 0.243, &LesionRules::default());
    let expected = slide["lesions"].as_array().unwrap();
    assert_eq!(lesions.lesions.len(), expected.len(), "{kind}");
    for (lesion, expected) in lesions.lesions.iter().zip(expected) {
        close(lesion.major_axis_um, expected["axis_um"].as_f64().unwrap(), 1e-9, kind);
        assert_eq!(lesion.is_itc, expected["itc"].as_bool().unwrap(), "{kind}");
    }
    let [score, x, y] = ["score", "x", "y"].map(|name| numbers(&slide[name]));
    let detections: Vec<Detection> =
        (score.iter().zip(x).zip(y)).map(|((&score, x), y)| Detection { score, x, y }).collect();
    let hits = SlideHits::count(&detections, &lesions);
    assert_eq!(hits.false_positives.len() as f64, slide["false_positives"].as_f64().unwrap());
    assert_eq!(hits.to_find as f64, slide["to_find"].as_f64().unwrap());
    hits
}

#[test]
fn suppression_is_monais() {
    for case in cases("nms") {
        let radius = case["radius"].as_u64().unwrap() as usize;
        let rules = PeakRules { threshold: 0.5, radius, form: Neighbourhood::Square };
        let found = detect_peaks(heatmap(&case["levels"]).view(), &rules);
        let expected: Vec<Detection> = case["detections"]
            .as_array()
            .unwrap()
            .iter()
            .map(numbers)
            .map(|of| Detection { score: of[0], y: of[1], x: of[2] })
            .collect();
        assert!(!expected.is_empty());
        assert_eq!(found, expected);
    }
}

#[test]
fn areas_and_their_variances_are_the_references() {
    for case in cases("auc") {
        let truth = flags(&case["truth"]);
        let readings: Vec<Vec<f64>> =
            case["readings"].as_array().unwrap().iter().map(numbers).collect();
        for (place, scores) in readings.iter().enumerate() {
            let found = auc(&truth, scores).unwrap();
            close(found.auc, numbers(&case["auc"])[place], 1e-12, "AUC");
            close(found.sd, numbers(&case["sd"])[place], 1e-10, "SD of the paper");
            close(found.delong_sd, numbers(&case["delong_sd"])[place], 1e-10, "SD of DeLong");
        }
        let found = auc_difference(&truth, &readings[0], &readings[1]).unwrap();
        let expected = |name: &str| case[name].as_f64().unwrap();
        close(found.sd, expected("difference_sd"), 1e-10, "SD of the difference");
        close(found.delong_sd, expected("difference_delong_sd"), 1e-10, "DeLong's");
    }
}

#[test]
fn dice_and_iou_are_scikit_learns() {
    for case in cases("overlap") {
        let thresholds: Vec<f32> =
            numbers(&case["thresholds"]).into_iter().map(|t| t as f32).collect();
        let (heatmap, truth) = (heatmap(&case["levels"]), drawn(&case["truth"]));
        let swept = threshold_sweep(heatmap.view(), truth.view(), &thresholds);
        for (place, overlap) in swept.iter().enumerate() {
            close(overlap.dice().unwrap(), numbers(&case["dice"])[place], 1e-12, "Dice");
            close(overlap.iou().unwrap(), numbers(&case["iou"])[place], 1e-12, "IoU");
        }
        let labels = |name: &str| table(&case[name]).mapv(|label| label as u8);
        let classes = per_class(labels("labels").view(), labels("drawn").view());
        for (class, dice) in numbers(&case["class_dice"]).into_iter().enumerate() {
            close(classes[class].dice().unwrap(), dice, 1e-12, "Dice of a class");
            let iou = numbers(&case["class_iou"])[class];
            close(classes[class].iou().unwrap(), iou, 1e-12, "IoU of a class");
        }
        assert_eq!(classes[9].dice(), None);
    }
}

#[test]
fn outlines_are_filled_as_scikit_image_does() {
    for case in cases("raster") {
        let ring = case["ring"].as_array().unwrap().iter().map(numbers).map(|p| [p[0], p[1]]);
        let outline = Outline { rings: vec![ring.collect()], ..Outline::default() };
        let found = rasterise(&[outline], &SampleGrid::pixels(50.0, 40.0, 1.0)).to_array();
        assert_eq!(found, drawn(&case["mask"]));
    }
}

/// Two forests of scikit-learn with other seeds differ a little; ours differs
/// from them no more than they from each other, with some room.
#[test]
fn the_forest_scores_as_scikit_learns() {
    let text = include_str!("../reference/study.json");
    let case = serde_json::from_str::<Value>(text).unwrap()["forest"].clone();
    let rows = |name: &str| -> Vec<Vec<f64>> {
        case[name].as_array().unwrap().iter().map(numbers).collect()
    };
    let forest =
        Forest::train(&rows("train"), &flags(&case["truth"]), &ForestRules::default()).unwrap();
    let found = forest.predict(&rows("test")).unwrap();
    let (one, other) = (numbers(&case["scores"]), numbers(&case["other_seed"]));
    let apart = |a: &[f64], b: &[f64]| {
        a.iter().zip(b).map(|(a, b)| (a - b).abs()).sum::<f64>() / a.len() as f64
    };
    assert!(
        apart(&found, &one) < 2.0 * apart(&one, &other),
        "{} {}",
        apart(&found, &one),
        apart(&one, &other)
    );
    let truth = flags(&case["test_truth"]);
    let area = |scores: &[f64]| auc(&truth, scores).unwrap().auc;
    assert!((area(&found) - area(&one)).abs() < 0.02, "{} {}", area(&found), area(&one));
}

/// The six published readings of CAMELYON16's test set, when the data is there.
#[test]
fn published_readings_have_their_published_areas() {
    let csv = needs::shared_data("camelyon16/reference_all_final_results_0515.csv");
    // Area, and its standard deviation: for the second the one published with
    // it, for all by NumPy (`paper_variance` of study_reference.py).
    let published = [
        ("Method_I", 0.9156, 0.025_769_99),
        ("Method_II_noise_only", 0.9421, 0.021_844_16),
        ("Method_II_noise_norm", 0.9839, 0.008_552_98),
        ("pred_I", 0.8821, 0.034_427_54),
        ("pred_II", 0.7915, 0.043_121_30),
        ("pred_I_thres_07", 0.8978, 0.031_236_48),
    ];
    let columns: Vec<&str> =
        std::iter::once("truth").chain(published.iter().map(|of| of.0)).collect();
    let mut numbers = slidegrid::internal::study::read_numbers(&csv, &columns).unwrap().into_iter();
    let truth: Vec<bool> = numbers.next().unwrap().into_iter().map(|v| v == 1.0).collect();
    for ((name, area, sd), scores) in published.into_iter().zip(numbers) {
        let found = auc(&truth, &scores).unwrap();
        assert!((found.auc - area).abs() < 5e-5, "{name}: {}", found.auc);
        assert_eq!((found.positives, found.negatives), (49, 80));
        assert!((found.sd - sd).abs() < 1e-7, "{name}: SD {}", found.sd);
    }
}
