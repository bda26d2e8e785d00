//! The run that is being checked, and how.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::config::RunConfig;
use crate::jobs::lookup::Lookup;
use crate::number::{GroupNumber, ranges};
use crate::progress::Task;
use crate::run_dir::{RunDir, SlideRecord, SlideStatus};
use crate::threads::Workers;

/// What is left out of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Without {
    /// The slides' own files.
    Slides,
    /// The patches, if they were deleted after scoring.
    Patches,
}

/// How a run is checked.
#[derive(Debug, Clone, Default)]
pub(crate) struct VerifyOptions {
    /// Files that may be missing.
    pub without: BTreeSet<Without>,
    /// Whether damaged files stay where they are.
    pub keep: bool,
}

/// A run that is being checked.
pub(super) struct Check<'c> {
    pub(super) run: &'c RunDir,
    pub(super) config: &'c RunConfig,
    pub(super) options: &'c VerifyOptions,
    pub(super) workers: Workers<'c>,
    pub(super) lookup: Option<Lookup>,
    /// Whether any group was scored, and any heatmap made.
    pub(super) begun: Begun,
    pub(super) read: BytesRead<'c>,
}

/// The stages of which the run has results, so that what lacks them counts as missing.
#[derive(Debug, Clone, Copy)]
pub(super) struct Begun {
    pub(super) predict: bool,
    pub(super) stitch: bool,
}

impl Check<'_> {
    /// Number of groups that a slide should have, by the plan, its patches or its split.
    pub(super) fn groups(&self, record: &SlideRecord, stored: Option<u32>) -> u32 {
        let planned = self.lookup.as_ref().and_then(|lookup| lookup.of_slide(&record.name));
        planned.map(|row| row.groups).or(stored).or(record.groups).unwrap_or(0)
    }
}

/// Counts the bytes that are read, and shows them in MiB.
pub(super) struct BytesRead<'p> {
    task: Task<'p>,
    bytes: AtomicU64,
}

impl<'p> BytesRead<'p> {
    /// Begins to count for a task in MiB.
    pub(super) fn new(task: Task<'p>) -> Self {
        Self { task, bytes: AtomicU64::new(0) }
    }

    pub(super) fn advance(&self, bytes: u64) {
        let before = self.bytes.fetch_add(bytes, Ordering::Relaxed);
        let mib = ((before + bytes) >> 20) - (before >> 20);
        if mib > 0 {
            self.task.advance(usize::try_from(mib).unwrap_or(0));
        }
    }
}

/// Groups as words: `group 3`, `groups 1-4,7`.
pub(super) fn group_words(groups: &[GroupNumber]) -> String {
    match groups {
        [group] => format!("group {group}"),
        groups => format!("groups {}", ranges(groups)),
    }
}

/// Whether a slide was split and has tissue.
pub(super) fn has_tissue(record: &SlideRecord) -> bool {
    matches!(record.status, SlideStatus::Done | SlideStatus::Partial)
}

/// Whether there is surely nothing at `path`. What cannot be looked at may be there, and reading
/// it tells why not.
pub(super) fn is_absent(path: &Path) -> bool {
    matches!(path.try_exists(), Ok(false))
}
