//! The stage `predict` over several groups.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;

use thiserror::Error;

use super::completion::{Completion, StageEnd};
use super::dense_cost::note_cost;
use super::error::StagesError;
use super::failure_file;
use super::failure_kind::FailureKind;
use super::forecast::note_forecast;
use super::interrupted::GO_ON;
use crate::config::{ConfigError, Method, RunConfig, STRIDE_PX, in_words};
use crate::jobs::lookup::{Lookup, LookupRow};
use crate::jobs::outcome::{self, OutcomeKind, Undone};
use crate::model::{self, EngineChoice, EngineError, EngineRequest, Precision, SelectedEngine};
use crate::number::{GroupNumber, counted};
use crate::predict::{GroupOutcome, PredictError, Predictor, share};
use crate::progress::Progress;
use crate::run_dir::{self, RunDir};
use crate::staged;
use crate::threads::Workers;

/// Groups cannot be scored.
#[derive(Debug, Error)]
pub(crate) enum PredictStageError {
    /// The run's configuration cannot be written.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// There is no such engine.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// A group cannot be scored.
    #[error(transparent)]
    Predict(#[from] PredictError),
    /// The slides of the run cannot be used.
    #[error(transparent)]
    Stages(#[from] StagesError),
    /// A key cannot change any more.
    #[error("{}: {option}: {problem} (its stride is {stride}, its method {method}, its precision {precision}); for another stride, method or precision use another run directory, or delete {}/scores", run.display(), run.display())]
    Fixed {
        /// The run directory.
        run: PathBuf,
        /// The option that would change the key.
        option: String,
        /// Why the key cannot have the value.
        problem: String,
        /// The run's stride, working px.
        stride: u32,
        /// The run's method.
        method: &'static str,
        /// The run's precision.
        precision: Precision,
    },
}

impl FailureKind for PredictStageError {
    fn kind(&self) -> OutcomeKind {
        match self {
            Self::Predict(error) => error.kind(),
            Self::Engine(error) => error.kind(),
            Self::Config(_) | Self::Fixed { .. } => OutcomeKind::Configuration,
            Self::Stages(_) => OutcomeKind::Input,
        }
    }
}

/// Keys of `[predict]` that a command line can change; `None` leaves a key as it is.
pub(crate) struct PredictChanges {
    /// Distance between scored points, working px.
    pub(crate) stride: Option<u32>,
    /// How points get their scores.
    pub(crate) method: Option<Method>,
    /// Number type that the network computes in.
    pub(crate) precision: Option<Precision>,
    /// The engine that is written together with the precision.
    pub(crate) engine: Option<EngineChoice>,
}

impl PredictChanges {
    /// Changes the stride, method or precision of the run, as long as the run has no scores.
    ///
    /// # Errors
    /// [`PredictStageError::Fixed`] if the run has scores, or the stride is 0.
    pub(crate) fn apply(
        &self,
        run: &RunDir,
        config: &mut RunConfig,
    ) -> Result<(), PredictStageError> {
        let keys = &mut config.config.predict;
        let stride = self.stride.filter(|&stride| stride != keys.stride);
        let method = self.method.filter(|&method| method != keys.method);
        let precision = self.precision.filter(|&precision| precision != keys.precision);
        let option = match (stride, method, precision) {
            (None, None, None) => return Ok(()),
            (Some(stride), ..) => format!("--stride {stride}"),
            (None, Some(method), _) => format!("--method {}", method.name()),
            (None, None, Some(precision)) => format!("--precision {precision}"),
        };
        let scored = staged::has_entries(&run.root().join("scores"));
        let scored = scored.map_err(PredictError::from)?;
        let is_outside = stride.is_some_and(|stride| !STRIDE_PX.contains(&stride));
        if is_outside || scored {
            let problem = match is_outside {
                true => format!("expected {}", in_words(&STRIDE_PX, " px")),
                false => "this run has scores already".to_owned(),
            };
            return Err(PredictStageError::Fixed {
                run: run.root().to_owned(),
                option,
                problem,
                stride: keys.stride,
                method: keys.method.name(),
                precision: keys.precision,
            });
        }
        keys.stride = stride.unwrap_or(keys.stride);
        keys.method = method.unwrap_or(keys.method);
        if let Some(precision) = precision {
            // Precision and engine are written together, because bf16 needs OpenVINO.
            keys.precision = precision;
            keys.engine = self.engine.unwrap_or(keys.engine);
            if precision != Precision::F32 && keys.engine != EngineChoice::OpenVino {
                let engine = keys.engine.name();
                return Err(EngineError::Precision { engine, precision }.into());
            }
        }
        config.write(run.root())?;
        Ok(())
    }
}

/// A group of a slide.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SlideGroup {
    pub(crate) slide: String,
    pub(crate) group: GroupNumber,
}

impl SlideGroup {
    fn undone(&self, kind: OutcomeKind) -> Undone {
        Undone { slide: self.slide.clone(), group: Some(self.group), kind }
    }
}

impl fmt::Display for SlideGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} t{}", self.slide, self.group)
    }
}

