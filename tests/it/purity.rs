//! House rule: the maths does no I/O.

use std::fs;
use std::path::{Path, PathBuf};

const PURE: [&str; 6] = ["geometry", "tissue", "normalize", "heatmap", "metrics", "report/page"];
const PURE_FILES: [&str; 6] = [
    "model/dense/axis.rs",
    "predict/calibration.rs",
    "predict/draw.rs",
    "scores/audit.rs",
    "report/layers.rs",
    "report/names.rs",
];
const BANNED: [&str; 6] = ["fs::", "hdf5::", "openslide", "tract_onnx", "clap::", "std::env"];

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| if path.is_dir() { rust_files(&path) } else { vec![path] })
        .filter(|path| path.extension().is_some_and(|e| e == "rs"))
        .collect()
}

fn source(module: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(module)
}

#[test]
fn pure_modules_stay_pure() {
    let files = PURE_FILES.iter().map(|file| vec![source(file)]);
    for files in PURE.iter().map(|module| rust_files(&source(module))).chain(files) {
        assert!(!files.is_empty(), "a pure module has no files: was it moved?");
        for file in files {
            let text = fs::read_to_string(&file).unwrap();
            for banned in BANNED {
                assert!(!text.contains(banned), "{} uses {banned}", file.display());
            }
        }
    }
}

#[test]
fn files_stay_small_enough_to_know() {
    for file in rust_files(&source("")) {
        let lines = fs::read_to_string(&file).unwrap().lines().count();
        assert!(lines <= 400, "{} has {lines} lines, more than 400: part it", file.display());
    }
}
