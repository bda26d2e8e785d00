//! Sessions of dense networks: the trait that engines implement, and the step from a
//! grid of outputs to scores that these sessions share.

use super::activation::{RawError, RawOutput, write_scores};
use super::card::ModelCard;
use super::dense::{DenseNetwork, Outputs};
use super::engine_error::EngineError;
use super::image_size::ImageSize;
use super::load::Model;
use crate::geometry::dense_tiles::{GridPlace, GridSize};

/// The purpose of a dense session, which decides where its memory lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DenseUse {
    /// The session scores a few windows for a calibration. Its memory is freed with it.
    Sampling,
    /// The session scores every group. Its maps may lie in memory that the process keeps
    /// for them until it ends.
    Scoring,
}

/// A dense network loaded by one worker, which computes on the calling thread.
pub trait DenseSession: Send {
    /// Whether the session takes images smaller than the size it was loaded for. If not,
    /// every image must have exactly that size.
    fn takes_smaller(&self) -> bool {
        false
    }

    /// Scores windows of one image.
    ///
    /// `grid`: outputs of the image; its sides follow from them. `fill`
    /// writes the image, f32 `[3, rows, cols]` or `[rows, cols, 3]` as the card's
    /// layout says, prepared as the card says. `places`: in the grid;
    /// window (r, c) starts at (r * stride, c * stride) of the image.
    /// `scores`: f32 `[places, classes]`, after the card's activation; of a network that
    /// gives what a head is fitted to, `[places, outputs]` as they are.
    ///
    /// # Errors
    /// [`EngineError`] naming the model when the engine fails or an output is not
    /// a finite number.
    fn run(
        &mut self,
        grid: GridSize,
        fill: &mut dyn FnMut(&mut [f32]),
        places: &[GridPlace],
        scores: &mut [f32],
    ) -> Result<(), EngineError>;
}

/// The part that the dense sessions of all engines share.
pub(crate) struct DenseFrame {
    engine: &'static str,
    model: std::path::PathBuf,
    output: String,
    card: ModelCard,
    /// Shape of the largest image in the card's layout.
    pub(crate) shape: [usize; 4],
    stride_px: u32,
    outputs: Outputs,
    /// Numbers written per place.
    width: usize,
    row: Vec<f32>,
}

impl DenseFrame {
    pub(crate) fn new(
        engine: &'static str,
        model: &Model,
        network: &DenseNetwork,
        side_px: u32,
    ) -> Self {
        let width = match network.outputs() {
            Outputs::Scores => model.card.classes.len(),
            Outputs::HeadInputs => network.channels(),
        };
        Self {
            engine,
            model: model.path.clone(),
            output: network.output.clone(),
            card: model.card.clone(),
            shape: ImageSize { height_px: side_px, width_px: side_px }.shape(model.card.layout, 1),
            stride_px: network.stride_px,
            outputs: network.outputs(),
            width,
            row: Vec::new(),
        }
    }

    /// Shape of an image with so many rows and columns of outputs.
    pub(crate) fn shape_of(&self, grid: GridSize) -> [usize; 4] {
        let side = |outputs: u32| (outputs.max(1) - 1) * self.stride_px + self.card.window_px;
        let size = ImageSize { height_px: side(grid.rows), width_px: side(grid.cols) };
        size.shape(self.card.layout, 1)
    }

    pub(crate) fn failed(&self, detail: String) -> EngineError {
        EngineError::Run { model: self.model.clone(), engine: self.engine, windows: 1, detail }
    }

    /// Picks the outputs at `places` from `raw`, `[1, outputs, row, col]` with the rows
    /// and columns of `grid`.
    pub(crate) fn scores(
        &mut self,
        grid: GridSize,
        RawOutput { shape, values }: RawOutput<'_>,
        places: &[GridPlace],
        scores: &mut [f32],
    ) -> Result<(), EngineError> {
        let (grid, width) = ([grid.rows as usize, grid.cols as usize], self.width);
        let wrong = |frame: &Self| EngineError::Output {
            model: frame.model.clone(),
            output: frame.output.clone(),
            shape: shape.to_vec(),
            batch: 1,
            classes: width,
        };
        let &[1, outputs, rows, cols] = shape else { return Err(wrong(self)) };
        let area = rows * cols;
        if [rows, cols] != grid || values.len() != outputs * area {
            return Err(wrong(self));
        }
        for (window, (place, scores)) in
            places.iter().zip(scores.chunks_exact_mut(width)).enumerate()
        {
            let at = place.row as usize * cols + place.col as usize;
            self.row.clear();
            self.row.extend(values.iter().skip(at).step_by(area));
            if self.outputs == Outputs::HeadInputs {
                if self.row.len() != width {
                    return Err(wrong(self));
                }
                if !self.row.iter().all(|value| value.is_finite()) {
                    return Err(EngineError::NotFinite { model: self.model.clone(), window });
                }
                scores.copy_from_slice(&self.row);
                continue;
            }
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
