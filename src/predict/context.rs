//! What all scorers of a run share: the run, its model and engine, and the workers.

use rayon::ThreadPool;

use super::classes::Classes;
use super::error::PredictError;
use super::prepare::Preparation;
use super::sessions::load_sessions;
use super::trial::{Trial, try_session};
use crate::config::{PredictKeys, RunConfig};
use crate::interrupt::Interrupt;
use crate::model::{
    EngineError, FitFile, Model, Precision, ReadFit, SelectedEngine, Session, card_sha256,
};
use crate::patches::PatchesFile;
use crate::run_dir::RunDir;

/// Windows in the batches of all workers together, unless `[predict] batch` is set.
const WINDOWS_AT_ONCE: usize = 32;

/// The run, its model and engine, and the workers.
pub(super) struct Context<'r> {
    pub(super) run: &'r RunDir,
    pub(super) config: &'r RunConfig,
    pub(super) model: Model,
    pub(super) engine: SelectedEngine,
    pub(super) preparation: Preparation,
    pub(super) pool: &'r ThreadPool,
    /// Windows per run of the network.
    pub(super) batch: usize,
    pub(super) interrupt: Interrupt,
    /// The head that was fitted over the slides of this run or of another.
    pub(super) fit: Option<FitFile>,
}

impl<'r> Context<'r> {
    /// Loads the model of the run.
    ///
    /// # Errors
    /// [`PredictError`] when the run has no model, or when the network or the card changed
    /// since the run was made.
    pub(super) fn load(
        run: &'r RunDir,
        config: &'r RunConfig,
        engine: SelectedEngine,
        pool: &'r ThreadPool,
    ) -> Result<Self, PredictError> {
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
            // The memory of all batches together does not grow with the number of workers.
            let workers = pool.current_num_threads();
            engine.engine.best_batch().min(WINDOWS_AT_ONCE / workers).max(1)
        });
        let preparation = Preparation::new(&model.card);
        let interrupt = Interrupt::new();
        let fit = None;
        let mut context =
            Self { run, config, model, engine, preparation, pool, batch, interrupt, fit };
        context.fit = context.read_fit()?;
        Ok(context)
    }

    /// The fit that the run rests on; `None` if each slide is fitted to its own windows.
    fn read_fit(&self) -> Result<Option<FitFile>, PredictError> {
        let Some(expected) = &self.config.resolved.fit_sha256 else { return Ok(None) };
        let given = self.keys().calibration.clone();
        let path = given.unwrap_or_else(|| self.run.fit_json());
        let ReadFit { fit, sha256 } = FitFile::read(&path, &self.model.sha256)?;
        if sha256 != *expected {
            let expected = expected.clone();
            return Err(PredictError::OtherFit { path, found: sha256, expected });
        }
        Ok(Some(fit))
    }

    /// `[predict]` of the run's configuration.
    pub(super) fn keys(&self) -> &'r PredictKeys {
        &self.config.config.predict
    }

    /// Bytes that the maps of dense runs may take, of all workers together.
    pub(super) fn dense_map_bytes(&self) -> u64 {
        let given = self.keys().dense_map_mb.map(|mb| u64::from(mb) * 1_000_000);
        given.unwrap_or_else(|| self.engine.engine.dense_map_bytes())
    }

    /// The number of workers, at least 1.
    pub(super) fn workers(&self) -> usize {
        self.pool.current_num_threads()
    }

    pub(super) fn classes(&self) -> Classes {
        let card = &self.model.card;
        Classes { count: card.classes.len(), positive: card.positive_index() }
    }

    /// The precision that score files name: that of the engine or, where the engine computes in
    /// f32, the type of the network's input.
    pub(super) fn precision_name(&self) -> &'static str {
        match self.engine.engine.precision() {
            Precision::F32 => self.model.precision(),
            less => less.name(),
        }
    }

    /// Name and version of the engine, as written in score files.
    pub(super) fn engine_name(&self) -> String {
        format!("{} {}", self.engine.engine.name(), self.engine.engine.version())
    }

    /// Sessions for single windows, one per worker. A network whose windows depend on their batch
    /// runs them one at a time.
    pub(super) fn load_sessions(&self) -> Result<Vec<Box<dyn Session>>, PredictError> {
        self.load_tried_sessions().map(|(sessions, _)| sessions)
    }

    /// Sessions for single windows, one per worker, and what a trial of the network found.
    pub(super) fn load_tried_sessions(
        &self,
    ) -> Result<(Vec<Box<dyn Session>>, Trial), PredictError> {
        self.load_tried(self.workers())
    }

    /// Sessions for `count` workers, and what a trial of the network found.
    pub(super) fn load_tried(
        &self,
        count: usize,
    ) -> Result<(Vec<Box<dyn Session>>, Trial), PredictError> {
        let load = |batch| {
            load_sessions(&self.engine, &self.model, batch, count, self.pool)
                .map_err(|source| self.model_failed(source))
        };
        let mut sessions = load(self.batch)?;
        let trial = |sessions: &mut Vec<Box<dyn Session>>| {
            let precision = self.engine.engine.precision();
            try_session(&self.model, precision, sessions[0].as_mut())
                .map_err(|source| self.model_failed(source))
        };
        let mut found = trial(&mut sessions)?;
        if found.alone {
            drop(sessions);
            sessions = load(1)?;
            // The first trial may have ended at the batch.
            let alone = trial(&mut sessions)?;
            for note in alone.notes {
                if !found.notes.contains(&note) {
                    found.notes.push(note);
                }
            }
        }
        Ok((sessions, found))
    }

    /// Warnings that name the model.
    pub(super) fn named(&self, notes: Vec<String>) -> Vec<String> {
        let path = self.model.path.display();
        notes.into_iter().map(|note| format!("warning: {path}: {note}")).collect()
    }

    /// Adds the path of the model to an engine's error.
    pub(super) fn model_failed(&self, source: EngineError) -> PredictError {
        PredictError::Engine { what: self.model.path.display().to_string(), source }
    }

    /// Opens the patches of a slide and checks that they belong to the run and its model.
    pub(super) fn open_patches(&self, slide: &str) -> Result<PatchesFile, PredictError> {
        let path = self.run.patches(slide);
        let patches = PatchesFile::open(&path)?;
        patches.check_slide(slide)?;
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
