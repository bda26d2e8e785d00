//! Scores the groups of a run, one after the other.

use rayon::ThreadPool;

use super::audit::{Audit, audit_of};
use super::calibrate::{Calibrated, calibrate, check_margin};
use super::cascade::CascadeScorer;
use super::context::Context;
use super::dense::DenseScorer;
use super::error::PredictError;
use super::forecast::{Forecast, cost_of, forecast};
use super::group::Group;
use super::last_slide::LastSlide;
use super::ledger::Start;
use super::loaded_dense::LoadedDense;
use super::part_file;
use super::score::{GroupOutcome, check_existing, score_group};
use super::windows::WindowScorer;
use crate::config::{Method, RunConfig};
use crate::damage::{self, SetAside, Watched};
use crate::geometry::Tiling;
use crate::interrupt::Interrupt;
use crate::model::{DenseCost, SelectedEngine};
use crate::number::GroupNumber;
use crate::progress::Progress;
use crate::run_dir::RunDir;
use crate::staged;

/// The model of a run, ready to score any group of the run. Whatever a method needs is loaded
/// once, before the first group that the method scores.
pub(crate) struct Predictor<'r> {
    context: Context<'r>,
    windows: Option<WindowScorer>,
    dense: Option<LoadedDense>,
    calibrations: LastSlide<Calibrated>,
    audits: LastSlide<Audit>,
}

impl<'r> Predictor<'r> {
    /// Loads the run's model into one session per thread of `pool`.
    ///
    /// # Errors
    /// [`PredictError`] when the model is not the run's or does not load.
    pub(crate) fn load(
        run: &'r RunDir,
        config: &'r RunConfig,
        engine: SelectedEngine,
        pool: &'r ThreadPool,
    ) -> Result<Self, PredictError> {
        let context = Context::load(run, config, engine, pool)?;
        let windows = match config.config.predict.method {
            Method::Window | Method::Cascade => Some(WindowScorer::load(&context)?),
            // The dense network depends on the size of the patches, known once a group is open.
            Method::Dense | Method::Auto => None,
        };
        let (calibrations, audits) = (LastSlide::default(), LastSlide::default());
        Ok(Self { context, windows, dense: None, calibrations, audits })
    }

    /// Saves the scores so far and stops once `interrupt` is requested.
    #[must_use]
    pub(crate) fn with_interrupt(mut self, interrupt: Interrupt) -> Self {
        self.context.interrupt = interrupt;
        self
    }

    /// What dense runs cost beside single windows; `None` for the method `window`.
    ///
    /// # Errors
    /// [`PredictError`] if the network has no dense form.
    pub(crate) fn dense_cost(&self) -> Result<Option<DenseCost>, PredictError> {
        match self.context.keys().method.runs_dense() {
            true => Ok(Some(cost_of(&self.context)?)),
            false => Ok(None),
        }
    }

    /// Number of workers.
    pub(crate) fn workers(&self) -> usize {
        self.context.workers()
    }

    /// Times the network on this machine.
    ///
    /// # Errors
    /// [`PredictError`] if the network cannot run.
    pub(crate) fn forecast(&mut self) -> Result<Forecast, PredictError> {
        let Self { context, windows, dense, .. } = self;
        let dense = match context.keys().method.runs_dense() {
            true => Some(&*loaded_dense(dense, context, context.config.tiling())?),
            false => None,
        };
        match windows {
            Some(windows) => forecast(context, windows.sessions()[0].as_mut(), dense),
            None => {
                let (mut sessions, _) = context.load_tried(1)?;
                forecast(context, sessions[0].as_mut(), dense)
            }
        }
    }

    /// What a trial of the network found, for the user; each sentence is returned once.
    pub(crate) fn take_notes(&mut self) -> Vec<String> {
        let notes = self.windows.as_mut().map(WindowScorer::take_notes).unwrap_or_default();
        self.context.named(notes)
    }

    /// Scores a group of a slide, unless a readable score file of the group exists.
    ///
    /// # Errors
    /// [`PredictError`] naming the slide and group; [`PredictError::Damaged`] if the patches
    /// are damaged, in which case they are set aside.
    pub(crate) fn predict(
        &mut self,
        slide: &str,
        group: GroupNumber,
        progress: &Progress,
    ) -> Result<GroupOutcome, PredictError> {
        if let Some(present) = self.present(slide, group, progress)? {
            return Ok(present);
        }
        let run = self.context.run;
        let patches = Watched::patches(run, slide);
        let outcome = self.score(slide, group, progress).map_err(|error| match error {
            PredictError::Format(error) => {
                // Another task may have set the damaged file aside already.
                let earlier = || SetAside::find(&run.patches(slide), "split");
                let set_aside = patches.note(&error, "predict").or_else(earlier);
                set_aside.map_or_else(|| error.into(), PredictError::Damaged)
            }
            error => error,
        })?;
        if let GroupOutcome::Scored { .. } = outcome {
            damage::clear(&run.scores(slide, group));
        }
        Ok(outcome)
    }

