//! Loads the sessions of the workers.

use rayon::ThreadPool;
use rayon::prelude::*;

use crate::model::{EngineError, Model, SelectedEngine, Session};

/// Loads `count` sessions in parallel on `pool`, since loading one takes about a second.
///
/// # Errors
/// The first [`EngineError`]. One session is loaded alone first, so that a network that cannot
/// run fails only once.
pub(crate) fn load_sessions(
    engine: &SelectedEngine,
    model: &Model,
    batch: usize,
    count: usize,
    pool: &ThreadPool,
) -> Result<Vec<Box<dyn Session>>, EngineError> {
    let first = engine.engine.load(model, batch)?;
    let others: Vec<_> = pool.install(|| {
        let others = (1..count).into_par_iter().with_max_len(1);
        others.map(|_| engine.engine.load(model, batch)).collect()
    });
    std::iter::once(Ok(first)).chain(others).collect()
}
