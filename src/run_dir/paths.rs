//! Where everything of a run lies.

use std::path::{Path, PathBuf};

use crate::number::GroupNumber;
use crate::shell::quoted;

/// Paths inside a run directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunDir {
    root: PathBuf,
}

impl RunDir {
    /// A run directory, made or not.
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// The directory itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// One row per input slide.
    pub fn slides_csv(&self) -> PathBuf {
        self.root.join("slides.csv")
    }

    /// The look-up table.
    pub fn lookup_csv(&self) -> PathBuf {
        self.root.join("lookup.csv")
    }

    /// The patches of a slide.
    pub fn patches(&self, slide: &str) -> PathBuf {
        self.root.join("patches").join(format!("{slide}.h5"))
    }

    /// The mask picture of a slide.
    pub fn mask_png(&self, slide: &str) -> PathBuf {
        self.root.join("masks").join(format!("{slide}.png"))
    }

    /// The mask of a slide as an image of a pixel a tile.
    pub fn mask_tiles(&self, slide: &str) -> PathBuf {
        self.root.join("masks").join("tiles").join(format!("{slide}.png"))
    }

    /// The scores of a group.
    pub fn scores(&self, slide: &str, group: GroupNumber) -> PathBuf {
        self.root.join("scores").join(slide).join(format!("t{group}.h5"))
    }

    /// What an interrupted task has scored of a group.
    pub fn part(&self, slide: &str, group: GroupNumber) -> PathBuf {
        self.root.join("scores").join(slide).join(format!("t{group}.part.h5"))
    }

    /// Where the scores of a slide lie.
    pub fn scores_of(&self, slide: &str) -> PathBuf {
        self.root.join("scores").join(slide)
    }

    /// Where heatmaps and their exports lie.
    pub fn heatmaps(&self) -> PathBuf {
        self.root.join("heatmaps")
    }

    /// Where the places of tiles lie that other programs read.
    pub fn coords(&self) -> PathBuf {
        self.root.join("coords")
    }

    /// A heatmap file of a slide, by suffix: `h5`, `png`, `npy`.
    pub fn heatmap(&self, slide: &str, suffix: &str) -> PathBuf {
        self.root.join("heatmaps").join(format!("{slide}.{suffix}"))
    }

    /// Job scripts and what was submitted.
    pub fn jobs(&self) -> PathBuf {
        self.root.join("jobs")
    }

    /// One line a submitted job.
    pub fn submitted(&self) -> PathBuf {
        self.jobs().join("submitted.jsonl")
    }

    /// What asks for more than `[cluster]` says.
    pub fn grown(&self) -> PathBuf {
        self.jobs().join("grown.json")
    }

    /// `[cluster]` as last given.
    pub fn cluster_toml(&self) -> PathBuf {
        self.jobs().join("cluster.toml")
    }

    /// Where the job logs of a stage lie.
    pub fn logs(&self, stage: &str) -> PathBuf {
        self.root.join("logs").join(stage)
    }

    /// What `split` says of a slide, merged into `slides.csv` afterwards.
    pub fn split_outcome(&self, slide: &str) -> PathBuf {
        self.root.join("logs").join("split").join(format!("{slide}.json"))
    }

    /// What stitching a slide took.
    pub fn stitch_record(&self, slide: &str) -> PathBuf {
        self.root.join("logs").join("stitch").join(format!("{slide}.json"))
    }

    /// What `study` found.
    pub fn study(&self) -> PathBuf {
        self.root.join("study")
    }

    /// The report: `index.html` and what it shows.
    pub fn report(&self) -> PathBuf {
        self.root.join("report")
    }

    /// Tasks running over time, drawn.
    pub fn tasks_svg(&self) -> PathBuf {
        self.report().join("tasks.svg")
    }

    /// The command that does a slide afresh, window by window.
    pub fn redo_by_window(&self, slide: &str) -> String {
        let (run, slide) = (quoted(&self.root.to_string_lossy()), quoted(slide));
        format!("slidegrid redo --run {run} {slide} --method window")
    }

    /// Why a later stage failed: `stage` is `predict` or `stitch`, `task` the
    /// slide or the slide and group.
    pub fn failure(&self, stage: &str, task: &str) -> PathBuf {
        self.root.join("logs").join(stage).join(format!("{task}.failed"))
    }
}
