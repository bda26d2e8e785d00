//! Finds out which work of a run is done, from listings of its folders alone.
//!
//! A file under its final name is complete, so its work is done. A damaged file was set aside by
//! the command that read it ([`damage`]). Its work is missing, and the listing says why.

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::path::Path;

use super::fit;
use super::forgotten::Forgotten;
use super::lookup::Lookup;
use super::state_error::StateError;
use super::submitted::Submission;
use super::work::WorkItem;
use crate::config::{ConfigError, MIN_FIT_SLIDES, RunConfig};
use crate::damage::{self, Damage};
use crate::number::{GroupNumber, TaskNumber};
use crate::run_dir::{RunDir, SlideRecord, SlideStatus, list_slides};
use crate::staged;

/// The slides of a run.
#[derive(Debug, Clone, Default)]
pub(crate) struct RunListing {
    /// The slides in the order of slides.csv, then those whose patches were put there by hand.
    pub slides: Vec<SlideListing>,
    /// The jobs that were submitted before slides were forgotten.
    pub forgotten: Forgotten,
    /// Whether scores are to rest on a fit over the slides, which is not made yet. It is made if
    /// enough slides have patches.
    pub to_fit: bool,
}

/// What the folders say of a slide.
#[derive(Debug, Clone, Default)]
pub(crate) struct SlideListing {
    /// The outcome of `split`.
    pub record: SlideRecord,
    /// Row of slides.csv; `None` for patches that were put there by hand.
    pub row: Option<TaskNumber>,
    /// Whether the patch file exists.
    pub patches: bool,
    /// Whether the look-up table has the slide.
    pub planned: bool,
    /// Number of groups.
    pub groups: u32,
    /// Groups without scores, ascending.
    pub missing: Vec<GroupNumber>,
    /// Groups for which an interrupted task has saved a part file.
    pub parts: BTreeSet<GroupNumber>,
    /// Whether the heatmap exists.
    pub heatmap: bool,
    /// The items that are missing because their file was damaged.
    pub damaged: BTreeMap<WorkItem, Damage>,
}

impl RunListing {
    /// Lists the folders of a run.
    ///
    /// # Errors
    /// [`StateError`] if there is no table of slides, if a table cannot be read, or if a folder
    /// cannot be listed.
    pub(crate) fn read(run: &RunDir) -> Result<Self, StateError> {
        let lookup = match staged::is_there(&run.lookup_csv())? {
            true => Lookup::read(run)?,
            false => Lookup::default(),
        };
        Self::read_with(run, list_slides(run)?, &lookup)
    }

    /// Lists the folders of a run for these slides and this look-up table.
    ///
    /// # Errors
    /// [`StateError`] if a folder cannot be listed.
    pub(crate) fn read_with(
        run: &RunDir,
        records: Vec<SlideRecord>,
        lookup: &Lookup,
    ) -> Result<Self, StateError> {
        let rows: BTreeMap<&str, u32> =
            lookup.rows().iter().map(|row| (row.name.as_str(), row.groups)).collect();
        let (patches, heatmaps) = (names(&run.patches_folder())?, names(&run.heatmaps())?);
        let slides = TaskNumber::up_to(u32::MAX).zip(records).map(|(row, record)| {
            let planned = rows.get(record.name.as_str()).copied();
            let file = format!("{}.h5", record.name);
            // Patches that were put there by hand have no row.
            let by_hand = record.path == run.patches(&record.name);
            let mut slide = SlideListing {
                row: Some(row).filter(|_| !by_hand),
                patches: patches.contains(&file),
                planned: planned.is_some(),
                groups: planned.or(record.groups).unwrap_or(0),
                heatmap: heatmaps.contains(&file),
                record,
                ..SlideListing::default()
            };
            let scores = names(&run.scores_of(&slide.record.name))?;
            slide.list_scores(&scores);
            slide.list_damaged(run, &patches, &scores, &heatmaps);
            Ok(slide)
        });
        let slides = slides.collect::<Result<Vec<SlideListing>, StateError>>()?;
        let to_fit = match RunConfig::read(run.root()) {
            // Patches that were made by another program need none.
            Err(ConfigError::NoRun { .. }) => false,
            config => {
                let with_patches = slides.iter().filter(|slide| slide.patches);
                let names = with_patches.map(|slide| slide.record.name.clone());
                fit::is_wanted(run, &config?, &names.collect::<Vec<_>>())?
            }
        };
        Ok(Self { slides, to_fit, forgotten: Forgotten::read(run)? })
    }

