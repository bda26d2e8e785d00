//! The first part of `master retry`: why work is missing, and what it asks for from now on.

use super::Failure;
use crate::config::ClusterKeys;
use crate::jobs::raised::Raised;
use crate::jobs::retry::{Factors, describe, plan_retries};
use crate::jobs::state::RunState;
use crate::progress::Progress;
use crate::run_dir::RunDir;

/// Prints why each missing item is missing, and returns the requests from now on.
pub(super) fn raise(
    run: &RunDir,
    keys: &ClusterKeys,
    state: &RunState,
    factors: Factors,
    progress: &Progress,
) -> Result<Raised, Failure> {
    let mut raised = Raised::read(run)?;
    let mut retries = plan_retries(state, keys, &mut raised, factors);
    if state.submissions.is_empty() {
        // Only what was there and is damaged is made again.
        retries.retain(|retry| retry.reason.is_some());
    }
    for line in describe(&retries) {
        progress.note(&format!("again: {line}"));
    }
    Ok(raised)
}
