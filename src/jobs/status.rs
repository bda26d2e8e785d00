//! The progress of each slide, from the listing of the run and the content of files.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::Serialize;

use super::listing::SlideListing;
use super::work::WorkItem;
use crate::config::Stage;
use crate::damage::{self, Watched};
use crate::heatmap_h5::{HeatmapMeta, read_heatmap_meta};
use crate::number::GroupNumber;
use crate::run_dir::{RunDir, SlideRecord, SlideStatus};
use crate::scores::{self, CascadeMeta, DenseMeta};

/// The progress of a slide.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct SlideProgress {
    /// Name of the slide.
    pub name: String,
    /// Outcome of `split`.
    pub split: &'static str,
    /// Reason of that outcome; empty if it is `done`.
    pub reason: String,
    /// Something to look at although nothing failed; empty if there is nothing.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub note: String,
    /// Number of groups.
    pub groups: u32,
    /// Number of groups with scores.
    pub scored: usize,
    /// Groups without scores.
    pub missing: Vec<GroupNumber>,
    /// Groups of these that an interrupted task has begun.
    pub begun: Vec<BegunGroup>,
    /// Groups whose last try failed, and why.
    pub failed: Vec<GroupFailure>,
    /// Whether the heatmap exists.
    pub heatmap: bool,
    /// Groups that are missing from the heatmap.
    pub heatmap_without: Vec<GroupNumber>,
    /// Number of patches whose stains could not be determined, once the heatmap exists.
    pub unnormalized_patches: u64,
    /// Precision of the scores, if it is lower than f32, once the heatmap exists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lower_precision: Option<LowerPrecision>,
    /// The engines, if groups were scored by several, once the heatmap exists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub several_engines: Option<String>,
    /// Why dense scores could not serve as the screen, and what replaced them, once the heatmap
    /// exists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub screen: Option<String>,
    /// Why the heatmap is partial although no group is missing, and the command that scores the
    /// slide again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub partial: Option<String>,
    /// Why the last stitch failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stitch_failure: Option<String>,
    /// Why the heatmap, which exists, cannot be read now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub heatmap_unread: Option<String>,
}

/// How much scores differ from those in f32.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct LowerPrecision {
    /// Number type in which the network ran.
    pub precision: String,
    /// Largest absolute difference of the score of a sampled window.
    pub deviation_max: f64,
    /// Mean absolute difference.
    pub deviation_mean: f64,
    /// Number of windows that were scored in both number types.
    pub sample_windows: u64,
}

/// A group of which a part is scored and saved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct BegunGroup {
    /// Number of the group.
    pub group: GroupNumber,
    /// Share of windows that are scored, percent, rounded down.
    pub percent: u64,
}

/// A group whose last try failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct GroupFailure {
    /// Number of the group.
    pub group: GroupNumber,
    /// The error message of the task.
    pub reason: String,
}

impl SlideProgress {
    /// Whether nothing is left to do, and nothing is lacking.
    pub(crate) fn is_done(&self) -> bool {
        self.is_complete() && !self.lacks_something()
    }

    /// Whether nothing is left to do although the heatmap lacks something that is named.
    pub(crate) fn is_partial(&self) -> bool {
        self.is_complete() && self.lacks_something()
    }

    /// Whether the split found no tissue, so that there will never be a heatmap.
    pub(crate) fn has_no_tissue(&self) -> bool {
        self.split == SlideStatus::NoTissue.name()
    }

    fn is_complete(&self) -> bool {
        self.heatmap && self.missing.is_empty() && self.split != SlideStatus::Failed.name()
    }

    fn lacks_something(&self) -> bool {
        self.split == SlideStatus::Partial.name()
            || !self.heatmap_without.is_empty()
            || self.partial.is_some()
    }

    /// Whether the last try of something failed.
    pub(crate) fn has_failed(&self) -> bool {
        !self.is_complete()
            && (self.split == SlideStatus::Failed.name()
                || !self.failed.is_empty()
                || self.stitch_failure.is_some())
    }
}

