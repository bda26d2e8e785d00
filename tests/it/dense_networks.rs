//! Networks made dense, in onnxruntime, against the networks run window by window.
//! The networks and the comparison are `tests/reference/dense_networks.py`'s.

use std::path::{Path, PathBuf};

use crate::common::{Case, reference};
use serde_json::Value;
use slidegrid::internal::model::{DenseError, Model, densify};

/// A folder with the networks.
fn networks(case: &Case) -> PathBuf {
    let folder = case.path("networks");
    reference::printed("dense_networks.py", ["make".as_ref(), folder.as_os_str()]);
    folder
}

/// Makes a network dense through the command line.
fn made_dense(case: &Case, folder: &Path, name: &str, stride: u32, patch: Option<u32>) {
    let card = folder.join(format!("{name}.toml"));
    let out = folder.join(format!("{name}-{stride}.onnx"));
    let patch = patch.map(|patch| format!("--patch={patch}"));
    let command = case.slidegrid(&format!("densify --stride {stride}")).args(patch);
    command.arg("--out").arg(out).arg(card).done();
}

/// The script's report on each dense network.
fn report(folder: &Path) -> serde_json::Map<String, Value> {
    let found = reference::printed("dense_networks.py", ["check".as_ref(), folder.as_os_str()]);
    serde_json::from_str(&found).unwrap()
}

#[test]
fn networks_without_padding_score_as_window_by_window() {
    let case = Case::new();
    let folder = networks(&case);
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
        "shuffled",
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
    let folder = networks(&case);
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
    let folder = networks(&case);
    let model = Model::load(&folder.join("refused.toml")).unwrap();
    let error = densify(&model, 8).unwrap_err();
    let DenseError::Nodes { problems, .. } = &error else { panic!("{error}") };
    assert_eq!(problems.len(), 3, "{problems:?}");
    for (problem, operator) in problems.iter().zip(["InstanceNormalization", "Slice", "Einsum"]) {
        assert!(problem.starts_with(&format!("{operator} `")), "{problems:?}");
    }
    assert!(error.to_string().contains("refused.onnx"), "{error}");
}
