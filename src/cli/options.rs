//! Options that several commands have in common.

use std::num::NonZero;
use std::path::PathBuf;

use clap::Args;
use rayon::ThreadPool;

use super::{Exit, Failure};
use crate::config::{BATCH, RunConfig, Slides, in_words};
use crate::interrupt;
use crate::model::EngineChoice;
use crate::progress::Progress;
use crate::resolve::{settle, settle_dry};
use crate::run_dir::RunDir;
use crate::threads::{self, worker_count};

/// The run, and its configuration.
#[derive(Debug, Args)]
pub(super) struct RunOptions {
    /// Run directory, which holds all files of the run.
    #[arg(long, value_name = "DIR")]
    pub(super) run: PathBuf,

    /// Configuration file. Needed only for the first command of a run; later commands read
    /// DIR/run.toml.
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,

    /// Set a configuration key, for example --set predict.stride=64.
    #[arg(long = "set", value_name = "SECTION.KEY=VALUE")]
    pub(super) set: Vec<String>,

    /// Print no progress, only warnings and errors.
    #[arg(long, short)]
    pub(super) quiet: bool,
}

impl RunOptions {
    pub(super) fn dir(&self) -> RunDir {
        RunDir::new(&self.run)
    }

    pub(super) fn progress(&self) -> Progress {
        Progress::on_stderr(self.quiet)
    }

    /// The configuration of the run. A configuration file that was given is checked against the
    /// run, or written to it if the run is new.
    pub(super) fn settle(&self) -> Result<RunConfig, Failure> {
        self.settle_with(&Slides::default())
    }

    /// Like [`Self::settle`], with settings of single slides from the command line.
    pub(super) fn settle_with(&self, slides: &Slides) -> Result<RunConfig, Failure> {
        Ok(settle(&self.run, self.config.as_deref(), &self.set, slides)?)
    }

    /// Like [`Self::settle_with`], for a command that writes nothing if it is `dry`.
    pub(super) fn settle_unless(&self, dry: bool, slides: &Slides) -> Result<RunConfig, Failure> {
        let settle = if dry { settle_dry } else { settle };
        Ok(settle(&self.run, self.config.as_deref(), &self.set, slides)?)
    }
}

/// The number of worker threads.
#[derive(Debug, Clone, Copy, Args)]
pub(super) struct ThreadOptions {
    /// Worker threads [default: SLURM_CPUS_PER_TASK, NSLOTS, or as many as the machine,
    /// its cgroup and its CPU affinity allow].
    #[arg(long, value_name = "T")]
    pub(super) threads: Option<NonZero<usize>>,
}

impl ThreadOptions {
    pub(super) fn count(&self, configured: Option<usize>, progress: &Progress) -> usize {
        let threads = worker_count(self.threads.map(NonZero::get).or(configured));
        if let Some(warning) = &threads.warning {
            progress.warn(&format!("warning: {warning}"));
        }
        threads.count
    }

    /// As many threads as [`ThreadOptions::count`] says.
    pub(super) fn pool(&self, configured: Option<usize>, progress: &Progress) -> ThreadPool {
        threads::pool(self.count(configured, progress))
    }
}

/// A number of windows per run of the network.
fn batch(text: &str) -> Result<usize, String> {
    let batch = text.parse().ok().filter(|batch| BATCH.contains(batch));
    batch.ok_or_else(|| format!("expected {}", in_words(&BATCH, " windows")))
}

/// While the returned value lives, a signal asks the work to stop in good order instead of
/// killing the process.
pub(super) fn catch_signals() -> Result<interrupt::SignalGuard, Failure> {
    interrupt::catch_signals()
        .map_err(|error| Failure::new(Exit::Input, format!("cannot handle signals: {error}")))
}

/// The engine that runs the network.
#[derive(Debug, Clone, Args)]
pub(super) struct EngineOptions {
    /// Library that runs the network. `auto` takes onnxruntime if it is installed, otherwise
    /// tract; it never takes OpenVINO.
    #[arg(long, value_name = "auto|tract|ort|openvino")]
    pub(super) engine: Option<EngineChoice>,

    /// Path of libonnxruntime [default: $SLIDEGRID_ORT, $ORT_DYLIB_PATH, an installed Python
    /// package, or the system's library].
    #[arg(long, value_name = "FILE")]
    pub(super) ort_library: Option<PathBuf>,

    /// Path of libopenvino_c [default: $SLIDEGRID_OPENVINO, an installed Python package, or the
    /// system's library].
    #[arg(long, value_name = "FILE")]
    pub(super) openvino_library: Option<PathBuf>,

    /// Windows per run of the network [default: a number that suits the engine].
    #[arg(long, value_name = "N", value_parser = batch)]
    pub(super) batch: Option<usize>,
}

impl EngineOptions {
    /// Refuses these options where jobs do the work: jobs read the configuration alone.
    ///
    /// # Errors
    /// A usage [`Failure`] that names the first option which was given.
    pub(super) fn require_none_for_jobs(&self) -> Result<(), Failure> {
        let given = [
            ("--engine", self.engine.is_some(), "the key predict.engine"),
            ("--ort-library", self.ort_library.is_some(), "SLIDEGRID_ORT in this shell"),
            (
                "--openvino-library",
                self.openvino_library.is_some(),
                "SLIDEGRID_OPENVINO in this shell",
            ),
            ("--batch", self.batch.is_some(), "the key predict.batch"),
        ];
        match given.into_iter().find(|(_, is_given, _)| *is_given) {
            None => Ok(()),
            Some((option, _, instead)) => Err(Failure::new(
                Exit::Usage,
                format!(
                    "{option} is for work on this machine and does not reach jobs; set {instead}"
                ),
            )),
        }
    }

    /// Puts these options in place of those of the configuration.
    pub(super) fn over(&self, config: &mut RunConfig) {
        let keys = &mut config.config.predict;
        keys.engine = self.engine.unwrap_or(keys.engine);
        keys.batch = self.batch.or(keys.batch);
        if self.ort_library.is_some() {
            keys.ort_library.clone_from(&self.ort_library);
        }
        if self.openvino_library.is_some() {
            keys.openvino_library.clone_from(&self.openvino_library);
        }
    }
}
