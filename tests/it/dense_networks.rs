//! Networks made dense, in onnxruntime, against the networks run window by window.
//! The networks and the comparison are `tests/reference/dense_networks.py`'s.

use crate::common::reference;
use std::path::Path;
use std::process::Command;

use crate::common::Case;
use serde_json::Value;
use slidegrid::model::{DenseError, Model, densify};

/// Runs the reference script; `None` without the reference Python.
fn reference(words: &[&dyn AsRef<Path>]) -> Option<String> {
    let path = reference::python()?;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference/dense_networks.py");
    let words = words.iter().map(|word| word.as_ref());
    Some(reference::printed(Command::new(path).arg(script).args(words)))
}

/// Makes a network dense through the command line.
fn made_dense(case: &Case, folder: &Path, name: &str, stride: u32, patch: Option<u32>) {
    let card = folder.join(format!("{name}.toml"));
    let out = folder.join(format!("{name}-{stride}.onnx"));
    let (stride, patch) = (stride.to_string(), patch.map(|patch| patch.to_string()));
    let mut words: Vec<&dyn AsRef<Path>> =
        vec![&"densify", &card, &"--stride", &stride, &"--out", &out];
    if let Some(patch) = &patch {
        words.extend([&"--patch" as &dyn AsRef<Path>, patch]);
    }
    case.slidegrid(&words).unwrap_or_else(|e| panic!("{name}: {e}"));
}

/// What the script says of each dense network.
fn report(folder: &Path) -> serde_json::Map<String, Value> {
    serde_json::from_str(&reference(&[&"check", &folder]).unwrap()).unwrap()
}

#[test]
fn networks_without_padding_score_as_window_by_window() {
    let case = Case::new();
    let folder = case.path("networks");
    if reference(&[&"make", &folder]).is_none() {
        return;
    }
    // The networks' own strides are 4 to 12; 7 divides none of them.
    let all = [
        "plain",
        "odd",
        "residual",
        "grouped",
        "normalised",
        "connected",
        "reshaped",
        "bent_head",
        "maximum_head",
        "convolved_away",
        "pooled_by_size",
        "channels_last",
        "channels_last_flat",
        "channels_apart",
        "wide_mean",
    ];
    for name in all {
        for stride in [2, 4, 6, 7, 16] {
            made_dense(&case, &folder, name, stride, None);
        }
    }
    // Old operator sets take images of one size only.
    made_dense(&case, &folder, "old", 4, Some(71));
    let report = report(&folder);
    assert_eq!(report.len(), all.len() * 5 + 1);
    for (name, found) in &report {
        assert_eq!((&found["exact"], &found["reach"]), (&true.into(), &0.into()), "{name}");
        assert!(found["outputs"].as_u64().unwrap() >= 10, "{name}: {found}");
        assert!(found["worst"].as_f64().unwrap() <= 1e-4, "{name}: {found}");
    }
}

#[test]
fn padded_networks_depend_on_nothing_beyond_their_reach() {
    let case = Case::new();
    let folder = case.path("networks");
    if reference(&[&"make", &folder]).is_none() {
        return;
    }
    let all = ["padded", "ceiled", "resnet", "excited", "same"];
    for name in all {
        for stride in [2, 4, 8, 16] {
            made_dense(&case, &folder, name, stride, None);
        }
    }
    let report = report(&folder);
    assert_eq!(report.len(), all.len() * 4);
    for (name, found) in &report {
        assert_eq!(found["exact"], false, "{name}");
        assert!(found["reach"].as_u64().unwrap() > 0, "{name}: {found}");
        assert!(found["worst"].as_f64().unwrap() <= 1e-4, "{name}: {found}");
    }
}

#[test]
fn every_node_that_cannot_be_rewritten_is_named() {
    let case = Case::new();
    let folder = case.path("networks");
    if reference(&[&"make", &folder]).is_none() {
        return;
    }
    let model = Model::load(&folder.join("refused.toml")).unwrap();
    let error = densify(&model, 8).unwrap_err();
    let DenseError::Nodes { problems, .. } = &error else { panic!("{error}") };
    assert_eq!(problems.len(), 3, "{problems:?}");
    for (problem, operator) in problems.iter().zip(["InstanceNormalization", "Slice", "Einsum"]) {
        assert!(problem.starts_with(&format!("{operator} `")), "{problems:?}");
    }
    assert!(error.to_string().contains("refused.onnx"), "{error}");
}
