//! Removes the results of slides, and makes them again.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use super::completion::{Completion, StageEnd};
use super::error::StagesError;
use super::plan::plan;
use super::predict::{PredictStageError, groups_where, predict_all};
use super::removal::{RemovalError, refuse_queued, remove_patches, remove_results};
use super::split::split_all;
use super::stitch::{StitchOptions, stitch_all};
use crate::config::{Method, RunConfig};
use crate::jobs::lookup::Lookup;
use crate::progress::Progress;
use crate::run_dir::{self, RunDir, SlideRecord, SlideStatus};
use crate::split::Extent;
use crate::staged;
use crate::threads::Workers;

/// What is removed and made again.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RedoRequest<'a> {
    /// Names of the slides.
    pub names: &'a [String],
    /// Their method; `None` for that of the run.
    pub method: Option<Method>,
    /// Whether slides are split again even if their files have not changed.
    pub split: bool,
}

/// Writes the method of the slides, and removes their scores, heatmaps and, where they are to be
/// split again, patches. Returns the slides to split again.
///
/// # Errors
/// [`RemovalError`] if the run has no such slides, if tasks may use what would be removed, or if a
/// file stays.
pub(crate) fn remove(
    run: &RunDir,
    config: &mut RunConfig,
    request: &RedoRequest<'_>,
    progress: &Progress,
) -> Result<Vec<SlideRecord>, RemovalError> {
    let RedoRequest { names, method, split } = *request;
    let lookup = Lookup::read(run).map_err(StagesError::from)?;
    let records = run_dir::list_slides(run).map_err(StagesError::from)?;
    // A slide that waits for its split has no row in the look-up table.
    let waits = |name: &str| {
        let is_waiting = |record: &SlideRecord| record.status == SlideStatus::Waiting;
        records.iter().any(|record| record.name == name && is_waiting(record))
    };
    if let Some(name) =
        names.iter().find(|name| lookup.of_slide(name).is_none() && !(split && waits(name)))
    {
        let problem = format!("no slide {name} with groups");
        return Err(StagesError::NoSlide { run: run.root().to_owned(), problem }.into());
    }
    let split_again: Vec<SlideRecord> = records
        .into_iter()
        .filter(|record| names.contains(&record.name))
        .filter(|record| split || record.change(&record.path).is_some())
        .collect();
    refuse_queued(run, names, &|_| !split_again.is_empty())?;
    set_method(run, config, names, method)?;
    for name in names {
        remove_results(run, name)?;
    }
    for record in &split_again {
        remove_patches(run, &record.name)?;
        progress.note(&format!("redo: {} is split again", record.name));
    }
    if !split_again.is_empty() {
        let names: Vec<&str> = split_again.iter().map(|record| record.name.as_str()).collect();
        run_dir::reset_slides(run, &names).map_err(StagesError::from)?;
        // Its tasks get other numbers, because they are other work.
        lookup.without(&names).write(run).map_err(StagesError::from)?;
    }
    if staged::is_there(&run.study()).map_err(StagesError::from)? {
        progress.note(
            "note: the study, and exports to other folders, still show the old scores; make them again when the slides are done",
        );
    }
    Ok(split_again)
}

/// Splits the slides `split_again`, then scores and stitches the slides `names`.
///
/// # Errors
/// Those of the stages and of `on_file`.
pub(crate) fn make_again<E>(
    run: &RunDir,
    config: &RunConfig,
    names: &[String],
    split_again: &[SlideRecord],
    workers: &Workers<'_>,
    on_file: &dyn Fn(&Path) -> Result<(), E>,
    progress: &Progress,
) -> Result<StageEnd, E>
where
    E: From<StagesError> + From<PredictStageError>,
{
    let mut lookup = Lookup::read(run).map_err(StagesError::from)?;
    let mut planned = Completion::Done;
    if !split_again.is_empty() {
        let records: Vec<&SlideRecord> = split_again.iter().collect();
        let split = split_all(run, config, &records, Extent::Patches, workers, progress)?;
        run_dir::refresh_slides(run).map_err(StagesError::from)?;
        (lookup, planned) = plan(run, progress)?;
        if split.completion == Completion::Failed {
            return Ok(split);
        }
    }
    let wanted: HashSet<&str> = names.iter().map(String::as_str).collect();
    let groups = groups_where(&lookup, &|name| wanted.contains(name));
    let predicted = predict_all(run, config, &groups, workers, progress)?;
    if predicted.completion == Completion::Failed {
        return Ok(predicted);
    }
    let options = StitchOptions { allow_missing: false, interrupt: workers.interrupt, on_file };
    let stitched = stitch_all(run, config, names, &options, progress)?;
    Ok(StageEnd::from(planned).and(predicted).and(stitched))
}

/// Writes the method of the slides to `run.toml`; without `method` the slides use the method of
/// the run. This happens before anything is removed, so that scores of another method that
/// remain are rejected and never mixed with new ones.
///
/// # Errors
/// [`StagesError`] for a method that single slides cannot have, or if `run.toml` cannot be written.
fn set_method(
    run: &RunDir,
    config: &mut RunConfig,
    slides: &[String],
    method: Option<Method>,
) -> Result<(), StagesError> {
    let of_run = config.config.predict.method;
    let method = method.unwrap_or(of_run);
    if method != of_run && method != Method::Window {
        let (method, of_run) = (method.name(), of_run.name());
        return Err(StagesError::SlideMethod { method, of_run });
    }
    let old: BTreeMap<String, Method> = config.config.slides.method_of.clone();
    let method_of = &mut config.config.slides.method_of;
    for name in slides {
        if method == of_run {
            method_of.remove(name);
        } else {
            method_of.insert(name.clone(), method);
        }
    }
    if *method_of != old {
        config.write(run.root())?;
    }
    Ok(())
}
