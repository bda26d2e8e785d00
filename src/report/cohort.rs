//! The run as the report tells it: slides, worst first, and what they come to.

use std::collections::BTreeMap;

use super::slide_files::Drawn;
use super::study::{SlideScored, Study};
use super::tally::Tally;
use crate::config::RunConfig;
use crate::jobs::cost::RunCost;
use crate::jobs::view::SlideView;
use crate::run_dir::{SlideRecord, SlideStatus};

/// What a slide's reader has to know first; the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum State {
    /// Something of it failed.
    Failed,
    /// It is in a queue and will not go on by itself.
    Stuck,
    /// Its heatmap lacks groups.
    Incomplete,
    /// Some of its patches could not be decoded or scored, or the audit of a cascade
    /// speaks against its heatmap.
    Partial,
    /// It has no tissue.
    NoTissue,
    /// It is worked on.
    Running,
    /// Nobody is at it.
    Waiting,
    /// All of it is there.
    Done,
}

impl State {
    /// All, the worst first.
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

    /// In a word.
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

    /// A sign beside the word, for those who tell forms better than words.
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

    fn of(view: &SlideView, record: &SlideRecord, failed_patches: u64) -> Self {
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
            view if !view.files.is_done() => Self::Waiting,
            _ if partial => Self::Partial,
            _ => Self::Done,
        }
    }
}

/// A slide.
pub(super) struct Entry {
    /// Its row of `slides.csv`.
    pub(super) record: SlideRecord,
    pub(super) state: State,
    /// What files and schedulers say.
    pub(super) view: SlideView,
    /// What its score files say.
    pub(super) tally: Tally,
    /// What its pictures show.
    pub(super) drawn: Drawn,
    /// What the study says.
    pub(super) study: Option<SlideScored>,
    /// Whether it has tumour, where that is known.
    pub(super) is_tumor: Option<bool>,
    /// Name of its folder.
    pub(super) folder: String,
}

impl Entry {
    pub(super) fn new(view: SlideView, record: SlideRecord, tally: Tally, drawn: Drawn) -> Self {
        let state = State::of(&view, &record, tally.failed_patches);
        let folder = super::names::folder(&record.name);
        Self { record, state, view, tally, drawn, study: None, is_tumor: None, folder }
    }

    /// Why it is not done, or what to know about it; one line.
    pub(super) fn why(&self) -> String {
        let why = self.view.why();
        // The row says which slide it is.
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

    /// Processor time of split and predict, hours.
    pub(super) fn core_hours(&self) -> f64 {
        (self.tally.cpu_s + self.record.split_cpu_s.unwrap_or(0.0)) / 3600.0
    }
}

/// All the page shows.
pub(super) struct Cohort {
    /// Name of the run: its folder's.
    pub(super) name: String,
    /// Its folder.
    pub(super) root: String,
    /// When the report was made, Unix time.
    pub(super) made_unix_s: f64,
    /// The worst first, then by name.
    pub(super) slides: Vec<Entry>,
    /// Over all slides.
    pub(super) tally: Tally,
    pub(super) cost: RunCost,
    /// Tasks over time, SVG.
    pub(super) tasks_svg: Option<String>,
    /// The configuration and `run.toml` as it stands.
    pub(super) config: Option<(RunConfig, String)>,
    pub(super) study: Option<Study>,
    /// How detections were made.
    pub(super) detection: String,
    /// What the schedulers could not be asked, and the like.
    pub(super) warnings: Vec<String>,
}

impl Cohort {
    /// Slides by state; only states that occur.
    pub(super) fn counts(&self) -> Vec<(State, usize)> {
        let count = |state| self.slides.iter().filter(|slide| slide.state == state).count();
        State::ALL.iter().map(|&state| (state, count(state))).filter(|(_, n)| *n > 0).collect()
    }

    /// Processor time over all slides, hours.
    pub(super) fn core_hours(&self) -> f64 {
        self.slides.iter().map(Entry::core_hours).sum()
    }

    /// Programs that read the slides, and for how many.
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
