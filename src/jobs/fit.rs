//! Whether the scores of a run are to rest on a fit of the dense network over its slides.

use serde::{Deserialize, Serialize};

use crate::config::RunConfig;
use crate::run_dir::RunDir;
use crate::staged::{self, StageError};

/// `calibration/none.json`: `calibrate` has found that there is no fit over these slides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NoFit {
    /// Why there is none.
    pub why: String,
    /// Hash of the settings that scores depend on.
    pub config_sha256: String,
    /// The slides, sorted by name.
    pub slides: Vec<String>,
}

impl NoFit {
    /// The finding for these slides.
    pub(crate) fn new(why: String, config: &RunConfig, slides: &[String]) -> Self {
        let mut slides = slides.to_vec();
        slides.sort();
        Self { why, config_sha256: config.scores_sha256(), slides }
    }

    /// Writes the file.
    ///
    /// # Errors
    /// [`StageError`] if the file cannot be written.
    pub(crate) fn write(&self, run: &RunDir) -> Result<(), StageError> {
        let text = serde_json::to_vec_pretty(self).expect("a finding is plain data");
        staged::write(&run.no_fit_json(), &text)
    }

    /// Whether the run has this finding for `slides`. A file that is no finding counts as none,
    /// since `calibrate` then makes it anew.
    fn holds(run: &RunDir, config: &RunConfig, slides: &[String]) -> Result<bool, StageError> {
        let Some(text) = staged::read_if_there(&run.no_fit_json())? else { return Ok(false) };
        let found = serde_json::from_slice::<Self>(&text);
        Ok(found.is_ok_and(|found| found == Self::new(found.why.clone(), config, slides)))
    }
}

/// Whether a fit can still be made: the network is run densely and pads, and no fit is given or
/// made. A run that has scores keeps the calibrations of its slides.
///
/// # Errors
/// [`StageError`] if the system does not say whether the run has scores.
pub(crate) fn is_open(run: &RunDir, config: &RunConfig) -> Result<bool, StageError> {
    // Patches have a margin exactly where layers pad.
    let pads = config.resolved.margin.is_some();
    let is_dense = config.config.predict.method.runs_dense();
    Ok(pads && is_dense && config.resolved.fit_sha256.is_none() && !has_scores(run)?)
}

/// Whether a fit over `slides`, which have patches, is still to be made before they are scored:
/// a fit can be made, and `calibrate` has not found that there is none.
///
/// # Errors
/// [`StageError`] if the system does not say whether the run has scores or such a finding.
pub(crate) fn is_wanted(
    run: &RunDir,
    config: &RunConfig,
    slides: &[String],
) -> Result<bool, StageError> {
    Ok(is_open(run, config)? && !NoFit::holds(run, config, slides)?)
}

/// Whether the run has scores, which a fit would no longer belong to.
///
/// # Errors
/// [`StageError`] if the system does not say.
pub(crate) fn has_scores(run: &RunDir) -> Result<bool, StageError> {
    staged::has_entries(&run.root().join("scores"))
}
