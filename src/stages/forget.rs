//! Removes slides from a run.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::error::StagesError;
use super::removal::{RemovalError, refuse_queued, remove_patches, remove_path, remove_results};
use crate::config::{RunConfig, Stage};
use crate::jobs::chain::adopt_pending;
use crate::jobs::forgotten::Forgotten;
use crate::jobs::lookup::Lookup;
use crate::jobs::raised::{Raised, RaisedError};
use crate::jobs::scheduler::{System, scheduler};
use crate::jobs::state_error::StateError;
use crate::jobs::submitted::{Journal, Submission};
use crate::jobs::work::WorkItem;
use crate::number::{GroupNumber, counted};
use crate::progress::Progress;
use crate::run_dir::{self, RunDir, SlideRecord};
use crate::staged;

/// Removes all that the run has of the slides `names`: their results, their rows of the tables and
/// their settings. Task numbers of other slides stay, and those of these are not given again.
///
/// The names are noted first and the rows of `slides.csv` go near the end, so that the same command
/// completes what an interrupted one began.
///
/// # Errors
/// [`RemovalError`] if the run has no such slide, if tasks may use what would be removed, or if a
/// file stays.
pub(crate) fn forget(
    run: &RunDir,
    config: &mut RunConfig,
    names: &[String],
    progress: &Progress,
) -> Result<(), RemovalError> {
    let records = run_dir::list_slides(run).map_err(StagesError::from)?;
    let begun = begun(run)?;
    let is_known =
        |name: &String| begun.contains(name) || records.iter().any(|record| record.name == *name);
    if let Some(name) = names.iter().find(|name| !is_known(name)) {
        let problem = format!("no slide {name}");
        return Err(StagesError::NoSlide { run: run.root().to_owned(), problem }.into());
    }
    // While the journal is open, no other command submits jobs.
    let journal = open_journal(run)?;
    // The job that fits over the slides reads the patches of all of them.
    let uses = |item: &WorkItem| *item == WorkItem::Calibrate || moves(&records, names, item);
    refuse_queued(run, names, &uses)?;
    let noted: BTreeSet<&String> = begun.iter().chain(names).collect();
    let text = serde_json::to_vec(&noted).expect("names are plain data");
    staged::write(&run.forgetting(), &text).map_err(StagesError::from)?;
    let submitted = journal.as_ref().map_or(&[][..], |journal| &journal.list);
    detach_jobs(run, names, submitted, &records)?;
    for name in names {
        remove_results(run, name)?;
        remove_patches(run, name)?;
        remove_more(run, name)?;
    }
    remove_from_tables(run, config, names)?;
    let left: Vec<&String> = begun.iter().filter(|name| !names.contains(name)).collect();
    if left.is_empty() {
        remove_path(&run.forgetting())?;
    } else {
        let text = serde_json::to_vec(&left).expect("names are plain data");
        staged::write(&run.forgetting(), &text).map_err(StagesError::from)?;
    }
    note_end(run, names, progress)
}

/// Removes the slides' rows and settings.
fn remove_from_tables(
    run: &RunDir,
    config: &mut RunConfig,
    names: &[String],
) -> Result<(), StagesError> {
    let as_strs: Vec<&str> = names.iter().map(String::as_str).collect();
    // What an interrupted command leaves is a slide that waits for its split.
    run_dir::reset_slides(run, &as_strs)?;
    if staged::is_there(&run.lookup_csv())? {
        Lookup::read(run)?.without(&as_strs).write(run)?;
    }
    if config.config.slides.forget(&as_strs) {
        config.write(run.root())?;
    }
    Ok(run_dir::remove_slides(run, &as_strs)?)
}

