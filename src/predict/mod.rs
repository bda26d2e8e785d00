//! One group of patches in, one file of scores out.

mod audit;
mod batch;
mod both_ways;
mod calibrate;
mod calibration;
mod cascade;
mod cascade_tally;
mod coarse;
mod colour;
mod dense;
mod dense_plan;
mod deviation;
mod draw;
mod error;
mod group;
mod ledger;
mod pixels;
mod prepare;
mod sample;
mod shared;
mod span;
mod windows;

use std::sync::Arc;

use rayon::ThreadPool;
use rayon::prelude::*;

use crate::config::{Method, RunConfig};
use crate::interrupt::Interrupt;
use crate::model::{
    EngineError, LoadedTrunkHead, Model, Precision, SelectedEngine, Session, card_sha256,
};
use crate::number::GroupNumber;
use crate::patches::PatchesFile;
use crate::progress::Progress;
use crate::run_dir::RunDir;

pub use error::PredictError;
pub use group::GroupOutcome;
pub(crate) use group::share;
pub use prepare::{Preparation, PreparedPatch};

/// Windows in all workers' batches together, unless the batch is given.
const WINDOWS_AT_ONCE: usize = 32;

/// A model loaded into one session a worker, ready for any group of the run.
pub struct Predictor<'r> {
    run: &'r RunDir,
    config: &'r RunConfig,
    model: Model,
    engine: SelectedEngine,
    preparation: Preparation,
    pool: &'r ThreadPool,
    threads: usize,
    batch: usize,
    /// One a worker; none until single windows are to be scored.
    sessions: Vec<Box<dyn Session>>,
    /// Their first layers apart, where windows are to share them.
    sharing: Option<(shared::Sharing, Vec<LoadedTrunkHead>)>,
    /// Whether that was looked at.
    asked_to_share: bool,
    dense: Option<dense::Dense>,
    /// Of the slide scored last.
    calibrated: Option<(String, Arc<calibrate::Calibrated>)>,
    /// Of the slide scored last.
    audit: Option<(String, Arc<audit::Audit>)>,
    interrupt: Interrupt,
}

impl<'r> Predictor<'r> {
    /// Loads the run's model into one session per thread of `pool`.
    ///
    /// # Errors
    /// [`PredictError`] when the model is not the run's or does not load.
    pub fn load(
        run: &'r RunDir,
        config: &'r RunConfig,
        engine: SelectedEngine,
        pool: &'r ThreadPool,
    ) -> Result<Self, PredictError> {
        let threads = pool.current_num_threads();
        let card = config.config.model.card.as_deref();
        let card = card.ok_or_else(|| PredictError::NoModel { run: run.root().to_owned() })?;
        let model = Model::load(card)?;
        if model.sha256 != config.resolved.model_sha256 {
            return Err(PredictError::OtherModel {
                path: model.path.clone(),
                found: model.sha256,
                expected: config.resolved.model_sha256.clone(),
            });
        }
        if card_sha256(&model.card) != config.resolved.card_sha256 {
            return Err(PredictError::OtherCard { path: card.to_owned() });
        }
        let batch = config.config.predict.batch.unwrap_or_else(|| {
            // What the workers hold together does not grow with their number.
            engine.engine.best_batch().min(WINDOWS_AT_ONCE / threads.max(1)).max(1)
        });
        let preparation = Preparation::new(&model.card);
        let interrupt = Interrupt::new();
        let (sessions, sharing, dense) = (Vec::new(), None, None);
        let mut predictor = Self {
            run,
            config,
            model,
            engine,
            preparation,
            pool,
            threads,
            batch,
            sessions,
            sharing,
            asked_to_share: false,
            dense,
            calibrated: None,
            audit: None,
            interrupt,
        };
        if config.config.predict.method != Method::Dense {
            predictor.load_windows()?;
            predictor.load_shared()?;
        }
        Ok(predictor)
    }

    /// Makes ready to score single windows.
    fn load_windows(&mut self) -> Result<(), PredictError> {
        if self.sessions.is_empty() {
            self.sessions =
                load_sessions(&self.engine, &self.model, self.batch, self.threads, self.pool)
                    .map_err(|source| PredictError::Engine {
                        what: self.model.path.display().to_string(),
                        source,
                    })?;
        }
        Ok(())
    }

    /// Makes ready to share what neighbouring windows have in common, where asked for.
    fn load_shared(&mut self) -> Result<(), PredictError> {
        let keys = &self.config.config.predict;
        if !keys.share || self.asked_to_share {
            return Ok(());
        }
        self.asked_to_share = true;
        let sizes = (self.batch, self.threads);
        let loaded =
            shared::Sharing::load(&self.engine, &self.model, keys.stride, sizes, self.pool);
        self.sharing = loaded.map_err(|source| PredictError::Engine {
            what: self.model.path.display().to_string(),
            source,
        })?;
        Ok(())
    }

    /// Ends in good order when `interrupt` asks for it.
    #[must_use]
    pub fn with_interrupt(mut self, interrupt: Interrupt) -> Self {
        self.interrupt = interrupt;
        self
    }

    /// The model in use.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// Scores a group of a slide, unless its file is there.
    ///
    /// # Errors
    /// [`PredictError`] naming the slide and group.
    pub fn predict(
        &mut self,
        slide: &str,
        group: GroupNumber,
        progress: &Progress,
    ) -> Result<GroupOutcome, PredictError> {
        let path = self.run.scores(slide, group);
        if path.exists() {
            let present = group::check_existing(&path, self.config, slide)?;
            ledger::remove_part(&self.run.part(slide, group));
            return Ok(present);
        }
        let patches = self.open_patches(slide)?;
        if self.config.method_of(slide) == Method::Window {
            self.load_windows()?;
            self.load_shared()?;
        }
        group::score_group(self, &patches, slide, group, progress)
    }

    /// As written in score files: what the network computes in, or in f32 the type of
    /// its input.
    fn precision_name(&self) -> &'static str {
        match self.engine.engine.precision() {
            Precision::F32 => self.model.precision(),
            less => less.name(),
        }
    }

    /// As written in score files.
    fn engine_name(&self) -> String {
        format!("{} {}", self.engine.engine.name(), self.engine.engine.version())
    }

    fn open_patches(&self, slide: &str) -> Result<PatchesFile, PredictError> {
        let path = self.run.patches(slide);
        let patches = PatchesFile::open(&path)?;
        let meta = patches.meta();
        let expected = self.config.patches_sha256();
        if !meta.legacy && meta.config_sha256 != expected {
            return Err(PredictError::OtherPatches {
                path,
                found: meta.config_sha256.clone(),
                expected,
            });
        }
        if meta.window_px != self.model.card.window_px {
            return Err(PredictError::OtherWindow {
                path,
                found: meta.window_px,
                expected: self.model.card.window_px,
            });
        }
        Ok(patches)
    }
}

/// One session a worker; loaded side by side, since loading takes a second.
pub(crate) fn load_sessions(
    engine: &SelectedEngine,
    model: &Model,
    batch: usize,
    threads: usize,
    pool: &ThreadPool,
) -> Result<Vec<Box<dyn Session>>, EngineError> {
    // The first load fails alone when the network does not run at all.
    let first = engine.engine.load(model, batch)?;
    let others: Vec<_> = pool.install(|| {
        let others = (1..threads).into_par_iter().with_max_len(1);
        others.map(|_| engine.engine.load(model, batch)).collect()
    });
    std::iter::once(Ok(first)).chain(others).collect()
}
