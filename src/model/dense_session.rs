//! What runs a dense network, and the way from its grid of outputs to scores.

use super::activation::{RawError, write_scores};
use super::card::ModelCard;
use super::dense::DenseNetwork;
use super::engine::EngineError;
use super::load::Model;

/// A dense network loaded by one worker; it computes on the thread that calls it.
pub trait DenseSession: Send {
    /// Scores windows of one image.
    ///
    /// `fill` writes the image, f32 `[3, side, side]` or `[side, side, 3]` as the
    /// card's layout says, prepared as the card says. `places`: (row, col) of the
    /// grid; window (r, c) starts at (r * stride, c * stride) of the image.
    /// `scores`: f32 `[places, classes]`, after the card's activation.
    ///
    /// # Errors
    /// [`EngineError`] naming the model when the engine fails or an output is not
    /// a finite number.
    fn run(
        &mut self,
        fill: &mut dyn FnMut(&mut [f32]),
        places: &[(u32, u32)],
        scores: &mut [f32],
    ) -> Result<(), EngineError>;
}

/// What all engines' dense sessions share.
pub(crate) struct DenseFrame {
    engine: &'static str,
    model: std::path::PathBuf,
    output: String,
    card: ModelCard,
    /// Shape of the image in the card's layout.
    pub(crate) shape: [usize; 4],
    grid: usize,
    row: Vec<f32>,
}

impl DenseFrame {
    pub(crate) fn new(
        engine: &'static str,
        model: &Model,
        network: &DenseNetwork,
        side_px: u32,
    ) -> Self {
        let side = side_px as usize;
        let mut shape = model.input_shape(1);
        shape
            .iter_mut()
            .filter(|size| **size == model.card.window_px as usize)
            .for_each(|size| *size = side);
        Self {
            engine,
            model: model.path.clone(),
            output: network.output.clone(),
            card: model.card.clone(),
            shape,
            grid: network.grid(side_px) as usize,
            row: Vec::new(),
        }
    }

    pub(crate) fn failed(&self, detail: String) -> EngineError {
        EngineError::Run { model: self.model.clone(), engine: self.engine, windows: 1, detail }
    }

    /// Picks the outputs at `places` from `raw`, `[1, outputs, row, col]`.
    pub(crate) fn scores(
        &mut self,
        (shape, raw): (&[usize], &[f32]),
        places: &[(u32, u32)],
        scores: &mut [f32],
    ) -> Result<(), EngineError> {
        let (grid, classes) = (self.grid, self.card.classes.len());
        let wrong = |frame: &Self| EngineError::Output {
            model: frame.model.clone(),
            output: frame.output.clone(),
            shape: shape.to_vec(),
            batch: 1,
            classes,
        };
        let &[1, outputs, rows, cols] = shape else { return Err(wrong(self)) };
        if (rows, cols) != (grid, grid) || raw.len() != outputs * grid * grid {
            return Err(wrong(self));
        }
        for (window, (&(row, col), scores)) in
            places.iter().zip(scores.chunks_exact_mut(classes)).enumerate()
        {
            let at = row as usize * grid + col as usize;
            self.row.clear();
            self.row.extend(raw.iter().skip(at).step_by(grid * grid));
            match write_scores(&self.card, &self.row, outputs, 1, scores) {
                Ok(()) => {}
                Err(RawError::Shape) => return Err(wrong(self)),
                Err(RawError::NotFinite(_)) => {
                    return Err(EngineError::NotFinite { model: self.model.clone(), window });
                }
            }
        }
        Ok(())
    }
}