/// Every group of the run, in task order.
pub(crate) fn all_groups(lookup: &Lookup) -> Vec<SlideGroup> {
    groups_where(lookup, &|_| true)
}

/// The groups of the slides that `wanted` names, in task order.
pub(crate) fn groups_where(lookup: &Lookup, wanted: &dyn Fn(&str) -> bool) -> Vec<SlideGroup> {
    let groups = |row: &LookupRow| {
        let slide = row.name.clone();
        row.group_numbers().map(move |group| SlideGroup { slide: slide.clone(), group })
    };
    lookup.rows().iter().filter(|row| wanted(&row.name)).flat_map(groups).collect()
}

/// Scores the groups one after the other with one set of sessions. Groups that fail are listed;
/// the error of a single group is returned.
///
/// # Errors
/// [`PredictStageError`] if there is no engine, or nothing can be scored.
pub(crate) fn predict_all(
    run: &RunDir,
    config: &RunConfig,
    groups: &[SlideGroup],
    workers: &Workers<'_>,
    progress: &Progress,
) -> Result<StageEnd, PredictStageError> {
    let &Workers { pool, interrupt } = workers;
    if let Some(share) = config.config.predict.audit_share {
        progress.note(&format!("note: predict.audit_share = {share} is a key of earlier versions: the share of points that the cascade missed has no bound; predict.audit_bound sets one"));
    }
    warn_of_changed_slides(run, groups, progress);
    let engine = select_engine(config, progress)?;
    let mut predictor =
        Predictor::load(run, config, engine, pool)?.with_interrupt(interrupt.clone());
    if let Some(cost) = predictor.dense_cost()? {
        note_cost(config.config.predict.method, cost, progress);
    }
    for note in predictor.take_notes() {
        progress.warn_once(&note);
    }
    // A task of an array does a part of the work, and nobody looks on.
    let is_task = std::env::var_os(outcome::VARIABLE).is_some();
    if !is_task && !matches!(progress, Progress::Quiet) {
        let unscored = unscored_by_method(run, config, groups);
        let noted = note_forecast(run, config, &unscored, &mut predictor, progress);
        if let Err(error) = noted {
            progress.note(&format!("predict: no forecast: {error}"));
        }
    }
    let overall = progress.start("predict", "groups", groups.len());
    let (mut done, mut failed, mut undone) = (0, 0, Vec::new());
    for (index, group) in groups.iter().enumerate() {
        let SlideGroup { slide, group: number } = group;
        if let Some(signal) = interrupt.requested() {
            progress.note(&format!("predict: {signal}: ended before {group}; {GO_ON}"));
            let rest = &groups[index..];
            undone.extend(rest.iter().map(|group| group.undone(OutcomeKind::Interrupted)));
            return Ok(StageEnd { completion: Completion::Partial, undone });
        }
        let marker = run.failure("predict", &format!("{slide}_t{number}"));
        match predictor.predict(slide, *number, progress) {
            Ok(outcome) => {
                done += 1;
                failure_file::clear(&marker);
                let kind = report_outcome(run, group, &outcome, progress);
                undone.extend(kind.map(|kind| group.undone(kind)));
            }
            Err(error) => {
                failed += 1;
                undone.push(group.undone(error.kind()));
                failure_file::mark(&marker, &error, progress);
                if groups.len() == 1 {
                    return Err(error.into());
                }
                progress.warn(&format!("error: {error}"));
            }
        }
        overall.advance(1);
    }
    Ok(StageEnd::from_items(done, failed, undone))
}