    /// Whether the fit over the slides is missing, once the patches of `splitting` further slides
    /// are made.
    pub(crate) fn lacks_fit(&self, splitting: usize) -> bool {
        let with_patches = self.slides.iter().filter(|slide| slide.patches).count();
        self.to_fit && with_patches + splitting >= MIN_FIT_SLIDES
    }

    /// The slide in a row of slides.csv.
    pub(crate) fn slide_in(&self, row: TaskNumber) -> Option<&str> {
        let slide = self.slides.get(row.index()).filter(|slide| slide.row == Some(row));
        slide.map(|slide| slide.record.name.as_str())
    }

    /// The items of a job, each with its array index; a single job has no index.
    pub(crate) fn work_of(&self, job: &Submission) -> Vec<(Option<TaskNumber>, WorkItem)> {
        self.forgotten.work(job, &|row| self.slide_in(row))
    }

    /// All items that are missing, in the order in which they are made.
    pub(crate) fn missing(&self) -> Vec<WorkItem> {
        let unsplit = self.slides.iter().filter(|slide| slide.to_split().is_some());
        let split = unsplit.map(|slide| WorkItem::Split(slide.record.name.clone()));
        let groups = self.planned().flat_map(|slide| {
            slide.missing.iter().map(|&group| WorkItem::Predict(slide.record.name.clone(), group))
        });
        let unstitched = self.planned().filter(|slide| !slide.heatmap);
        let stitch = unstitched.map(|slide| WorkItem::Stitch(slide.record.name.clone()));
        let fit = Some(WorkItem::Calibrate).filter(|_| self.lacks_fit(0));
        split.chain(fit).chain(groups).chain(stitch).collect()
    }

    /// The slides whose groups can be scored: those in the look-up table, except slides with
    /// damaged patches.
    pub(crate) fn planned(&self) -> impl Iterator<Item = &SlideListing> {
        self.slides.iter().filter(|slide| slide.planned && !slide.has_damaged_patches())
    }
}

impl SlideListing {
    /// The row of slides.csv to split; `None` if the slide is split, or cannot be.
    pub(crate) fn to_split(&self) -> Option<TaskNumber> {
        let open = matches!(self.record.status, SlideStatus::Waiting | SlideStatus::Failed);
        self.row.filter(|_| open || self.has_damaged_patches())
    }

    /// Whether the patch file is missing because it was damaged.
    pub(crate) fn has_damaged_patches(&self) -> bool {
        self.damaged.contains_key(&WorkItem::Split(self.record.name.clone()))
    }

    /// Groups with scores, ascending.
    pub(crate) fn scored(&self) -> impl Iterator<Item = GroupNumber> {
        GroupNumber::up_to(self.groups).filter(|group| self.missing.binary_search(group).is_err())
    }

    fn list_scores(&mut self, files: &BTreeSet<String>) {
        let numbered = |suffix: &str| -> BTreeSet<GroupNumber> {
            let number = |name: &String| name.strip_prefix('t')?.strip_suffix(suffix)?.parse().ok();
            files.iter().filter_map(number).collect()
        };
        let scored = numbered(".h5");
        self.missing = GroupNumber::up_to(self.groups).filter(|k| !scored.contains(k)).collect();
        self.parts = numbered(".part.h5");
    }

