//! The slides that a command works on.

use std::collections::HashSet;

use super::error::StagesError;
use crate::number::TaskNumber;
use crate::run_dir::{self, NamedSlide, RunDir, SlideRecord};
use crate::staged;

/// Adds the slides to the run's table, and returns all its rows.
///
/// # Errors
/// [`StagesError`] if the table cannot be used, or if the run has no slides and none are given.
pub(crate) fn register(
    run: &RunDir,
    slides: &[NamedSlide],
) -> Result<Vec<SlideRecord>, StagesError> {
    if slides.is_empty()
        && run_dir::list_slides(run).is_err()
        && !staged::is_there(&run.slides_csv())?
    {
        return Err(StagesError::NoSlides { run: run.root().to_owned() });
    }
    Ok(run_dir::register(run, slides)?)
}

/// Row `task` of the table.
///
/// # Errors
/// [`StagesError::NoTask`] if there is no such row.
pub(crate) fn record_of_task<'a>(
    run: &RunDir,
    records: &'a [SlideRecord],
    task: TaskNumber,
) -> Result<&'a SlideRecord, StagesError> {
    records.get(task.index()).ok_or_else(|| StagesError::NoTask {
        table: run.slides_csv(),
        task,
        slides: records.len(),
    })
}

/// The rows of `slides`, or all rows if no slides were named.
pub(crate) fn select_records<'a>(
    records: &'a [SlideRecord],
    slides: &[NamedSlide],
) -> Vec<&'a SlideRecord> {
    let names: HashSet<&str> = slides.iter().map(|slide| slide.name.as_str()).collect();
    let is_wanted =
        |record: &&SlideRecord| names.is_empty() || names.contains(record.name.as_str());
    records.iter().filter(is_wanted).collect()
}

/// Whether a slide is known to have no patches yet.
pub(super) fn is_unsplit(run: &RunDir, slide: &SlideRecord) -> bool {
    staged::is_there(&run.patches(&slide.name)).is_ok_and(|is_split| !is_split)
}
