//! One group of patches in, one file of scores out.

mod batch;
mod both_ways;
mod calibrate;
mod calibration;
mod cascade;
mod colour;
mod dense;
mod dense_plan;
mod deviation;
mod draw;
mod group;
mod ledger;
mod pixels;
mod prepare;
mod sample;
mod shared;
mod windows;

use std::path::PathBuf;
use std::sync::Arc;

use thiserror::Error;

use crate::config::{self, ConfigError, Method, RunConfig};
use crate::hdf5_file::FormatError;
use crate::interrupt::Interrupt;
use crate::model::{
    DenseError, EngineError, LoadedHalves, Model, ModelError, Precision, Selected, Session,
};
use crate::patches::PatchesFile;
use crate::progress::Progress;
use crate::run_dir::RunDir;
use crate::staged::StageError;

pub use group::GroupOutcome;
pub(crate) use group::share;
pub use prepare::{Preparation, PreparedPatch};

/// Why a group could not be scored.
#[derive(Debug, Error)]
pub enum PredictError {
    /// The run has no usable configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The model cannot be used.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The run was made without a model.
    #[error("{}: this run has no model: it was split with [tiling] window alone; make a run with [model] card", run.display())]
    NoModel {
        /// The run directory.
        run: PathBuf,
    },
    /// The ONNX file is not the run's.
    #[error("{}: the network has SHA-256 {found}, the run was made with {expected}; put the old file back, or use another run directory", path.display())]
    OtherModel {
        /// The ONNX file.
        path: PathBuf,
        /// Its hash.
        found: String,
        /// The run's.
        expected: String,
    },
    /// The model card was edited since the run was made.
    #[error("{}: the model card says something else than when the run was made; put the old card back, or use another run directory", path.display())]
    OtherCard {
        /// The card.
        path: PathBuf,
    },
    /// The engine failed.
    #[error("{what}: {source}")]
    Engine {
        /// The slide and group, or the model.
        what: String,
        /// What it said.
        source: EngineError,
    },
    /// The sizes in a patch file do not make a tiling.
    #[error("{}: {source}", path.display())]
    Tiling {
        /// The patch file.
        path: PathBuf,
        /// What is wrong.
        source: crate::geometry::tiling::TilingError,
    },
    /// The network has no dense form.
    #[error(transparent)]
    Dense(#[from] DenseError),
    /// Patches with too little around them.
    #[error("{}: patches have {margin_px} px around their windows, method = \"{method}\" needs {reach_px} px: layers of this network pad, so that a dense run sees the border of its image that far; split again in a run directory whose configuration says [predict] method = \"{method}\", or use method = \"window\"", path.display())]
    Margin {
        /// The patch file.
        path: PathBuf,
        /// The method.
        method: &'static str,
        /// What the patches have.
        margin_px: u32,
        /// What the network needs.
        reach_px: u32,
    },
    /// Maps that are too large.
    #[error("{}: a dense run over one tissue tile needs maps of {needs_mb} MB, {most_mb} MB are kept for them: the network looks {reach_px} px beyond its window, and all of that has to be held at once; use method = \"window\"", path.display())]
    DenseMemory {
        /// The ONNX file.
        path: PathBuf,
        /// What one tile takes.
        needs_mb: u64,
        /// What all workers' maps may take.
        most_mb: u64,
        /// How far the network looks.
        reach_px: u32,
    },
    /// Dense scores that are not those of single windows.
    #[error(
        "{slide}: dense scores differ from those of single windows by {rms:.4} (root mean square over {sampled} windows, after calibration), expected at most predict.dense_tolerance = {tolerance}; use method = \"window\" or \"cascade\", or accept it with --force or a larger tolerance"
    )]
    Residual {
        /// The slide.
        slide: String,
        /// Root mean square difference.
        rms: f64,
        /// Windows compared.
        sampled: u64,
        /// What was to be accepted.
        tolerance: f64,
    },
    /// Scores of less precision that are not those in f32.
    #[error(
        "{group}: scores in {precision} differ from those in f32 by up to {max:.4} (of {windows} windows), expected at most predict.precision_tolerance = {tolerance}; use precision f32, or accept it with --force or a larger tolerance"
    )]
    Deviation {
        /// The slide and group.
        group: String,
        /// What was computed in.
        precision: Precision,
        /// Largest difference.
        max: f64,
        /// Windows compared.
        windows: u64,
        /// What was to be accepted.
        tolerance: f64,
    },
    /// A file cannot be read or written.
    #[error(transparent)]
    Format(#[from] FormatError),
    /// A file cannot be written.
    #[error(transparent)]
    Stage(#[from] StageError),
    /// Patches of another configuration.
    #[error("{}: these patches were made with another configuration (hash {found}, this run has {expected}); split again, or use another run directory", path.display())]
    OtherPatches {
        /// The patch file.
        path: PathBuf,
        /// Its hash.
        found: String,
        /// The run's.
        expected: String,
    },
    /// Patches of a slide whose colours were never measured.
    #[error("{}: holds no colour estimate of its slide (made by the HPC_DPAI code or an older slidegrid), and [normalize] needs one; split the slide again, or in another run set scope = \"patch\" and on_failure = \"raw\" or \"fail\"", path.display())]
    NoColours {
        /// The patch file.
        path: PathBuf,
    },
    /// The patches do not fit the model.
    #[error("{}: the patches were cut for a window of {found} px, the model looks at {expected} px; split again in another run directory", path.display())]
    OtherWindow {
        /// The patch file.
        path: PathBuf,
        /// Its window.
        found: u32,
        /// The model's.
        expected: u32,
    },
    /// Scores of another configuration are in the way.
    #[error("{}: these scores were made with another configuration (hash {found}, this run has {expected}); delete the file, or use another run directory", path.display())]
    OtherScores {
        /// The score file.
        path: PathBuf,
        /// Its hash.
        found: String,
        /// The run's.
        expected: String,
    },
}

/// Windows in all workers' batches together, unless the batch is given.
const WINDOWS_AT_ONCE: usize = 32;

/// A model loaded into one session a worker, ready for any group of the run.
pub struct Predictor<'r> {
    run: &'r RunDir,
    config: &'r RunConfig,
    model: Model,
    engine: Selected,
    preparation: Preparation,
    threads: usize,
    batch: usize,
    /// One a worker; none until single windows are to be scored.
    sessions: Vec<Box<dyn Session>>,
    /// Their first layers apart, where windows are to share them.
    sharing: Option<(shared::Sharing, Vec<LoadedHalves>)>,
    dense: Option<dense::Dense>,
    /// Of the slide scored last.
    calibrated: Option<(String, Arc<calibrate::Calibrated>)>,
    interrupt: Interrupt,
}