    fn list_damaged(
        &mut self,
        run: &RunDir,
        patches: &BTreeSet<String>,
        scores: &BTreeSet<String>,
        heatmaps: &BTreeSet<String>,
    ) {
        let name = &self.record.name;
        let mut found = BTreeMap::new();
        let mut add_damaged =
            |missing: bool, names: &BTreeSet<String>, path: &Path, item: WorkItem| {
                let aside = damage::aside(path);
                let is_listed = aside.file_name().and_then(|name| name.to_str());
                if missing && is_listed.is_some_and(|name| names.contains(name)) {
                    found.insert(item, damage::read(path));
                }
            };
        add_damaged(!self.patches, patches, &run.patches(name), WorkItem::Split(name.clone()));
        for &group in &self.missing {
            let item = WorkItem::Predict(name.clone(), group);
            add_damaged(true, scores, &run.scores(name, group), item);
        }
        let heatmap = run.heatmap(name, "h5");
        add_damaged(!self.heatmap, heatmaps, &heatmap, WorkItem::Stitch(name.clone()));
        self.damaged = found;
    }
}

/// The names in a folder; none if there is no folder. A folder that cannot be read is an error,
/// because otherwise its work would count as missing.
fn names(folder: &Path) -> Result<BTreeSet<String>, StateError> {
    let error = |source| StateError::Folder { path: folder.to_owned(), source };
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(BTreeSet::new());
        }
        Err(e) => return Err(error(e)),
    };
    let mut found = BTreeSet::new();
    for entry in entries {
        found.extend(entry.map_err(error)?.file_name().into_string());
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(number: u32) -> GroupNumber {
        GroupNumber::try_from(number).unwrap()
    }

    #[test]
    fn the_listing_says_what_is_done_and_what_was_damaged() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunDir::new(folder.path());
        assert!(RunListing::read(&run).is_err(), "no slides");
        let slides = ["a", "b"].map(|name| folder.path().join(format!("{name}.svs")));
        crate::run_dir::register_files(&run, &slides).unwrap();
        Lookup::plan([("a", 4, 4)]).unwrap().write(&run).unwrap();
        for file in [
            run.patches("a"),
            run.patches("by_hand"),
            run.scores("a", group(2)),
            run.scores("a", group(3)),
            run.part("a", group(4)),
        ] {
            staged::write(&file, b"x").unwrap();
        }
        damage::Watched::new(&run.scores("a", group(3)), "predict")
            .set_aside("it is short", "stitch");
        let listing = RunListing::read(&run).unwrap();
        let names: Vec<_> = listing.slides.iter().map(|s| s.record.name.as_str()).collect();
        assert_eq!(names, ["a", "b", "by_hand"]);
        let rows: Vec<_> = listing.slides.iter().map(|s| s.row.map(TaskNumber::get)).collect();
        assert_eq!(rows, [Some(1), Some(2), None]);
        let a = &listing.slides[0];
        assert_eq!((a.patches, a.planned, a.heatmap), (true, true, false));
        assert_eq!(a.missing, [1, 3, 4].map(group));
        assert_eq!(a.parts, BTreeSet::from([group(4)]));
        let item = WorkItem::Predict("a".into(), group(3));
        assert_eq!(a.damaged.keys().collect::<Vec<_>>(), [&item]);
        assert_eq!(a.damaged[&item].reason, "it is short");
        let missing = listing.missing();
        assert_eq!(missing.len(), 2 + 3 + 1, "{missing:?}");
        assert_eq!(listing.slide_in(TaskNumber::FIRST), Some("a"));
    }

    #[test]
    fn damaged_patches_are_split_again_and_deleted_ones_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunDir::new(folder.path());
        crate::run_dir::register_files(&run, &[folder.path().join("a.svs")]).unwrap();
        let done = SlideRecord {
            name: "a".into(),
            status: SlideStatus::Done,
            groups: Some(2),
            started_unix_s: Some(1.0),
            ..SlideRecord::default()
        };
        let outcome = serde_json::to_vec(&done).unwrap();
        staged::write(&run.split_outcome("a"), &outcome).unwrap();
        let to_split = || RunListing::read(&run).unwrap().slides[0].to_split();
        assert_eq!(to_split(), None, "patches may be deleted once they are scored");
        staged::write(&run.patches("a"), b"x").unwrap();
        damage::Watched::patches(&run, "a").set_aside("it is short", "predict");
        assert_eq!(to_split(), Some(TaskNumber::FIRST));
        staged::write(&run.patches("a"), b"x").unwrap();
        assert_eq!(to_split(), None, "made anew");
    }
}
