//! The paths of all files in a run directory.

use std::path::{Path, PathBuf};

use crate::number::GroupNumber;
use crate::shell::quoted;

/// Paths inside a run directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunDir {
    root: PathBuf,
}

impl RunDir {
    /// The run directory at `root`, which need not exist yet.
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// The directory itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The table of slides, one row per input slide.
    pub fn slides_csv(&self) -> PathBuf {
        self.root.join("slides.csv")
    }

    /// The look-up table from tasks to slides and groups.
    pub fn lookup_csv(&self) -> PathBuf {
        self.root.join("lookup.csv")
    }

    /// The folder with patch files.
    pub fn patches_folder(&self) -> PathBuf {
        self.root.join("patches")
    }

    /// The patch file of a slide.
    pub fn patches(&self, slide: &str) -> PathBuf {
        self.patches_folder().join(format!("{slide}.h5"))
    }

    /// The picture of a slide's tissue mask.
    pub fn mask_png(&self, slide: &str) -> PathBuf {
        self.root.join("masks").join(format!("{slide}.png"))
    }

    /// The tissue mask of a slide as an image with one pixel per tile.
    pub fn mask_tiles(&self, slide: &str) -> PathBuf {
        self.root.join("masks").join("tiles").join(format!("{slide}.png"))
    }

    /// The score file of a group.
    pub fn scores(&self, slide: &str, group: GroupNumber) -> PathBuf {
        self.root.join("scores").join(slide).join(format!("t{group}.h5"))
    }

    /// The part file of a group: the scores that an interrupted task left.
    pub fn part(&self, slide: &str, group: GroupNumber) -> PathBuf {
        self.root.join("scores").join(slide).join(format!("t{group}.part.h5"))
    }

    /// The folder with the score files of a slide.
    pub fn scores_of(&self, slide: &str) -> PathBuf {
        self.root.join("scores").join(slide)
    }

    /// The head of the network that was fitted over the slides.
    pub fn fit_json(&self) -> PathBuf {
        self.root.join("calibration").join("fit.json")
    }

    /// What `calibrate` writes where there is no fit over the slides.
    pub(crate) fn no_fit_json(&self) -> PathBuf {
        self.root.join("calibration").join("none.json")
    }

    /// The folder with heatmaps and their exports.
    pub fn heatmaps(&self) -> PathBuf {
        self.root.join("heatmaps")
    }

    /// The folder with files of tile coordinates, which other programs read.
    pub fn coords(&self) -> PathBuf {
        self.root.join("coords")
    }

    /// A heatmap file of a slide, by suffix: `h5`, `png` or `npy`.
    pub fn heatmap(&self, slide: &str, suffix: &str) -> PathBuf {
        self.root.join("heatmaps").join(format!("{slide}.{suffix}"))
    }

    /// The folder with job scripts and records of submissions.
    pub fn jobs(&self) -> PathBuf {
        self.root.join("jobs")
    }

    /// The record of submitted jobs, one line per job.
    pub fn submitted(&self) -> PathBuf {
        self.jobs().join("submitted.jsonl")
    }

    /// The tasks that ask for more memory or time than `[cluster]` gives.
    pub fn grown(&self) -> PathBuf {
        self.jobs().join("grown.json")
    }

    /// The largest task number that was ever given, where `lookup.csv` no longer tells.
    pub fn last_task(&self) -> PathBuf {
        self.jobs().join("last_task.json")
    }

    /// The jobs that were submitted before slides were forgotten.
    pub fn forgotten(&self) -> PathBuf {
        self.jobs().join("forgotten.json")
    }

    /// The slides that an interrupted `forget` began to remove.
    pub fn forgetting(&self) -> PathBuf {
        self.jobs().join("forgetting.json")
    }

    /// The section `[cluster]` as it was last given.
    pub fn cluster_toml(&self) -> PathBuf {
        self.jobs().join("cluster.toml")
    }

    /// The folder with the job logs of a stage.
    pub fn logs(&self, stage: &str) -> PathBuf {
        self.root.join("logs").join(stage)
    }

    /// The outcome of splitting a slide, which is later merged into `slides.csv`.
    pub fn split_outcome(&self, slide: &str) -> PathBuf {
        self.root.join("logs").join("split").join(format!("{slide}.json"))
    }

    /// The folder with the markers of slides that are being split; see `split`'s markers.
    pub(crate) fn split_markers(&self) -> PathBuf {
        self.root.join("logs").join("split").join("reading")
    }

    /// The record of the time and memory that stitching a slide took.
    pub fn stitch_record(&self, slide: &str) -> PathBuf {
        self.root.join("logs").join("stitch").join(format!("{slide}.json"))
    }

    /// The record of the pictures and exports that were written for a slide.
    pub fn recorded(&self, slide: &str) -> PathBuf {
        self.root.join("logs").join("files").join(format!("{slide}.json"))
    }

    /// The folder with the results of `study`.
    pub fn study(&self) -> PathBuf {
        self.root.join("study")
    }

    /// The folder with the report: `index.html` and the files of each slide.
    pub fn report(&self) -> PathBuf {
        self.root.join("report")
    }

    /// The plot of the number of running tasks over time.
    pub fn tasks_svg(&self) -> PathBuf {
        self.report().join("tasks.svg")
    }

    /// The command that splits and scores a slide again.
    pub fn redo_afresh(&self, slide: &str) -> String {
        self.redo("", slide)
    }

    /// The command that scores a slide again with the method `window`.
    pub fn redo_by_window(&self, slide: &str) -> String {
        self.redo("--method window ", slide)
    }

    fn redo(&self, options: &str, slide: &str) -> String {
        // A name that begins with a dash would be taken for an option.
        let end = if slide.starts_with('-') { "-- " } else { "" };
        let (run, slide) = (quoted(&self.root.to_string_lossy()), quoted(slide));
        format!("slidegrid redo --run {run} {options}{end}{slide}")
    }

    /// The file with the reason why a task failed. `stage` is `predict` or `stitch`; `task` is the
    /// slide, or the slide and the group.
    pub fn failure(&self, stage: &str, task: &str) -> PathBuf {
        self.root.join("logs").join(stage).join(format!("{task}.failed"))
    }
}