impl<'r> Predictor<'r> {
    /// Loads the run's model into `threads` sessions.
    ///
    /// # Errors
    /// [`PredictError`] when the model is not the run's or does not load.
    pub fn load(
        run: &'r RunDir,
        config: &'r RunConfig,
        engine: Selected,
        threads: usize,
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
        if config::card_sha256(&model.card) != config.resolved.card_sha256 {
            return Err(PredictError::OtherCard { path: card.to_owned() });
        }
        let batch = config.config.predict.batch.unwrap_or_else(|| {
            // What the workers hold together does not grow with their number.
            engine.engine.best_batch().min(WINDOWS_AT_ONCE / threads.max(1)).max(1)
        });
        let preparation = Preparation::new(&model.card);
        let interrupt = Interrupt::new();
        let (sessions, sharing, dense, calibrated) = (Vec::new(), None, None, None);
        let mut predictor = Self {
            run,
            config,
            model,
            engine,
            preparation,
            threads: threads.max(1),
            batch,
            sessions,
            sharing,
            dense,
            calibrated,
            interrupt,
        };
        if config.config.predict.method != Method::Dense {
            predictor.load_windows()?;
        }
        predictor.load_shared()?;
        Ok(predictor)
    }

    /// Makes ready to score single windows.
    fn load_windows(&mut self) -> Result<(), PredictError> {
        if self.sessions.is_empty() {
            self.sessions = load_sessions(&self.engine, &self.model, self.batch, self.threads)
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
        if !keys.share || keys.method == Method::Dense {
            return Ok(());
        }
        let sizes = (self.batch, self.threads);
        let loaded = shared::Sharing::load(&self.engine, &self.model, keys.stride, sizes);
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

    /// Scores group `group` (from 1) of a slide, unless its file is there.
    ///
    /// # Errors
    /// [`PredictError`] naming the slide and group.
    pub fn predict(
        &mut self,
        slide: &str,
        group: usize,
        progress: &Progress,
    ) -> Result<GroupOutcome, PredictError> {
        let path = self.run.scores(slide, group);
        if path.exists() {
            let present = group::check_existing(&path, self.config)?;
            ledger::remove_part(&self.run.part(slide, group));
            return Ok(present);
        }
        let patches = self.open_patches(slide)?;
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
    engine: &Selected,
    model: &Model,
    batch: usize,
    threads: usize,
) -> Result<Vec<Box<dyn Session>>, EngineError> {
    // The first load fails alone when the network does not run at all.
    let first = engine.engine.load(model, batch)?;
    let others: Vec<_> = std::thread::scope(|scope| {
        let loading: Vec<_> =
            (1..threads).map(|_| scope.spawn(|| engine.engine.load(model, batch))).collect();
        loading
            .into_iter()
            .map(|t| t.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    });
    std::iter::once(Ok(first)).chain(others).collect()
}
