//! The sessions of onnxruntime: for classifiers and heads, for dense networks, for trunks.

use std::path::PathBuf;

use half::f16;
use half::slice::HalfFloatSliceExt;
use ort::value::{DynValue, TensorRef};

use super::activation::RawOutput;
use super::card::Layout;
use super::dense_session::{DenseFrame, DenseSession};
use super::engine_error::EngineError;
use super::frame::Frame;
use super::image_size::ImageSize;
use super::session::Session;
use super::trunk_session::TrunkSession;
use crate::geometry::dense_tiles::{GridPlace, GridSize};

/// A network with one row of outputs per window, or the head of one.
pub(super) struct OrtSession {
    pub(super) session: ort::session::Session,
    pub(super) frame: Frame,
    pub(super) input: String,
    pub(super) shape: [usize; 4],
    /// Whether the graph fixes the batch, so that a batch that is not full is padded.
    pub(super) fixed: bool,
    /// Whether the input is float16.
    pub(super) half_input: bool,
    /// Windows that [`Session::run_filled`] is given.
    pub(super) filled: Vec<f32>,
    /// Input of a padded batch.
    pub(super) padded: Vec<f32>,
    /// Input in float16.
    pub(super) halves: Vec<f16>,
    /// Output converted from float16.
    pub(super) raw: Vec<f32>,
}

impl OrtSession {
    /// A session for a network with a float32 input and any batch.
    pub(super) fn new(
        session: ort::session::Session,
        frame: Frame,
        input: String,
        shape: [usize; 4],
    ) -> Self {
        let (filled, padded, halves, raw) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let (fixed, half_input) = (false, false);
        Self { session, frame, input, shape, fixed, half_input, filled, padded, halves, raw }
    }
}

impl Session for OrtSession {
    fn batch(&self) -> usize {
        self.frame.batch
    }

    fn run(&mut self, input: &[f32], n: usize, scores: &mut [f32]) -> Result<(), EngineError> {
        let Self { session, frame, shape, padded, halves, raw, .. } = self;
        frame.check_sizes(input, n, scores)?;
        if n == 0 {
            return Ok(());
        }
        let given = if self.fixed { frame.batch } else { n };
        let input = if given == n {
            input
        } else {
            padded.clear();
            padded.extend_from_slice(input);
            padded.resize(given * frame.window_len, 0.0);
            padded
        };
        let failed = |error: ort::Error| frame.failed(n, error.to_string());
        let shape = [given, shape[1], shape[2], shape[3]];
        let name = self.input.as_str();
        let outputs = if self.half_input {
            halves.resize(input.len(), f16::ZERO);
            halves.convert_from_f32_slice(input);
            let tensor = TensorRef::from_array_view((shape, halves.as_slice())).map_err(failed)?;
            session.run(ort::inputs![name => tensor])
        } else {
            let tensor = TensorRef::from_array_view((shape, input)).map_err(failed)?;
            session.run(ort::inputs![name => tensor])
        }
        .map_err(failed)?;
        let output = outputs
            .get(frame.output.as_str())
            .ok_or_else(|| frame.failed(n, format!("no output {}", frame.output)))?;
        let (shape, values) = floats(output, raw).map_err(failed)?;
        frame.scores(RawOutput { shape: &shape, values }, given, n, scores)
    }

    fn run_filled(
        &mut self,
        n: usize,
        fill: &mut dyn FnMut(&mut [f32]),
        scores: &mut [f32],
    ) -> Result<(), EngineError> {
        let mut windows = std::mem::take(&mut self.filled);
        windows.resize(n * self.frame.window_len, 0.0);
        fill(&mut windows);
        let result = self.run(&windows, n, scores);
        self.filled = windows;
        result
    }
}

/// Shape and numbers of an output; float16 numbers are converted into `wide`.
fn floats<'v>(
    output: &'v DynValue,
    wide: &'v mut Vec<f32>,
) -> ort::Result<(Vec<usize>, &'v [f32])> {
    let sizes =
        |shape: &[i64]| shape.iter().map(|size| usize::try_from(*size).unwrap_or(0)).collect();
    if let Ok((shape, values)) = output.try_extract_tensor::<f32>() {
        return Ok((sizes(shape), values));
    }
    let (shape, values) = output.try_extract_tensor::<f16>()?;
    wide.resize(values.len(), 0.0);
    values.convert_to_f32_slice(wide);
    Ok((sizes(shape), wide))
}

/// A dense network for images up to the size it was loaded for.
pub(super) struct OrtDense {
    pub(super) session: ort::session::Session,
    pub(super) frame: DenseFrame,
    pub(super) input: String,
    pub(super) output: String,
    pub(super) image: Vec<f32>,
}

impl DenseSession for OrtDense {
    fn takes_smaller(&self) -> bool {
        true
    }

    fn run(
        &mut self,
        grid: GridSize,
        fill: &mut dyn FnMut(&mut [f32]),
        places: &[GridPlace],
        scores: &mut [f32],
    ) -> Result<(), EngineError> {
        let Self { session, frame, input, output, image } = self;
        let shape = frame.shape_of(grid);
        let image = &mut image[..shape.iter().product()];
        fill(image);
        let failed = |error: ort::Error| frame.failed(error.to_string());
        let tensor = TensorRef::from_array_view((shape, &*image)).map_err(failed)?;
        let outputs = session.run(ort::inputs![input.as_str() => tensor]).map_err(failed)?;
        let found = outputs
            .get(output.as_str())
            .ok_or_else(|| frame.failed(format!("no output {output}")))?;
        let mut wide = Vec::new();
        let (shape, values) = floats(found, &mut wide).map_err(failed)?;
        frame.scores(grid, RawOutput { shape: &shape, values }, places, scores)
    }
}

/// The trunk of a network, for images of any size.
pub(super) struct OrtTrunk {
    pub(super) session: ort::session::Session,
    pub(super) model: PathBuf,
    pub(super) layout: Layout,
    pub(super) input: String,
    pub(super) output: String,
    pub(super) images: Vec<f32>,
}

impl TrunkSession for OrtTrunk {
    fn run(
        &mut self,
        n: usize,
        size: ImageSize,
        fill: &mut dyn FnMut(&mut [f32]),
        take: &mut dyn FnMut([usize; 4], &[f32]),
    ) -> Result<(), EngineError> {
        let Self { session, model, layout, input, output, images } = self;
        let shape = size.shape(*layout, n);
        images.resize(shape.iter().product(), 0.0);
        fill(images);
        let failed = |detail: String| EngineError::Run {
            model: model.clone(),
            engine: "ort",
            windows: n,
            detail,
        };
        let ort_failed = |error: ort::Error| failed(error.to_string());
        let tensor = TensorRef::from_array_view((shape, images.as_slice())).map_err(ort_failed)?;
        let outputs = session.run(ort::inputs![input.as_str() => tensor]).map_err(ort_failed)?;
        let found =
            outputs.get(output.as_str()).ok_or_else(|| failed(format!("no output {output}")))?;
        let (shape, values) = found.try_extract_tensor::<f32>().map_err(ort_failed)?;
        let sizes: Vec<usize> = shape.iter().filter_map(|&size| size.try_into().ok()).collect();
        let shape = sizes.try_into().map_err(|sizes| failed(format!("{output} is {sizes:?}")))?;
        take(shape, values);
        Ok(())
    }
}
