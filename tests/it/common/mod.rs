//! Helpers that tests share.

pub(crate) mod case;
pub(crate) mod cli;
pub(crate) mod cluster;
pub(crate) mod contents;
pub(crate) mod fake_scheduler;
pub(crate) mod harness;
pub(crate) mod needs;
pub(crate) mod reference;
pub(crate) mod seal;
pub(crate) mod seed;

use std::path::{Path, PathBuf};

use ndarray::{Array2, Array3};

pub(crate) use case::Case;

/// A test network's card.
pub(crate) fn model_card(name: &str) -> PathBuf {
    repository("tests/data/models").join(format!("{name}.toml"))
}

/// A file or folder of the repository.
pub(crate) fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Copies a folder with all that is in it.
pub(crate) fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        match entry.path().is_dir() {
            true => copy_folder(&entry.path(), &target),
            false => drop(std::fs::copy(entry.path(), target).unwrap()),
        }
    }
}

/// A reproducible picture without structure, `[rows, cols, rgb]`.
pub(crate) fn noise(rows: usize, cols: usize, seed: u64) -> Array3<u8> {
    let mut state = seed | 1;
    Array3::from_shape_simple_fn((rows, cols, 3), || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    })
}

/// The same numbers in the same places, NaN included, to `tolerance`.
#[track_caller]
pub(crate) fn assert_same(a: &Array2<f32>, b: &Array2<f32>, tolerance: f32) {
    assert_eq!(a.dim(), b.dim());
    for ((index, x), y) in a.indexed_iter().zip(b) {
        let same = (x.is_nan() && y.is_nan()) || (x - y).abs() <= tolerance;
        assert!(same, "at {index:?}: {x} and {y}");
    }
}
