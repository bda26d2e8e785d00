//! The sessions of a network that is cut into trunk and head.

use super::engine_error::EngineError;
use super::image_size::ImageSize;
use super::load::Model;
use super::session::Session;
use super::trunk::TrunkHead;

/// An engine that loads trunk and head as two networks.
pub trait TrunkHeadEngine: Sync {
    /// Loads both parts to run on the calling thread, the head up to `batch` windows at a
    /// time.
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

/// The trunk of a network, loaded by one worker, which computes on the calling thread.
pub trait TrunkSession: Send {
    /// Computes the maps of `n` images, which all have `size`.
    ///
    /// `fill` writes the images, f32 `[n, 3, row, col]` or `[n, row, col, 3]` as the
    /// card's layout says, prepared as the card says. `take` receives the shape and the
    /// numbers of the maps, `[n, channel, row, col]`.
    ///
    /// # Errors
    /// [`EngineError`] naming the model when the engine fails.
    fn run(
        &mut self,
        n: usize,
        size: ImageSize,
        fill: &mut dyn FnMut(&mut [f32]),
        take: &mut dyn FnMut([usize; 4], &[f32]),
    ) -> Result<(), EngineError>;
}

/// Both parts of a network, loaded by one worker.
pub struct LoadedTrunkHead {
    /// The trunk.
    pub trunk: Box<dyn TrunkSession>,
    /// The head, which takes maps `[n, channel, row, col]` and gives scores.
    pub head: Box<dyn Session>,
}
