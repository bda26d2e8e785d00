//! What runs the two parts of a network.

use super::engine::{EngineError, Session};
use super::load::Model;
use super::trunk::TrunkHead;

/// An engine that loads networks in two parts.
pub trait TrunkHeadEngine: Sync {
    /// Both parts, ready to run on the calling thread, the head up to `batch` windows
    /// at a time.
    ///
    /// # Errors
    /// [`EngineError`] naming the model.
    fn load_trunk_head(
        &self,
        model: &Model,
        parts: &TrunkHead,
        batch: usize,
    ) -> Result<LoadedTrunkHead, EngineError>;
}

/// The first layers of a network, loaded by one worker; they compute on the thread
/// that calls them.
pub trait TrunkSession: Send {
    /// Makes the maps of `n` images, all of `(rows_px, cols_px)`.
    ///
    /// `fill` writes the images, f32 `[n, 3, row, col]` or `[n, row, col, 3]` as the
    /// card's layout says, prepared as the card says. `take` is given the maps' shape
    /// and numbers, `[n, channel, row, col]`.
    ///
    /// # Errors
    /// [`EngineError`] naming the model when the engine fails.
    fn run(
        &mut self,
        n: usize,
        sides_px: (u32, u32),
        fill: &mut dyn FnMut(&mut [f32]),
        take: &mut dyn FnMut([usize; 4], &[f32]),
    ) -> Result<(), EngineError>;
}

/// Both parts of a network, loaded by one worker.
pub struct LoadedTrunkHead {
    /// The first layers.
    pub trunk: Box<dyn TrunkSession>,
    /// The others: maps `[n, channel, row, col]` in, scores out.
    pub head: Box<dyn Session>,
}
