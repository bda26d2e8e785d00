//! All stages from slides to heatmaps, one after the other on this machine, as `slidegrid run`
//! does them.

use std::collections::HashSet;
use std::path::Path;

use super::calibrate::{calibrate_all, slides_to_fit};
use super::completion::{Completion, StageEnd};
use super::error::StagesError;
use super::plan::plan;
use super::predict::{PredictStageError, groups_where, predict_all, try_network};
use super::slides::is_unsplit;
use super::split::split_all;
use super::stitch::{StitchOptions, stitch_all, stitchable};
use crate::config::RunConfig;
use crate::jobs::outcome::Undone;
use crate::progress::Progress;
use crate::run_dir::{self, RunDir, SlideRecord};
use crate::split::Extent;
use crate::staged;
use crate::threads::Workers;

/// How the stages ended.
pub(crate) enum WholeRunEnd {
    /// A signal stopped them between two stages, or within one.
    Interrupted(Vec<Undone>),
    /// No slide of the run could be split.
    NothingSplit(StageEnd),
    /// All stages have ended.
    Ended(StageEnd),
}

/// Splits, scores and stitches the slides `wanted`. What is done is kept.
///
/// # Errors
/// Those of the stages and of `on_file`, which is called with each file of a heatmap.
pub(crate) fn run_stages<E>(
    run: &RunDir,
    config: &mut RunConfig,
    wanted: &[&SlideRecord],
    workers: &Workers<'_>,
    on_file: &dyn Fn(&Path) -> Result<(), E>,
    progress: &Progress,
) -> Result<WholeRunEnd, E>
where
    E: From<StagesError> + From<PredictStageError>,
{
    let interrupt = workers.interrupt;
    let is_interrupted = || interrupt.requested().is_some();
    let names: HashSet<&str> = wanted.iter().map(|record| record.name.as_str()).collect();
    // A network that cannot score a window would fail after hours of splitting.
    if wanted.iter().any(|slide| is_unsplit(run, slide)) {
        try_network(run, config, workers, progress)?;
    }
    let split = split_all(run, config, wanted, Extent::Patches, workers, progress)?;
    if staged::is_there(&run.slides_csv()).map_err(StagesError::from)? {
        run_dir::refresh_slides(run).map_err(StagesError::from)?;
    }
    let records = run_dir::list_slides(run).map_err(StagesError::from)?;
    if is_interrupted() {
        return Ok(WholeRunEnd::Interrupted(split.undone));
    }
    if split.completion == Completion::Failed
        && !records.iter().any(|r| staged::is_there(&run.patches(&r.name)).unwrap_or(true))
    {
        return Ok(WholeRunEnd::NothingSplit(split));
    }
    let (lookup, planned) = plan(run, progress)?;
    fit_if_due::<E>(run, config, workers, progress)?;
    if is_interrupted() {
        return Ok(WholeRunEnd::Interrupted(split.undone));
    }
    let predicted = match groups_where(&lookup, &|name| names.contains(name)) {
        groups if groups.is_empty() => Completion::Done.into(),
        groups => predict_all(run, config, &groups, workers, progress)?,
    };
    if is_interrupted() {
        return Ok(WholeRunEnd::Interrupted(split.and(predicted).undone));
    }
    let wanted = records.into_iter().filter(|record| names.contains(record.name.as_str()));
    let options = StitchOptions { allow_missing: false, interrupt, on_file };
    let stitched = stitch_all(run, config, &stitchable(run, wanted.collect()), &options, progress)?;
    if is_interrupted() {
        return Ok(WholeRunEnd::Interrupted(split.and(predicted).and(stitched).undone));
    }
    Ok(WholeRunEnd::Ended(split.and(planned.into()).and(predicted).and(stitched)))
}

/// Fits the dense network's head over the slides, if the run is to have a fit. A fit that is
/// no screen is noted, and makes no slide partial.
fn fit_if_due<E>(
    run: &RunDir,
    config: &mut RunConfig,
    workers: &Workers<'_>,
    progress: &Progress,
) -> Result<(), E>
where
    E: From<StagesError> + From<PredictStageError>,
{
    if let Some(slides) = slides_to_fit(run, config)? {
        calibrate_all(run, config, &slides, workers, progress)?;
    }
    Ok(())
}
