//! A folder for each test, with slides, configurations and runs.

use std::path::{Path, PathBuf};

use ndarray::{Array2, Array3};
use slidegrid::heatmap_h5;
use tempfile::TempDir;

use super::cli::Slidegrid;
use super::{model_card, noise};

/// A folder, removed with all that it holds when this value is dropped.
pub(crate) struct Case {
    dir: TempDir,
}

/// Settings that make many small groups quickly; network `centre32`.
pub(crate) const SMALL: &str = "[tissue]\nmethod = \"all\"\n[tiling]\ntile = 32\nblock = 1\npatches_per_group = 4\n[predict]\nstride = 8\nengine = \"tract\"\nthreads = 1\n";

impl Case {
    /// An empty folder.
    pub(crate) fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    /// A folder with configuration `c.toml` ([`SMALL`]) and slides `a.png`, `b.png`.
    pub(crate) fn usual() -> Self {
        let case = Self::new();
        case.config("c.toml", "centre32", SMALL);
        case.slide("a.png", &noise(100, 130, 1));
        case.slide("b.png", &noise(70, 100, 2));
        case
    }

    /// The usual folder after `split` and `master plan` of slide `a`: 20 patches,
    /// 5 groups.
    pub(crate) fn planned() -> Self {
        let case = Self::usual();
        case.slidegrid("split --run run --config c.toml a.png").done();
        case.slidegrid("master plan --run run").done();
        case
    }

    /// The usual folder after `predict` of slide `a`.
    pub(crate) fn scored() -> Self {
        let case = Self::planned();
        case.slidegrid("predict --run run --all").done();
        case
    }

    /// The folder.
    pub(crate) fn folder(&self) -> &Path {
        self.dir.path()
    }

    /// A path in the folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes a file and the folders above it.
    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        path
    }

    /// Reads a text file.
    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    /// Changes bytes of a file.
    pub(crate) fn edit(&self, name: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let mut bytes = std::fs::read(self.path(name)).unwrap();
        change(&mut bytes);
        std::fs::write(self.path(name), bytes).unwrap();
    }

    /// Writes `rgb` `[row, col, rgb]` as a picture.
    pub(crate) fn slide(&self, name: &str, rgb: &Array3<u8>) -> PathBuf {
        let path = self.path(name);
        let (rows, cols, _) = rgb.dim();
        let bytes = rgb.as_standard_layout().iter().copied().collect();
        let picture = image::RgbImage::from_raw(px(cols), px(rows), bytes).unwrap();
        picture.save(&path).unwrap();
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
    pub(crate) fn config(&self, name: &str, model: &str, rest: &str) -> PathBuf {
        self.write(name, format!("[model]\ncard = {:?}\n{rest}", model_card(model)))
    }

    /// `slidegrid LINE` in the folder, to be started; words at spaces.
    pub(crate) fn slidegrid(&self, line: &str) -> Slidegrid {
        Slidegrid::new(self.dir.path(), line)
    }

    /// `slidegrid run` on `slide` with the configuration `config`, into `run`; it must
    /// succeed.
    #[track_caller]
    pub(crate) fn run(&self, run: &str, config: &Path, slide: &Path, keys: &[&str]) {
        let command = self.slidegrid("run --quiet --run").arg(run).arg("--config").arg(config);
        command.set(keys).arg(slide).done();
    }

    /// The scores of a finished heatmap.
    pub(crate) fn heatmap(&self, run: &str, slide: &str) -> Array2<f32> {
        let path = self.path(run).join("heatmaps").join(format!("{slide}.h5"));
        heatmap_h5::read_heatmap(&path).unwrap().1
    }
}

fn px(side: usize) -> u32 {
    u32::try_from(side).unwrap()
}
