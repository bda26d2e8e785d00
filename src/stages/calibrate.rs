//! The stage `calibrate`: fits the head of the dense network over the slides of a run.

use super::completion::Completion;
use super::error::StagesError;
use super::predict::{PredictStageError, select_engine};
use crate::config::{MIN_FIT_SLIDES, RunConfig};
use crate::jobs::fit::{self, NoFit};
use crate::model::FitFile;
use crate::predict::{CohortFit, CohortRun, PredictError, fit_cohort};
use crate::progress::Progress;
use crate::run_dir::{self, RunDir, SlideRecord};
use crate::staged;
use crate::threads::Workers;

/// The slides over which a run fits the head before it scores them; `None` if it does not.
///
/// # Errors
/// [`StagesError`] if the system does not say whether the run has scores or a slide patches: a
/// fit over fewer slides would be another one.
pub(crate) fn slides_to_fit(
    run: &RunDir,
    config: &RunConfig,
) -> Result<Option<Vec<String>>, StagesError> {
    // A run that needs no fit does not look at the slides, of which one may be out of reach.
    if !fit::is_open(run, config)? {
        return Ok(None);
    }
    let slides = slides_with_patches(run)?;
    let is_due = slides.len() >= MIN_FIT_SLIDES && fit::is_wanted(run, config, &slides)?;
    Ok(is_due.then_some(slides))
}

/// Checks that the run has no scores.
///
/// # Errors
/// [`StagesError`] if it has, or if the system does not say whether it has.
pub(crate) fn require_no_scores(run: &RunDir) -> Result<(), StagesError> {
    match fit::has_scores(run)? {
        true => Err(StagesError::HasScores { run: run.root().to_owned() }),
        false => Ok(()),
    }
}

/// The names of the slides that have patches.
///
/// # Errors
/// [`StagesError`] if the table of slides cannot be read, or the system does not say whether
/// a slide has patches.
pub(crate) fn slides_with_patches(run: &RunDir) -> Result<Vec<String>, StagesError> {
    let mut names = Vec::new();
    for SlideRecord { name, .. } in run_dir::list_slides(run)? {
        if staged::is_there(&run.patches(&name))? {
            names.push(name);
        }
    }
    Ok(names)
}

/// Fits the head over `slides`, writes `calibration/fit.json` and records its hash in the run.
///
/// The completion is partial if the fit cannot be used as a screen, or if a signal ended the
/// work.
///
/// # Errors
/// [`PredictStageError`] if there is no engine, windows cannot be scored, tasks have scored
/// meanwhile, or a file cannot be written.
pub(crate) fn calibrate_all(
    run: &RunDir,
    config: &mut RunConfig,
    slides: &[String],
    workers: &Workers<'_>,
    progress: &Progress,
) -> Result<Completion, PredictStageError> {
    let &Workers { pool, interrupt } = workers;
    let engine = select_engine(config, progress)?;
    let interrupt = interrupt.clone();
    let cohort = CohortRun { run, config, engine, pool, interrupt };
    let fit = match fit_cohort(cohort, slides, progress)? {
        CohortFit::Fitted(fit) => fit,
        CohortFit::None(why) => {
            progress.note(&format!("calibrate: no fit over the slides: {why}"));
            NoFit::new(why, config, slides).write(run).map_err(PredictError::from)?;
            return Ok(Completion::Done);
        }
        CohortFit::Interrupted(signal) => {
            progress.note(&format!("calibrate: {signal}: nothing is kept"));
            return Ok(Completion::Partial);
        }
    };
    // A second job may have been faster, and tasks may rest on its fit.
    let mut written = RunConfig::read(run.root())?;
    if written.resolved.fit_sha256.is_some() {
        progress.note("calibrate: another command has made the fit of this run; this one is left");
        config.resolved.fit_sha256 = written.resolved.fit_sha256;
        return Ok(Completion::Done);
    }
    require_no_scores(run)?;
    let path = run.fit_json();
    staged::write(&path, &fit.to_json()).map_err(PredictError::from)?;
    let read = FitFile::read(&path, &fit.model_sha256).map_err(PredictError::from)?;
    // Options of this command alone are not written.
    written.resolved.fit_sha256 = Some(read.sha256.clone());
    written.write(run.root())?;
    config.resolved.fit_sha256 = Some(read.sha256);
    for line in report(&fit) {
        progress.note(&format!("calibrate: {line}"));
    }
    if fit.open.is_empty() {
        return Ok(Completion::Done);
    }
    progress.warn(&format!(
        "warning: the fit over the slides cannot serve as a screen: {}; dense scores are refused, and a cascade screens by single windows further apart",
        fit.open
    ));
    Ok(Completion::Partial)
}

/// Two lines: the windows of the fit, and its judgement on slides left out.
fn report(fit: &FitFile) -> [String; 2] {
    let judged = &fit.judged;
    let kept = if judged.positives == 0 {
        "no window at 0.5 or above was seen".to_owned()
    } else {
        format!(
            "of {} windows at 0.5 or above, {} screened below {} (at most {:.1} %, 95 % confidence, windows taken as independent)",
            judged.positives,
            judged.lost,
            judged.refine_above,
            100.0 * judged.lost_bound
        )
    };
    [
        format!(
            "{} windows of {} slides drawn by place, {} chosen by a first fit",
            judged.windows,
            fit.slides.len(),
            judged.chosen
        ),
        format!(
            "on slides left out: root mean square difference {:.3}, 99 % within {:.3}; {kept}",
            judged.rms, judged.p99
        ),
    ]
}
