//! The data of a report's page: all slides of the run, the worst first, and their totals.

use std::collections::BTreeMap;

use super::slide_content::DrawnSummary;
use super::study::{ShownSlide, ShownStudy};
use super::tally::Tally;
use crate::config::RunConfig;
use crate::jobs::cost::RunCost;
use crate::jobs::view::SlideView;
use crate::run_dir::{SlideRecord, SlideStatus};

/// The state of a slide in the report; the worst state comes first in the order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum SlideState {
    /// A stage failed for the slide or for one of its groups.
    Failed,
    /// A task of the slide waits in a queue and will not start by itself.
    Stuck,
    /// The slide's heatmap lacks groups.
    Incomplete,
    /// Some of the slide's patches could not be decoded or scored, or the audit of a
    /// cascade does not hold for its heatmap.
    Partial,
    /// The slide has no tissue.
    NoTissue,
    /// A task of the slide is running.
    Running,
    /// The slide is not finished and no task of it is running.
    Waiting,
    /// The slide's heatmap is complete.
    Done,
}

impl SlideState {
    /// All states, the worst first.
    pub(super) const ALL: [Self; 8] = [
        Self::Failed,
        Self::Stuck,
        Self::Incomplete,
        Self::Partial,
        Self::NoTissue,
        Self::Running,
        Self::Waiting,
        Self::Done,
    ];

    /// The word for the state in the page, in style sheets and in `--json`.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Stuck => "stuck",
            Self::Incomplete => "incomplete",
            Self::Partial => "partial",
            Self::NoTissue => "no-tissue",
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Done => "done",
        }
    }

    /// A symbol shown beside the word, so that a reader can recognise the state by its shape.
    pub(super) fn sign(self) -> &'static str {
        match self {
            Self::Failed => "✕",
            Self::Stuck => "■",
            Self::Incomplete => "◐",
            Self::Partial => "◑",
            Self::NoTissue => "○",
            Self::Running => "▶",
            Self::Waiting => "…",
            Self::Done => "✓",
        }
    }

    fn from_slide(view: &SlideView, record: &SlideRecord, failed_patches: u64) -> Self {
        match record.status {
            SlideStatus::Failed => return Self::Failed,
            SlideStatus::NoTissue => return Self::NoTissue,
            _ => {}
        }
        let partial = record.status == SlideStatus::Partial
            || failed_patches > 0
            || view.files.partial.is_some();
        match view {
            view if view.has_failed() => Self::Failed,
            view if !view.stuck.is_empty() => Self::Stuck,
            view if !view.files.heatmap_without.is_empty() => Self::Incomplete,
            view if !view.running.is_empty() => Self::Running,
            view if !view.is_over() => Self::Waiting,
            _ if partial => Self::Partial,
            _ => Self::Done,
        }
    }
}

/// Everything that the page shows of one slide.
pub(super) struct CohortSlide {
    /// The slide's row of `slides.csv`.
    pub(super) record: SlideRecord,
    pub(super) state: SlideState,
    /// Progress of the slide, from the files of the run and from the scheduler.
    pub(super) view: SlideView,
    /// Totals over the slide's score files.
    pub(super) tally: Tally,
    /// Summary of the slide's files in the report.
    pub(super) drawn: DrawnSummary,
    /// Results of the study for the slide.
    pub(super) study: Option<ShownSlide>,
    /// Whether the slide has tumor; `None` if unknown.
    pub(super) is_tumor: Option<bool>,
    /// Name of the slide's folder in the report.
    pub(super) folder: String,
}

impl CohortSlide {
    pub(super) fn new(
        view: SlideView,
        record: SlideRecord,
        tally: Tally,
        drawn: DrawnSummary,
    ) -> Self {
        let state = SlideState::from_slide(&view, &record, tally.failed_patches);
        let folder = super::names::folder(&record.name);
        Self { record, state, view, tally, drawn, study: None, is_tumor: None, folder }
    }

    /// Why the slide is not done, or a note on it; one line.
    pub(super) fn why(&self) -> String {
        let why = self.view.why();
        // The table's row already names the slide.
        let file = format!("{}: ", self.record.path.display());
        let mut parts = vec![why.strip_prefix(&file).unwrap_or(&why).to_owned()];
        parts.extend(self.tally.unreadable.iter().cloned());
        parts.retain(|part| !part.is_empty());
        parts.join("; ")
    }

    /// Patches without scores: those that could not be decoded, and those that
    /// were not scored for another reason.
    pub(super) fn failed_patches(&self) -> u64 {
        self.tally.failed_patches.max(self.record.failed_patches.unwrap_or(0) as u64)
    }

    /// Processor time of the stages split and predict, hours.
    pub(super) fn core_hours(&self) -> f64 {
        (self.tally.cpu_s + self.record.split_cpu_s.unwrap_or(0.0)) / 3600.0
    }
}

/// Everything that the page shows.
pub(super) struct CohortContent {
    /// Name of the run, which is the name of its folder.
    pub(super) name: String,
    /// Path of the run's folder.
    pub(super) root: String,
    /// When the report was made, Unix time.
    pub(super) made_unix_s: f64,
    /// All slides, sorted by state (the worst first), then by name.
    pub(super) slides: Vec<CohortSlide>,
    /// Totals over the score files of all slides.
    pub(super) tally: Tally,
    pub(super) cost: RunCost,
    /// Plot of the number of running tasks over time, SVG.
    pub(super) tasks_svg: Option<String>,
    /// The configuration, and the text of `run.toml`.
    pub(super) config: Option<(RunConfig, String)>,
    pub(super) study: Option<ShownStudy>,
    /// How detections were made, in words.
    pub(super) detection: String,
    /// Warnings about the whole run, for example that the scheduler did not answer.
    pub(super) warnings: Vec<String>,
}

impl CohortContent {
    /// Number of slides in each state that occurs, the worst state first.
    pub(super) fn counts(&self) -> Vec<(SlideState, usize)> {
        let count = |state| self.slides.iter().filter(|slide| slide.state == state).count();
        SlideState::ALL.iter().map(|&state| (state, count(state))).filter(|(_, n)| *n > 0).collect()
    }

    /// Processor time over all slides, hours.
    pub(super) fn core_hours(&self) -> f64 {
        self.slides.iter().map(CohortSlide::core_hours).sum()
    }

    /// Names of the readers of slide files, with the number of slides that each read.
    pub(super) fn readers(&self) -> BTreeMap<&str, usize> {
        let mut readers = BTreeMap::new();
        for reader in self.slides.iter().map(|slide| slide.record.reader.as_str()) {
            if !reader.is_empty() {
                *readers.entry(reader).or_default() += 1;
            }
        }
        readers
    }
}
