//! A run directory of its own for each test, driven through the command line.

pub(crate) mod cluster;
pub(crate) mod reference;

use std::path::{Path, PathBuf};

use ndarray::{Array2, Array3};
use slidegrid::cli::{self, Exit, Failure};
use slidegrid::export::heatmap_h5;
use tempfile::TempDir;

/// A folder with slides, a configuration and runs.
pub(crate) struct Case {
    dir: TempDir,
}

impl Case {
    /// An empty folder.
    pub(crate) fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    /// A path in the folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes `rgb` `[row, col, rgb]` as a PNG and returns its path.
    pub(crate) fn slide(&self, name: &str, rgb: &Array3<u8>) -> PathBuf {
        let path = self.path(name);
        let (rows, cols, _) = rgb.dim();
        let bytes = rgb.as_standard_layout();
        image::RgbImage::from_raw(px(cols), px(rows), bytes.iter().copied().collect())
            .unwrap()
            .save(&path)
            .unwrap();
        path
    }

    /// Writes a mask image, `[row, col]`, non-zero = tissue.
    pub(crate) fn mask(&self, name: &str, mask: &Array2<u8>) -> PathBuf {
        let path = self.path(name);
        let (rows, cols) = mask.dim();
        let bytes = mask.iter().map(|&tile| if tile == 0 { 0 } else { 255 }).collect();
        image::GrayImage::from_raw(px(cols), px(rows), bytes).unwrap().save(&path).unwrap();
        path
    }

    /// Writes a configuration for one of the test networks.
    pub(crate) fn config(&self, model: &str, rest: &str) -> PathBuf {
        let text = format!("[model]\ncard = {:?}\n{rest}", model_card(model));
        self.text("config.toml", &text)
    }

    /// Writes a text file.
    pub(crate) fn text(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// Runs `slidegrid ARGS`.
    pub(crate) fn slidegrid(&self, args: &[&dyn AsRef<Path>]) -> Result<Exit, Failure> {
        cli::run(args.iter().map(|arg| arg.as_ref().as_os_str().to_owned()))
    }

    /// `slidegrid run` on `slide` with `config`, into `run`; must succeed.
    pub(crate) fn run(&self, run: &str, config: &Path, slide: &Path, set: &[String]) {
        let run = self.path(run);
        let mut args: Vec<&dyn AsRef<Path>> = vec![&"run", &"--quiet", &"--run", &run];
        args.extend([&"--config" as &dyn AsRef<Path>, &config]);
        for item in set {
            args.extend([&"--set" as &dyn AsRef<Path>, item]);
        }
        args.push(&slide);
        assert_eq!(self.slidegrid(&args).unwrap_or_else(|e| panic!("{e}")), Exit::Done);
    }

    /// The scores of a finished heatmap.
    pub(crate) fn heatmap(&self, run: &str, slide: &str) -> Array2<f32> {
        let path = self.path(run).join("heatmaps").join(format!("{slide}.h5"));
        heatmap_h5::read_heatmap(&path).unwrap().1
    }
}

/// A test network's card.
pub(crate) fn model_card(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/models").join(format!("{name}.toml"))
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
pub(crate) fn assert_same(a: &Array2<f32>, b: &Array2<f32>, tolerance: f32) {
    assert_eq!(a.dim(), b.dim());
    for ((index, x), y) in a.indexed_iter().zip(b) {
        let same = (x.is_nan() && y.is_nan()) || (x - y).abs() <= tolerance;
        assert!(same, "at {index:?}: {x} and {y}");
    }
}

fn px(side: usize) -> u32 {
    u32::try_from(side).unwrap()
}