/// Content of files of a run that `status` needs besides the listing.
#[derive(Debug, Default)]
pub(crate) struct FilesRead {
    /// Attributes of the heatmaps by slide, or why they cannot be read now.
    heatmaps: BTreeMap<String, Result<HeatmapMeta, String>>,
    /// Names of the files with the reasons of failures, by stage.
    failures: BTreeMap<&'static str, BTreeSet<String>>,
}

impl FilesRead {
    /// Reads the attributes of every heatmap. A damaged heatmap is set aside, so that a listing
    /// made afterwards counts it as missing.
    pub(crate) fn read(run: &RunDir) -> Self {
        let mut heatmaps = BTreeMap::new();
        for name in names(&run.heatmaps()) {
            let Some(slide) = name.strip_suffix(".h5").filter(|slide| !slide.starts_with('.'))
            else {
                continue;
            };
            let path = run.heatmap(slide, "h5");
            let watched = Watched::new(&path, "stitch");
            let meta = damage::reading(&watched, "status", |path| {
                let meta = read_heatmap_meta(path)?;
                meta.check_named(path).map(|()| meta)
            });
            heatmaps.insert(slide.to_owned(), meta.map_err(|error| error.to_string()));
        }
        let stages = [Stage::Predict.name(), Stage::Stitch.name()];
        let failures = stages.map(|stage| (stage, names(&run.logs(stage)).collect()));
        Self { heatmaps, failures: failures.into() }
    }

    /// The error message of a task that failed.
    fn failure(&self, run: &RunDir, stage: Stage, task: &str) -> Option<String> {
        let path = run.failure(stage.name(), task);
        let listed = self.failures.get(stage.name())?.contains(path.file_name()?.to_str()?);
        let text = listed.then(|| std::fs::read_to_string(&path).ok()).flatten()?;
        Some(text.trim().to_owned())
    }
}

/// The names in a folder; none if it cannot be listed.
fn names(folder: &Path) -> impl Iterator<Item = String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok())
}

/// What is to be said of a slide whose file has changed; empty if it has not.
fn changed(run: &RunDir, record: &SlideRecord) -> String {
    record.change(&record.path).map_or(String::new(), |change| {
        let redo = run.redo_afresh(&record.name);
        format!("its file has changed since it was split ({change}); `{redo}` does it afresh")
    })
}

/// The progress of a slide.
pub(crate) fn progress_of(run: &RunDir, slide: &SlideListing, read: &FilesRead) -> SlideProgress {
    let record = &slide.record;
    let name = &record.name;
    let damage = |item: &WorkItem| slide.damaged.get(item).map(|damage| damage.reason.clone());
    let failed = slide.missing.iter().filter_map(|&group| {
        let by_task = || read.failure(run, Stage::Predict, &format!("{name}_t{group}"));
        let reason = damage(&WorkItem::Predict(name.clone(), group)).or_else(by_task)?;
        Some(GroupFailure { group, reason })
    });
    let parts = slide.missing.iter().filter(|group| slide.parts.contains(group));
    let begun = parts.filter_map(|&group| begun(&run.part(name, group), group));
    let (meta, unread) = match read.heatmaps.get(name).filter(|_| slide.heatmap) {
        None => (HeatmapMeta::default(), None),
        Some(Ok(meta)) => (meta.clone(), None),
        Some(Err(error)) => (HeatmapMeta::default(), Some(error.clone())),
    };
    let partial = meta
        .audit_failure()
        .map(|failure| format!("{failure}; `{}` scores the slide again", run.redo_by_window(name)));
    let several_engines = meta.several_engines().map(ToOwned::to_owned);
    let lower_precision = meta.deviation.map(|found| LowerPrecision {
        precision: meta.precision,
        deviation_max: found.max,
        deviation_mean: found.mean,
        sample_windows: found.windows,
    });
    let patches_damage = damage(&WorkItem::Split(name.clone()));
    let stitch_failure = damage(&WorkItem::Stitch(name.clone()))
        .or_else(|| read.failure(run, Stage::Stitch, name))
        .filter(|_| !slide.heatmap);
    SlideProgress {
        name: name.clone(),
        split: match patches_damage {
            Some(_) => SlideStatus::Failed.name(),
            None => record.status.name(),
        },
        reason: patches_damage.unwrap_or_else(|| record.reason.clone()),
        note: [record.note.clone(), changed(run, record)]
            .into_iter()
            .filter(|note| !note.is_empty())
            .collect::<Vec<_>>()
            .join("; "),
        groups: slide.groups,
        scored: slide.groups as usize - slide.missing.len(),
        begun: begun.collect(),
        missing: slide.missing.clone(),
        failed: failed.collect(),
        heatmap: slide.heatmap,
        heatmap_without: meta.missing_groups,
        unnormalized_patches: meta.unnormalized_patches,
        lower_precision,
        several_engines,
        screen: screen_of(meta.dense.as_ref(), meta.cascade.as_ref()),
        partial,
        stitch_failure,
        heatmap_unread: unread,
    }
}