    /// The outcome of a group whose score file exists; `None` if none exists or if a damaged
    /// one was set aside.
    fn present(
        &self,
        slide: &str,
        group: GroupNumber,
        progress: &Progress,
    ) -> Result<Option<GroupOutcome>, PredictError> {
        let run = self.context.run;
        let path = run.scores(slide, group);
        if !staged::is_there(&path)? {
            return Ok(None);
        }
        let watched = Watched::new(&path, "predict");
        match check_existing(&path, self.context.config, slide) {
            Ok(present) => {
                part_file::remove_part(&run.part(slide, group));
                Ok(Some(present))
            }
            Err(PredictError::Format(error)) => {
                let set_aside = watched.note(&error, "predict").ok_or(error)?;
                progress.warn(&format!("warning: {set_aside}"));
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    fn score(
        &mut self,
        slide: &str,
        group: GroupNumber,
        progress: &Progress,
    ) -> Result<GroupOutcome, PredictError> {
        let Self { context, windows, dense, calibrations, audits } = self;
        let patches = context.open_patches(slide)?;
        let start = Start::now();
        let group = &Group::open(context, &patches, slide, group)?;
        match context.config.method_of(slide) {
            Method::Window => {
                score_group(context, loaded(windows, context)?, group, start, progress)
            }
            Method::Dense => {
                let dense = loaded_dense(dense, context, group.tiling)?;
                check_margin(context, dense, group)?;
                let calibrated = calibrations.get(slide, || {
                    // This method scores single windows for the calibration alone.
                    let sessions = || match windows.take() {
                        Some(loaded) => Ok(loaded.into_sessions()),
                        None => context.load_sessions(),
                    };
                    calibrate(context, dense, group, sessions, progress)
                })?;
                calibrated.check(context, slide)?;
                dense.load_head(context, calibrated.head.as_ref())?;
                score_group(context, &mut DenseScorer { dense, calibrated }, group, start, progress)
            }
            Method::Auto => unreachable!("a run has the method that was chosen for it"),
            Method::Cascade => {
                let dense = loaded_dense(dense, context, group.tiling)?;
                check_margin(context, dense, group)?;
                let windows = loaded(windows, context)?;
                let calibrated = calibrations.get(slide, || {
                    calibrate(context, dense, group, || Ok(windows.sessions()), progress)
                })?;
                if calibrated.open().is_none() {
                    dense.load_head(context, calibrated.head.as_ref())?;
                }
                let audit = audits.get(slide, || audit_of(context, group))?;
                let mut scorer = CascadeScorer { windows, dense, calibrated, audit };
                score_group(context, &mut scorer, group, start, progress)
            }
        }
    }
}

/// Returns the scorer of single windows, loaded on first use.
fn loaded<'s>(
    windows: &'s mut Option<WindowScorer>,
    context: &Context<'_>,
) -> Result<&'s mut WindowScorer, PredictError> {
    match windows {
        Some(windows) => Ok(windows),
        empty => Ok(empty.insert(WindowScorer::load(context)?)),
    }
}

/// Returns the dense network for patches of `tiling`, loaded on first use.
fn loaded_dense<'s>(
    dense: &'s mut Option<LoadedDense>,
    context: &Context<'_>,
    tiling: Tiling,
) -> Result<&'s mut LoadedDense, PredictError> {
    // The old network is freed first, so that only one takes memory.
    if dense.as_ref().is_some_and(|dense| !dense.fits(tiling)) {
        *dense = None;
    }
    match dense {
        Some(dense) => Ok(dense),
        empty => Ok(empty.insert(LoadedDense::load(context, tiling)?)),
    }
}

/// Tries the network of a run, and returns warnings for the user.
///
/// # Errors
/// [`PredictError`] if the run has no model, or the network cannot score a window.
pub(crate) fn try_network(
    run: &RunDir,
    config: &RunConfig,
    engine: SelectedEngine,
    pool: &ThreadPool,
) -> Result<Vec<String>, PredictError> {
    let context = Context::load(run, config, engine, pool)?;
    let (_, trial) = context.load_tried(1)?;
    Ok(context.named(trial.notes))
}
