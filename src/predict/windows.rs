//! Scores single windows. With `[predict] share`, windows that lie close together share their
//! first layers.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::batch::{Batch, Batcher, NumberedPoint};
use super::context::Context;
use super::error::PredictError;
use super::group_work::GroupWork;
use super::precision_sample::{PrecisionSample, differences};
use super::prepare::{Preparation, PreparedPatch};
use super::sample::{Sample, window_scores};
use super::scored::Scored;
use super::scorer::Scorer;
use super::sessions::load_sessions;
use super::shared::{SharedPiece, SharedWindows};
use super::stream::{Cut, Stopped, WantedPoints, stream};
use crate::model::{EngineError, Session};
use crate::pipeline::{Outlet, map};
use crate::scores::DenseMeta;

/// Scores single windows, on one session per worker.
pub(super) struct WindowScorer {
    sessions: Vec<Box<dyn Session>>,
    /// `None` where windows share nothing.
    shared: Option<SharedWindows>,
    /// What a trial of the network found, for the user.
    notes: Vec<String>,
}

impl WindowScorer {
    /// Loads the network and, with `[predict] share`, its trunk and head.
    pub(super) fn load(context: &Context<'_>) -> Result<Self, PredictError> {
        let (sessions, trial) = context.load_tried_sessions()?;
        // Windows that depend on their batch would also depend on what they share.
        let share = context.keys().share && !trial.alone;
        let shared = if share { SharedWindows::load(context)? } else { None };
        Ok(Self { sessions, shared, notes: trial.notes })
    }

    /// What a trial of the network found, for the user; each sentence is returned once.
    pub(super) fn take_notes(&mut self) -> Vec<String> {
        std::mem::take(&mut self.notes)
    }

    /// Sessions for single windows.
    pub(super) fn sessions(&mut self) -> &mut [Box<dyn Session>] {
        &mut self.sessions
    }

    /// Returns the sessions and frees the rest.
    pub(super) fn into_sessions(self) -> Vec<Box<dyn Session>> {
        self.sessions
    }

    /// Scores `points` of each patch of a group and enters the scores in the ledger; an
    /// interrupt ends the work early.
    pub(super) fn enter(
        &mut self,
        context: &Context<'_>,
        work: GroupWork<'_>,
        points: &[Vec<NumberedPoint>],
    ) -> Result<(), Stopped> {
        let wanted = WantedPoints { work, points, given_up: points };
        self.run(context, wanted, &mut |scored| work.enter(scored))
    }

    /// Scores the points `wanted` and hands the scores to `sink`; an interrupt ends the work
    /// early.
    pub(super) fn run(
        &mut self,
        context: &Context<'_>,
        wanted: WantedPoints<'_>,
        sink: &mut dyn FnMut(&Scored),
    ) -> Result<(), Stopped> {
        let (preparation, classes) = (&context.preparation, context.classes().count);
        let queue = 2 * self.sessions.len();
        let batcher = Batcher::new(self.sessions.first().map_or(1, |session| session.batch()));
        let workers = self.sessions.iter_mut().map(|session| Worker {
            session: session.as_mut(),
            preparation,
            classes,
            window_area_px: u64::from(context.model.card.window_px).pow(2),
        });
        match &mut self.shared {
            None => {
                let workers = workers.map(|mut worker| {
                    move |batch, outlet: &Outlet<'_, Scored>| worker.score(&batch, outlet)
                });
                stream(context, wanted, queue, batcher, workers, sink)
            }
            Some(shared) => {
                let (cut, regions) = shared.parts(context, batcher);
                let workers = workers.zip(regions).map(|(mut worker, mut region)| {
                    move |piece, outlet: &Outlet<'_, Scored>| match piece {
                        SharedPiece::Alone(batch) => worker.score(&batch, outlet),
                        SharedPiece::Region(windows) => region.score(&windows, outlet),
                    }
                });
                stream(context, wanted, queue, cut, workers, sink)
            }
        }
    }
}

impl Scorer for WindowScorer {
    fn dense_meta(&self, _: &Context<'_>) -> Option<DenseMeta> {
        None
    }

    fn batch(&self) -> Option<usize> {
        self.sessions.first().map(|session| session.batch())
    }

    fn deviations(
        &mut self,
        context: &Context<'_>,
        sample: &PrecisionSample<'_>,
    ) -> Result<Vec<f64>, PredictError> {
        let PrecisionSample { reference, group, samples, workers } = sample;
        let mut exact =
            load_sessions(reference, &context.model, context.batch, *workers, context.pool)
                .map_err(|source| sample.failed(source))?;
        let classes = context.classes();
        let workers = self.sessions.iter_mut().zip(&mut exact).map(|(less, exact)| {
            move |one: &Sample<'_>| {
                let prepared =
                    one.prepared(one.whole(), &context.preparation, group.normalizer.as_ref())?;
                let Some(patch) = prepared else { return Ok(Vec::new()) };
                let scores = |session: &mut Box<dyn Session>| {
                    let (session, preparation) = (session.as_mut(), &context.preparation);
                    window_scores(session, preparation, &patch, &one.points, classes.count)
                        .map_err(|source| sample.failed(source))
                };
                Ok(differences(classes, &scores(less)?, &scores(exact)?))
            }
        });
        let differences: Result<_, PredictError> = map(samples.iter(), workers);
        Ok(differences?.concat())
    }

    fn score(
        &mut self,
        context: &Context<'_>,
        work: GroupWork<'_>,
        todo: &[Vec<NumberedPoint>],
    ) -> Result<(), Stopped> {
        self.enter(context, work, todo)
    }
}

impl Cut for Batcher {
    type Piece = Batch;

    fn cut(&mut self, patch: &Arc<PreparedPatch>, points: &[NumberedPoint]) -> Vec<Batch> {
        points.iter().filter_map(|&point| self.push(patch, point)).collect()
    }

    fn rest(&mut self) -> Option<Batch> {
        self.take_rest()
    }
}

/// A session and what prepares its windows.
struct Worker<'w> {
    session: &'w mut dyn Session,
    preparation: &'w Preparation,
    /// Number of classes.
    classes: usize,
    /// Area of a window, px.
    window_area_px: u64,
}

impl Worker<'_> {
    /// Cuts the windows of a batch, runs the network and sends the scores on.
    fn score(&mut self, batch: &Batch, outlet: &Outlet<'_, Scored>) -> Result<(), EngineError> {
        let window_len = self.preparation.window_len();
        let count = batch.windows.len();
        let mut scores = vec![0.0; count * self.classes];
        let mut cutting = Duration::ZERO;
        let mut fill = |input: &mut [f32]| {
            let started = Instant::now();
            let windows = batch.windows.iter().zip(input.chunks_exact_mut(window_len));
            for ((patch, numbered), window) in windows {
                let point = &numbered.point;
                self.preparation.window(patch, point.patch_x_px, point.patch_y_px, window);
            }
            cutting = started.elapsed();
        };
        let started = Instant::now();
        self.session.run_filled(count, &mut fill, &mut scores)?;
        let infer = started.elapsed().saturating_sub(cutting);
        let numbers = batch.windows.iter().map(|(_, numbered)| numbered.number).collect();
        // Sending fails only after the work has ended.
        let computed_px = count as u64 * self.window_area_px;
        let _ = outlet.send(Scored { numbers, scores, infer, computed_px, shared: false });
        Ok(())
    }
}
