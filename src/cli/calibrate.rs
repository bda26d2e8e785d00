//! `slidegrid calibrate`

use clap::Parser;

use super::options::{EngineOptions, RunOptions, ThreadOptions, catch_signals};
use super::output::print_path;
use super::{Exit, Failure};
use crate::staged;
use crate::stages::calibrate::{calibrate_all, require_no_scores, slides_with_patches};
use crate::threads::Workers;

/// Fit the dense network to single windows, over all slides of a run.
///
/// For the methods dense and cascade, with a network whose layers pad. Run this command after
/// `split` and before `predict`: windows of all slides are scored both ways, the last layer of the
/// dense network is fitted anew, and the fit is judged on slides left out of it. Writes
/// RUN/calibration/fit.json, which `predict` uses; another run of the same network can be
/// given it as predict.calibration. The exit code is 5 if the slides have too few windows
/// near the threshold or above it.
#[derive(Debug, Parser)]
#[command(
    name = "calibrate",
    version,
    max_term_width = 100,
    after_help = "\
Examples:
  slidegrid calibrate --run run
  slidegrid calibrate --run run --threads 8
  slidegrid run --config c.toml --run other --set 'predict.calibration=\"run/calibration/fit.json\"' a.svs"
)]
pub(crate) struct CalibrateArgs {
    #[command(flatten)]
    options: RunOptions,

    #[command(flatten)]
    threads: ThreadOptions,

    #[command(flatten)]
    engine: EngineOptions,
}

impl CalibrateArgs {
    /// Fits the head over the slides.
    ///
    /// # Errors
    /// [`Failure`] if the run has scores or another fit already, or windows cannot be scored.
    pub(crate) fn run(&self) -> Result<Exit, Failure> {
        let (run, progress) = (self.options.dir(), self.options.progress());
        let mut config = self.options.settle()?;
        self.engine.over(&mut config);
        if config.resolved.fit_sha256.is_some() {
            progress.note("calibrate: the run has its fit");
            return Ok(Exit::Done);
        }
        require_no_scores(&run)?;
        let slides = slides_with_patches(&run)?;
        let pool = self.threads.pool(config.config.predict.threads, &progress);
        let signals = catch_signals()?;
        let workers = Workers { pool: &pool, interrupt: signals.interrupt() };
        let done = calibrate_all(&run, &mut config, &slides, &workers, &progress)?;
        if staged::is_there(&run.fit_json())? {
            print_path(&run.fit_json())?;
        }
        Ok(done.into())
    }
}