/// Removes what neither a split nor a stitch makes again without being asked.
fn remove_more(run: &RunDir, name: &str) -> Result<(), StagesError> {
    let coords = ["", "_patches"].map(|end| run.coords().join(format!("{name}{end}.h5")));
    // The tissue index of the original HPC_DPAI code, put there by hand.
    let index = run.patches(name).with_extension("npy");
    let others = [run.mask_tiles(name), index].into_iter().chain(coords);
    others.chain(failures_of_groups(run, name)).try_for_each(|path| remove_path(&path))
}

/// The files with the reasons why groups of the slide failed.
fn failures_of_groups(run: &RunDir, name: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(run.logs(Stage::Predict.name())).into_iter().flatten();
    let group_of = |file: &str| {
        let number = file.strip_prefix(name)?.strip_prefix("_t")?.strip_suffix(".failed")?;
        number.parse::<GroupNumber>().ok()
    };
    let is_of_slide = |path: &PathBuf| {
        path.file_name().and_then(|file| file.to_str()).and_then(group_of).is_some()
    };
    entries.flatten().map(|entry| entry.path()).filter(is_of_slide).collect()
}

/// Says what is done, and which files still show the slides.
fn note_end(run: &RunDir, names: &[String], progress: &Progress) -> Result<(), RemovalError> {
    let rest = run_dir::registered(run).map_err(StagesError::from)?.len();
    progress.note(&format!(
        "forget: removed {}; the run has {} now",
        names.join(", "),
        counted(rest, "slide", "slides")
    ));
    let shown = [(run.study(), "study"), (run.report(), "report"), (run.fit_json(), "calibration")];
    let mut left = Vec::new();
    for (path, word) in shown {
        if staged::is_there(&path).map_err(StagesError::from)? {
            left.push(word);
        }
    }
    if !left.is_empty() {
        progress.note(&format!(
            "note: what these commands have made still counts the slide: {}; make it again",
            left.join(", ")
        ));
    }
    Ok(())
}

/// The slides that an interrupted command began to remove.
fn begun(run: &RunDir) -> Result<Vec<String>, StagesError> {
    let text = staged::read_if_there(&run.forgetting())?;
    // A text that is no list is none of ours, and is replaced.
    Ok(text.and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default())
}

/// The journal of the run's jobs, with the job of a command that was killed before it recorded the
/// job; `None` if no job was submitted.
fn open_journal(run: &RunDir) -> Result<Option<Journal>, RemovalError> {
    if !staged::is_there(&run.submitted()).map_err(StagesError::from)? {
        return Ok(None);
    }
    let mut journal = Journal::open(run).map_err(StateError::from)?;
    if let Some(pending) = journal.pending().map_err(StagesError::from)? {
        let scheduler = scheduler(pending.scheduler);
        adopt_pending(scheduler.as_ref(), &System::BRIEF, &mut journal)
            .map_err(|e| RemovalError::Queue { problem: e.to_string() })?;
    }
    Ok(Some(journal))
}

/// Whether the row of a task's slide moves up, which a queued job of `split` refers to.
fn moves(records: &[SlideRecord], names: &[String], item: &WorkItem) -> bool {
    let row = |name: &str| records.iter().position(|record| record.name == name);
    let first = names.iter().filter_map(|name| row(name)).min();
    item.stage() == Stage::Split
        && first.is_some_and(|first| item.slide().and_then(row) > Some(first))
}

/// Makes the jobs so far say nothing about these slides, and about the others what they said.
fn detach_jobs(
    run: &RunDir,
    names: &[String],
    submitted: &[Submission],
    records: &[SlideRecord],
) -> Result<(), RemovalError> {
    let rows: Vec<&str> = records.iter().map(|record| record.name.as_str()).collect();
    let mut forgotten = Forgotten::read(run).map_err(StateError::from)?;
    forgotten.add(names, submitted, &rows);
    forgotten.write(run).map_err(StagesError::from)?;
    let queue = |e: RaisedError| RemovalError::Queue { problem: e.to_string() };
    let mut raised = Raised::read(run).map_err(queue)?;
    raised.forget(names);
    raised.write(run).map_err(queue)
}