/// A sentence about a calibration that its sample does not determine; `None` if there is none.
pub(crate) fn screen_of(
    dense: Option<&DenseMeta>,
    cascade: Option<&CascadeMeta>,
) -> Option<String> {
    let dense = dense?;
    if dense.near.is_none() && !dense.exact {
        return Some(
            "calibrated by an earlier version, which did not check whether its sample determines the calibration; `slidegrid redo` scores the slide again".to_owned(),
        );
    }
    let open = Some(dense.open.as_str()).filter(|open| !open.is_empty())?;
    Some(match cascade {
        Some(cascade) => format!("no dense screen ({open}); {}", cascade.summary()),
        None => format!(
            "dense scores, used nevertheless although the sample does not determine their calibration ({open})"
        ),
    })
}

/// The progress of a part file. One that cannot be read is ignored, as `predict` does.
fn begun(part: &Path, group: GroupNumber) -> Option<BegunGroup> {
    let (meta, total) = scores::read_part_meta(part).ok()?;
    Some(BegunGroup { group, percent: 100 * meta.windows / total.max(1) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jobs::listing::RunListing;
    use crate::jobs::lookup::Lookup;
    use crate::staged;

    fn group(number: u32) -> GroupNumber {
        GroupNumber::try_from(number).unwrap()
    }

    #[test]
    fn progress_is_read_from_files() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunDir::new(folder.path());
        let slides = [folder.path().join("a.svs"), folder.path().join("b.svs")];
        crate::run_dir::register_files(&run, &slides).unwrap();
        Lookup::plan([("a", 3, 3)]).unwrap().write(&run).unwrap();
        staged::write(&run.scores("a", group(2)), b"x").unwrap();
        staged::write(&run.failure("predict", "a_t3"), b"out of memory\n").unwrap();
        // This file is no heatmap, and is set aside when it is read.
        staged::write(&run.heatmap("b", "h5"), b"x").unwrap();
        let read = FilesRead::read(&run);
        let listing = RunListing::read(&run).unwrap();
        let progress: Vec<_> =
            listing.slides.iter().map(|slide| progress_of(&run, slide, &read)).collect();
        let a = &progress[0];
        assert_eq!((a.scored, a.missing.as_slice()), (1, &[1, 3].map(group)[..]));
        assert_eq!(a.failed, [GroupFailure { group: group(3), reason: "out of memory".into() }]);
        assert!(a.has_failed() && !a.is_done());
        let b = &progress[1];
        assert_eq!((b.split, b.groups, b.heatmap), ("waiting", 0, false));
        assert!(b.stitch_failure.as_ref().unwrap().contains("not a whole HDF5 file"), "{b:?}");
    }
}
