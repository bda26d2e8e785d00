//! What of a run is done, missing or failed, read from its files.

use std::path::Path;

use serde::Serialize;

use super::lookup::{Lookup, LookupError};
use crate::export::heatmap_h5::read_heatmap_meta;
use crate::number::GroupNumber;
use crate::run_dir::{RunDir, SlideRecord, SlideStatus, SlidesError, list_slides};
use crate::scores::{self, CascadeMeta, DenseMeta};

/// A slide and how far it has come.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SlideProgress {
    /// Slide name.
    pub name: String,
    /// What `split` made of it.
    pub split: &'static str,
    /// Why, when it was not `done`.
    pub reason: String,
    /// What somebody should look at though nothing failed.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub note: String,
    /// Groups to score.
    pub groups: u32,
    /// Groups scored.
    pub scored: usize,
    /// Groups without scores.
    pub missing: Vec<GroupNumber>,
    /// Of these, groups that an interrupted task has begun.
    pub begun: Vec<BegunGroup>,
    /// Groups whose last try failed, and why.
    pub failed: Vec<GroupFailure>,
    /// Whether the heatmap is there.
    pub heatmap: bool,
    /// Groups that the heatmap was made without.
    pub heatmap_without: Vec<GroupNumber>,
    /// Patches whose stains could not be told, once the heatmap is there.
    pub unnormalized_patches: u64,
    /// Scores of less precision than f32, once the heatmap is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lower_precision: Option<LowerPrecision>,
    /// What was no fit screen, and what took its place, once the heatmap is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub screen: Option<String>,
    /// Why the heatmap is partial although no group is missing, and the command that
    /// does the slide afresh.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub partial: Option<String>,
    /// Why the last stitch failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stitch_failure: Option<String>,
}

/// How far scores lie from those in f32.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LowerPrecision {
    /// What the network computed in.
    pub precision: String,
    /// Largest difference of a sampled window's score.
    pub deviation_max: f64,
    /// Mean absolute difference.
    pub deviation_mean: f64,
    /// Windows scored both ways.
    pub sample_windows: u64,
}

/// A group of which part is scored and saved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BegunGroup {
    /// Its number.
    pub group: GroupNumber,
    /// Share that is scored, percent, rounded down.
    pub percent: u64,
}

/// A group whose last try failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GroupFailure {
    /// Its number.
    pub group: GroupNumber,
    /// What the task said.
    pub reason: String,
}

impl SlideProgress {
    /// Whether nothing is left to do.
    pub fn is_done(&self) -> bool {
        self.heatmap
            && self.heatmap_without.is_empty()
            && self.missing.is_empty()
            && self.split != SlideStatus::Failed.name()
    }

    /// Whether the last try of something failed.
    pub fn has_failed(&self) -> bool {
        !self.is_done()
            && (self.split == SlideStatus::Failed.name()
                || !self.failed.is_empty()
                || self.stitch_failure.is_some())
    }
}

/// Looks at the files of every slide of a run.
///
/// # Errors
/// [`SlidesError`] without a table of slides, [`LookupError`] for a damaged
/// look-up table; a run not planned yet is no error.
pub fn progress_of(run: &RunDir) -> Result<Vec<SlideProgress>, StatusError> {
    let lookup = if run.lookup_csv().exists() { Lookup::read(run)? } else { Lookup::default() };
    let records = list_slides(run)?;
    Ok(records.iter().map(|record| progress_of_slide(run, &lookup, record)).collect())
}