/// Number of groups without scores of each slide that has the method of the run.
fn unscored_by_method<'g>(
    run: &RunDir,
    config: &RunConfig,
    groups: &'g [SlideGroup],
) -> BTreeMap<&'g str, u32> {
    let mut unscored = BTreeMap::new();
    for SlideGroup { slide, group } in groups {
        let has_method = config.method_of(slide) == config.config.predict.method;
        if has_method && !staged::is_there(&run.scores(slide, *group)).unwrap_or(true) {
            *unscored.entry(slide.as_str()).or_default() += 1;
        }
    }
    unscored
}

/// Warns of slides whose files are not those that were split. Their patches are whole, and those
/// of the old files. A table that cannot be read is named by the commands that need it.
fn warn_of_changed_slides(run: &RunDir, groups: &[SlideGroup], progress: &Progress) {
    let names: BTreeSet<&str> = groups.iter().map(|group| group.slide.as_str()).collect();
    let records = run_dir::read_rows(run, &|name| names.contains(name)).unwrap_or_default();
    for record in records {
        if let Some(change) = record.change(&record.path) {
            progress.warn(&format!(
                "warning: {}: {} has changed since it was split ({change}); its scores are those of the old file; `{}` does the slide afresh",
                record.name,
                record.path.display(),
                run.redo_afresh(&record.name)
            ));
        }
    }
}

/// Tries the network on a few windows before slides are split, and shows what was found.
///
/// # Errors
/// [`PredictStageError`] if there is no engine, or the network cannot score a window.
pub(crate) fn try_network(
    run: &RunDir,
    config: &RunConfig,
    workers: &Workers<'_>,
    progress: &Progress,
) -> Result<(), PredictStageError> {
    let engine = select_engine(config, &Progress::Quiet)?;
    for note in crate::predict::try_network(run, config, engine, workers.pool)? {
        progress.warn_once(&note);
    }
    Ok(())
}

/// Notes the outcome of a group. Returns a kind if the group is not done, or lacks scores.
fn report_outcome(
    run: &RunDir,
    group: &SlideGroup,
    outcome: &GroupOutcome,
    progress: &Progress,
) -> Option<OutcomeKind> {
    match *outcome {
        GroupOutcome::Present { failed_patches, missed } => {
            report_complete(run, group, failed_patches, missed, progress)
        }
        GroupOutcome::Interrupted { signal, scored, windows } => {
            let saved = share(scored, windows);
            progress.note(&format!("predict {group}: {signal}: {saved} saved; {GO_ON}"));
            Some(OutcomeKind::Interrupted)
        }
        GroupOutcome::Scored { windows, resumed, failed_patches, unnormalized, missed, wall_s } => {
            let count = windows - resumed;
            let rate = count as f64 / wall_s.max(1e-9);
            progress.note(&format!(
                "predict {group}: {} in {wall_s:.1} s ({rate:.1}/s)",
                counted(count, "window", "windows")
            ));
            if unnormalized > 0 {
                progress.warn(&format!("warning: {group}: the stains of {} could not be determined; /unnormalized in the score file says what was done", counted(unnormalized, "patch", "patches")));
            }
            report_complete(run, group, failed_patches, missed, progress)
        }
    }
}

/// Warns of scores that a finished group lacks. Returns a kind if it lacks any.
fn report_complete(
    run: &RunDir,
    group: &SlideGroup,
    failed_patches: u64,
    missed: u64,
    progress: &Progress,
) -> Option<OutcomeKind> {
    if failed_patches > 0 {
        progress.warn(&format!("warning: {group}: no scores for {}, which could not be decoded (see slides.csv) or whose stains could not be determined (see the score file)", counted(failed_patches, "patch", "patches")));
    }
    if missed > 0 {
        progress.warn(&format!(
            "warning: {group}: the audit found {} at 0.5 or above that the screen had ruled out; more points may have been missed; `{}` scores the slide again",
            counted(missed, "point", "points"),
            run.redo_by_window(&group.slide)
        ));
    }
    (failed_patches > 0 || missed > 0).then_some(OutcomeKind::Partial)
}

/// Selects the engine and notes which one it is.
pub(super) fn select_engine(
    config: &RunConfig,
    progress: &Progress,
) -> Result<SelectedEngine, EngineError> {
    let keys = &config.config.predict;
    let selected = model::select(&EngineRequest {
        engine: keys.engine,
        precision: keys.precision,
        ort_library: keys.ort_library.as_deref(),
        openvino_library: keys.openvino_library.as_deref(),
    })?;
    progress.note(&selected.reason);
    Ok(selected)
}
