//! The warning, before slides are split, that a method does not pay.

use crate::config::RunConfig;
use crate::progress::Progress;
use crate::resolve::dense_cost_of;
use crate::run_dir::{RunDir, SlideRecord};
use crate::staged;
use crate::stages::dense_cost::cost_warning;

/// Warns if dense runs of the network cost more than single windows and slides are still to be
/// split: their patches would have a margin for nothing.
pub(super) fn warn_of_cost(
    run: &RunDir,
    config: &RunConfig,
    slides: &[&SlideRecord],
    progress: &Progress,
) {
    let is_unsplit =
        |record: &&SlideRecord| !staged::is_there(&run.patches(&record.name)).unwrap_or(true);
    if !slides.iter().any(is_unsplit) {
        return;
    }
    let cost = dense_cost_of(config);
    if let Some(text) = cost.and_then(|cost| cost_warning(config.config.predict.method, cost)) {
        progress.warn_once(&text);
    }
}