/// The state of a run cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum StatusError {
    /// No table of slides, or a damaged one.
    #[error(transparent)]
    Slides(#[from] SlidesError),
    /// A damaged look-up table.
    #[error(transparent)]
    Lookup(#[from] LookupError),
}

fn progress_of_slide(run: &RunDir, lookup: &Lookup, record: &SlideRecord) -> SlideProgress {
    let planned = lookup.of_slide(&record.name).map(|row| row.groups);
    let groups = planned.or(record.groups).unwrap_or(0);
    let missing: Vec<GroupNumber> = GroupNumber::up_to(groups)
        .filter(|&group| !run.scores(&record.name, group).exists())
        .collect();
    let failed = missing
        .iter()
        .filter_map(|&group| {
            let reason = said(&run.failure("predict", &format!("{}_t{group}", record.name)))?;
            Some(GroupFailure { group, reason })
        })
        .collect();
    let begun = missing.iter().filter_map(|&group| begun(&run.part(&record.name, group), group));
    let path = run.heatmap(&record.name, "h5");
    let heatmap = path.exists();
    let (meta, unreadable) = match heatmap.then(|| read_heatmap_meta(&path)) {
        None => (None, None),
        Some(Ok(meta)) => (Some(meta), None),
        Some(Err(error)) => (None, Some(error.to_string())),
    };
    let meta = meta.unwrap_or_default();
    let partial = meta.audit_failure().map(|fault| {
        format!("{fault}; `{}` does the slide afresh", run.redo_by_window(&record.name))
    });
    let lower_precision = meta.deviation.map(|found| LowerPrecision {
        precision: meta.precision,
        deviation_max: found.max,
        deviation_mean: found.mean,
        sample_windows: found.windows,
    });
    SlideProgress {
        name: record.name.clone(),
        split: record.status.name(),
        reason: record.reason.clone(),
        note: record.note.clone(),
        groups,
        scored: groups as usize - missing.len(),
        begun: begun.collect(),
        missing,
        failed,
        heatmap: heatmap && unreadable.is_none(),
        heatmap_without: meta.missing_groups,
        unnormalized_patches: meta.unnormalized_patches,
        lower_precision,
        screen: screen_of(meta.dense.as_ref(), meta.cascade.as_ref()),
        partial,
        stitch_failure: unreadable
            .or_else(|| said(&run.failure("stitch", &record.name)).filter(|_| !heatmap)),
    }
}

/// What is to be said of a dense fit that its sample leaves open.
pub(crate) fn screen_of(
    dense: Option<&DenseMeta>,
    cascade: Option<&CascadeMeta>,
) -> Option<String> {
    let dense = dense?;
    if dense.near.is_none() && !dense.exact {
        return Some(
            "calibrated by an earlier version, which did not look whether its sample fixes the calibration; `slidegrid redo` does the slide afresh".to_owned(),
        );
    }
    let open = Some(dense.open.as_str()).filter(|open| !open.is_empty())?;
    Some(match cascade {
        Some(cascade) => format!("no dense screen ({open}); {}", cascade.summary()),
        None => format!(
            "dense scores, taken all the same although their calibration is not fixed ({open})"
        ),
    })
}

/// How far a part has come; one that cannot be read counts for nothing, as it
/// does for `predict`.
fn begun(part: &Path, group: GroupNumber) -> Option<BegunGroup> {
    if !part.exists() {
        return None;
    }
    let (meta, total) = scores::read_part_meta(part).ok()?;
    Some(BegunGroup { group, percent: 100 * meta.windows / total.max(1) })
}

fn said(path: &Path) -> Option<String> {
    std::fs::read_to_string(path).ok().map(|text| text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(number: u32) -> GroupNumber {
        GroupNumber::try_from(number).unwrap()
    }

    #[test]
    fn files_tell_what_is_done() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunDir::new(folder.path());
        let slides = [folder.path().join("a.svs"), folder.path().join("b.svs")];
        crate::run_dir::register(&run, &slides).unwrap();
        Lookup::plan([("a", 3, 3)]).unwrap().write(&run).unwrap();
        crate::staged::write(&run.scores("a", group(2)), b"x").unwrap();
        crate::staged::write(&run.failure("predict", "a_t3"), b"out of memory\n").unwrap();
        let progress = progress_of(&run).unwrap();
        assert_eq!(
            (progress[0].scored, progress[0].missing.as_slice()),
            (1, &[1, 3].map(group)[..])
        );
        assert_eq!(
            progress[0].failed,
            [GroupFailure { group: group(3), reason: "out of memory".into() }]
        );
        assert!(progress[0].has_failed() && !progress[0].is_done());
        assert_eq!((progress[1].split, progress[1].groups), ("waiting", 0));
    }
}
