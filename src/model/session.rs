//! A network loaded by one worker.

use super::engine_error::EngineError;

/// A network loaded by one worker, which computes on the calling thread.
pub trait Session: Send {
    /// The largest number of windows per run.
    fn batch(&self) -> usize;

    /// Scores `n` windows, `n <= batch()`.
    ///
    /// `input` is f32 `[n, 3, row, col]` or `[n, row, col, 3]`, as the card's layout says,
    /// prepared as the card says. `scores` receives f32 `[n, classes]`, in the card's
    /// order of classes, after the card's activation. If the graph fixes the batch, the
    /// session pads a batch that is not full.
    ///
    /// # Errors
    /// [`EngineError`] naming the model when a slice has another length, the
    /// engine fails, or an output is not a finite number. `scores` is then
    /// undefined.
    fn run(&mut self, input: &[f32], n: usize, scores: &mut [f32]) -> Result<(), EngineError>;

    /// Scores `n` windows that `fill` writes straight into the engine's own memory, which
    /// saves a copy. The slice given to `fill` has the layout of `input` in
    /// [`Session::run`].
    ///
    /// # Errors
    /// As [`Session::run`].
    fn run_filled(
        &mut self,
        n: usize,
        fill: &mut dyn FnMut(&mut [f32]),
        scores: &mut [f32],
    ) -> Result<(), EngineError>;
}
